package wire_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/storetest"
)

const accountDisabled = "https://schemas.openid.net/secevent/risc/event-type/account-disabled"

// disabledEvent is a security event about the user of idToken; see oauthtest.Assertions.
func disabledEvent(iat int64) string {
	return fmt.Sprintf(`{"iss":%q,"sub":"ada","jti":"e","iat":%d,"events":{%q:{}}}`, issuerName, iat, accountDisabled)
}

// wrapped is an event as Apple sends one. The fake of assertions takes JSON for a token,
// so that an event by itself would look like the wrapping of another.
func wrapped(event string) string { return fmt.Sprintf(`{"payload":%q}`, event) }

// bare is an event as RFC 8935 has it, to which the fake's JSON is made by a leading blank.
func bare(event string) string { return " " + event }

func push(body string) call {
	return call{endpoint: "events", header: map[string][]string{"Content-Type": {"application/secevent+jwt"}}, body: body}
}

// An event that is done is a 202 without a body, and to Apple a 200. It ends the sign-ins
// of its user.
func TestEventsEndpoint(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		for n, c := range []struct {
			status int
			body   string
		}{{http.StatusAccepted, bare(disabledEvent(began))}, {http.StatusOK, wrapped(disabledEvent(began + 1))}} {
			idToken := fmt.Sprintf(`{"iss":%q,"sub":"ada","iat":%d}`, issuerName, began+n)
			login := w.expect(t, by, step{call: asApp("token", "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange",
				"subject_token_type", "urn:ietf:params:oauth:token-type:id_token", "subject_token", idToken, "scope", "read device_x"), status: 200})
			if !w.isActive(t, by, login.text("access_token")) {
				t.Fatal("a new token is inactive")
			}
			a := w.expect(t, by, step{call: push(c.body), status: c.status})
			if a.body != "" || a.line["outcome"] != "signed_out" || a.line["event"] != "account-disabled" || a.line["issuer"] != issuerName || a.line["locator"] == nil {
				t.Errorf("body %q, line %v", a.body, a.line)
			}
			if w.isActive(t, by, login.text("access_token")) {
				t.Error("the token lives on")
			}
		}
	})
}

// Each refusal is of the form of RFC 8935 §2.3, and repeats nothing.
func TestRefusedEvents(t *testing.T) {
	const canary = "CANARY"
	run(t, []step{
		{name: "nothing", call: push(""), status: 400, error: "invalid_request"},
		{name: "no token", call: push(canary), status: 400, error: "invalid_request"},
		{name: "no payload", call: push(`{"a":"` + canary + `"}`), status: 400, error: "invalid_request", idle: true},
		{name: "a payload that is not a text", call: push(`{"payload":{}}`), status: 400, error: "invalid_request", idle: true},
		{name: "JSON with more behind it", call: push(wrapped(disabledEvent(began)) + canary), status: 400, error: "invalid_request", idle: true},
		{name: "another issuer", call: push(bare(strings.ReplaceAll(disabledEvent(began), issuerName, "https://x.example"))), status: 400, error: "invalid_issuer"},
		{name: "an ID token", call: push(bare(idToken)), status: 400, error: "invalid_request"},
		{name: "too large", call: push(strings.Repeat("x", 20_000)), status: 413, error: "invalid_request", idle: true},
		{name: "a coded body", call: call{endpoint: "events", header: map[string][]string{"Content-Encoding": {"gzip"}}, body: "x"}, status: 415, error: "invalid_request", idle: true},
		{name: "GET", call: call{endpoint: "events", method: http.MethodGet}, status: 405, error: "invalid_request", idle: true},
	})
}

// A store that is down, or keys that cannot be fetched, are a 503, and nothing is
// acknowledged.
func TestEventsInAnOutage(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		w.tokens.Break(storetest.Before)
		a := w.expect(t, by, step{call: push(bare(disabledEvent(began))), status: 503, error: "temporarily_unavailable"})
		if a.header.Get("Retry-After") == "" || a.line["outcome"] != "failed" || a.header.Get("Content-Language") != "en" {
			t.Errorf("%v, %v", a.header, a.line)
		}
		w.tokens.Repair()
		w.assertions.Err = oauth.Unavailable("fetch keys", context.DeadlineExceeded)
		w.expect(t, by, step{call: push(bare(disabledEvent(began))), status: 503, error: "temporarily_unavailable"})
		w.assertions.Err = errors.New("a fault of the registration")
		w.expect(t, by, step{call: push(bare(disabledEvent(began))), status: 500, error: "server_error"})
	})
}

// FuzzEvents: whatever is sent, nothing but an event of the registered issuer is
// acknowledged, and nobody gets a 5xx.
func FuzzEvents(f *testing.F) {
	for _, body := range []string{"", "x", "{}", " {}", bare(disabledEvent(began)), wrapped(disabledEvent(began)), bare(idToken), `{"payload":"{\"events\":\"\"}"}`,
		bare(`{"iss":"` + issuerName + `","events":"{\"type\":\"consent-revoked\",\"sub\":\"a\"}"}`), bare(`{"iss":"` + issuerName + `","events":{"x":1}}`)} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w := newWorld(t)
		a := w.send(t, transports[0], push(body))
		if a.status >= 500 || a.status < 300 && !strings.Contains(body, "events") {
			t.Errorf("%q: status %d, %s", body, a.status, a.body)
		}
	})
}
