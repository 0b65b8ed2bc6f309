package wire_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/wire"
)

// metrics is the member that makes CloudWatch count, as its specification of the
// embedded metric format writes it.
func metrics(names ...string) map[string]any {
	var list []any
	for _, name := range names {
		list = append(list, map[string]any{"Name": name, "Unit": "Count"})
	}
	return map[string]any{
		"Timestamp": 1_700_000_000_000.0,
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace":  "fob",
			"Dimensions": []any{[]any{"function"}},
			"Metrics":    list,
		}},
	}
}

// atBegan puts began in the place of the metrics' time, which must be now.
func atBegan(t *testing.T, line map[string]any) {
	t.Helper()
	metrics, moved := line["_aws"].(map[string]any)
	if !moved {
		return
	}
	ms, _ := metrics["Timestamp"].(float64)
	if age := time.Since(time.UnixMilli(int64(ms))); age < 0 || age > time.Hour {
		t.Errorf("the metrics are %v old", age)
	}
	metrics["Timestamp"] = began * 1000.0
}

func TestEventLine(t *testing.T) {
	w, by := newWorld(t), transports[1]
	want := func(a answer, want map[string]any) {
		t.Helper()
		if at, err := time.Parse(time.RFC3339Nano, a.line["time"].(string)); err != nil || at.IsZero() {
			t.Errorf("time %v", a.line["time"])
		}
		delete(a.line, "time")
		if took, isNumber := a.line["duration_ms"].(float64); !isNumber || took < 0 {
			t.Errorf("duration_ms %v", a.line["duration_ms"])
		}
		delete(a.line, "duration_ms")
		if diff := cmp.Diff(a.line, want); diff != "" {
			t.Errorf("got -, want +:\n%s", diff)
		}
	}

	issued := w.login(t, by, asShop, "device_ipad")
	locator, _ := issued.line["locator"].(string)
	if len(locator) != 17 || strings.Contains(issued.text("access_token"), locator) {
		t.Errorf("locator %q", locator)
	}
	name, _ := issued.line["name"].(string)
	// asShop uses the older of the client's two secrets.
	want(issued, map[string]any{
		"level": "INFO", "msg": "request", "function": "token", "endpoint": "token",
		"client": "shop", "older_secret": true, "grant": "password", "name": name, "outcome": "issued", "status": 200.0, "locator": locator,
		"store_calls": 7.0, "read_units": 0.0, "write_units": 0.0, "source": "192.0.2.1", "gateway_request_id": "gateway-request-1",
		"issued": 1.0, "_aws": metrics("issued"),
	})
	want(w.login(t, by, asShop, "device_ipad"), map[string]any{
		"level": "INFO", "msg": "request", "function": "token", "endpoint": "token",
		"client": "shop", "older_secret": true, "grant": "password", "name": name, "outcome": "returned", "status": 200.0, "locator": locator,
		"store_calls": 2.0, "read_units": 0.0, "write_units": 0.0, "source": "192.0.2.1", "gateway_request_id": "gateway-request-1",
		"returned": 1.0, "_aws": metrics("returned"),
	})
	want(w.send(t, by, asShop("introspect", "token", issued.text("access_token"))), map[string]any{
		"level": "INFO", "msg": "request", "function": "introspect", "endpoint": "introspect",
		"client": "shop", "older_secret": true, "outcome": "active", "status": 200.0, "locator": locator,
		"store_calls": 1.0, "read_units": 0.0, "write_units": 0.0, "source": "192.0.2.1", "gateway_request_id": "gateway-request-1",
	})
	want(w.send(t, by, call{endpoint: "revoke", header: basic("nobody", "CANARY"), body: form("token", "CANARY")}), map[string]any{
		"level": "INFO", "msg": "request", "function": "revoke", "endpoint": "revoke",
		"outcome": "denied", "code": "invalid_client", "status": 401.0,
		"store_calls": 1.0, "read_units": 0.0, "write_units": 0.0, "source": "192.0.2.1", "gateway_request_id": "gateway-request-1",
		"denied": 1.0, "_aws": metrics("denied"),
	})
	want(w.send(t, by, call{endpoint: "revoke", header: basic("shop", "CANARY"), body: form("token", "CANARY")}), map[string]any{
		"level": "INFO", "msg": "request", "function": "revoke", "endpoint": "revoke",
		"client_claimed": "shop", "outcome": "denied", "code": "invalid_client", "status": 401.0,
		"store_calls": 0.0, "read_units": 0.0, "write_units": 0.0, "source": "192.0.2.1", "gateway_request_id": "gateway-request-1",
		"denied": 1.0, "_aws": metrics("denied"),
	})
	w.tokens.Intercept(func(context.Context) error { return oauth.Unavailable("end an authorization", errors.New("reset")) })
	failed := w.send(t, by, asShop("revoke", "token", issued.text("access_token")))
	want(failed, map[string]any{
		"level": "ERROR", "msg": "request", "function": "revoke", "endpoint": "revoke",
		"client": "shop", "older_secret": true, "outcome": "failed", "code": "temporarily_unavailable", "status": 503.0, "locator": locator,
		"store_calls": 0.0, "read_units": 0.0, "write_units": 0.0, "source": "192.0.2.1", "gateway_request_id": "gateway-request-1",
		"error":  "end an authorization: temporarily unavailable: reset",
		"failed": 1.0, "_aws": metrics("failed"),
	})
}

// The answer says which scope was refused, by its number, and the log why. The text that was sent
// is repeated in neither.
func TestRefusedScopeIsNumbered(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		for _, as := range []func(string, ...string) call{asShop, asApp} {
			c := as("token", "grant_type", "password", "username", username, "password", password, "scope", "read CANARY")
			a := w.expect(t, by, step{call: c, status: 400, error: "invalid_scope"})
			if a.text("error_description") != "scope number 2 is unknown or not allowed for this client or user" {
				t.Error(a.body)
			}
			if a.line["reason"] != "scope_unknown" || a.line["scope"] != "number 2" || a.line["outcome"] != "denied" {
				t.Errorf("line %v", a.line)
			}
		}
	})
}

// An operator can see in the lines of a flood which names and clients were tried, and
// nobody can try names on the lines without the keys.
func TestFloodCanBeLookedInto(t *testing.T) {
	w, by := newWorld(t), transports[1]
	try := func(name, password string) map[string]any {
		t.Helper()
		return w.send(t, by, asApp("token", "grant_type", "password", "username", name, "password", password)).line
	}
	right := try(username, password)
	wrong, unknown := try(username, "CANARY"), try("CANARY-nobody", "CANARY")
	for range 11 {
		try(username, "CANARY")
	}
	delayed := try(username, "CANARY")
	ada, _ := right["name"].(string)
	for what, line := range map[string]map[string]any{"wrong": wrong, "delayed": delayed} {
		if line["name"] != ada || line["code"] != "invalid_grant" {
			t.Errorf("%s: %v, want name %s", what, line, ada)
		}
	}
	if unknown["name"] == ada || unknown["name"] == nil {
		t.Errorf("another name: %v", unknown)
	}
	for _, sum := range [][]byte{hashOf(sha256.New(), username), hashOf(hmac.New(sha256.New, nil), username)} {
		if ada == hex.EncodeToString(sum[:8]) || len(ada) != 16 {
			t.Errorf("name %q can be computed without a key", ada)
		}
	}
	w.issuer.Keys = oauthtest.Keys[*bearer.MintRing]{Always: oauthtest.Ring(t, "other")}
	if line := try(username, password); line["name"] == ada || line["name"] == nil {
		t.Errorf("the key does not matter to name %v", line["name"])
	}

	// Only a registered id is shown: any other may be a secret in the wrong place.
	for _, id := range []string{"shop", "app", "disabled", "CANARY", strings.Repeat("CANARY", 30), "CANARY\n"} {
		line := w.send(t, by, call{endpoint: "token", header: basic(id, "CANARY"), body: form("grant_type", "client_credentials")}).line
		want := any(id)
		if strings.Contains(id, "CANARY") {
			want = nil
		}
		if line["client_claimed"] != want || line["client"] != nil || line["code"] != "invalid_client" {
			t.Errorf("%.8q: %v", id, line)
		}
	}
}

func hashOf(h hash.Hash, text string) []byte {
	h.Write([]byte(text))
	return h.Sum(nil)
}

// A35 as the operator sees it: the counter that the alarm watches.
func TestEventCountsRacesAndEdits(t *testing.T) {
	w, by := newWorld(t), transports[1]
	token := w.login(t, by, asShop, "device_ipad").text("access_token")
	w.verifier.Tokens = edited{w.subjects}
	a := w.send(t, by, asShop("introspect", "token", token))
	if a.body != inactive || a.line["level"] != "WARN" || a.line["tampered"] != 1.0 {
		t.Errorf("%s, line %v", a.body, a.line)
	}
	if diff := cmp.Diff(a.line["_aws"], any(metrics("tampered"))); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}

	w = newWorld(t)
	w.issuer.Tokens = &losing{Tokens: w.subjects}
	a = w.send(t, by, asShop("token", "grant_type", "client_credentials"))
	if a.status != 200 || a.line["raced"] != 1.0 || a.line["returned"] != 1.0 {
		t.Errorf("%s, line %v", a.body, a.line)
	}
	if diff := cmp.Diff(a.line["_aws"], any(metrics("raced", "returned"))); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

// The cap ends logins without a word to their users. An operator who looks for the reason
// finds it here.
func TestEventCountsEvictions(t *testing.T) {
	w, by := newWorld(t), transports[1]
	for n := range oauth.DefaultMaxAuthorizations {
		if a := w.login(t, by, asApp, fmt.Sprintf("device_%d", n)); a.line["evicted"] != nil {
			t.Fatalf("line %v", a.line)
		}
		w.now.Add(1)
	}
	a := w.login(t, by, asApp, "device_another")
	if a.line["evicted"] != 1.0 || a.line["issued"] != 1.0 {
		t.Errorf("line %v", a.line)
	}
	if diff := cmp.Diff(a.line["_aws"], any(metrics("evicted", "issued"))); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

// edited is a table in which somebody gave the item another scope.
type edited struct{ oauth.Tokens }

func (s edited) Read(ctx context.Context, loc bearer.Locator) (oauth.Reading, error) {
	reading, err := s.Tokens.Read(ctx, loc)
	reading.Record.Authorization.Scope = scope.Set{}
	return reading, err
}

// losing is a table in which the first Save meets a record that is gone again.
type losing struct {
	oauth.Tokens
	lost bool
}

func (s *losing) Save(ctx context.Context, r ledger.Record, seen ledger.Nonce) (ledger.Record, bool, error) {
	if !s.lost {
		s.lost = true
		r.Nonce[0] ^= 1 // another's write of the same token
		return s.Tokens.Save(ctx, r, seen)
	}
	return s.Tokens.Save(ctx, r, seen)
}

// slowBody takes a while to read.
type slowBody struct{ takes time.Duration }

func (b slowBody) Read([]byte) (int, error) {
	time.Sleep(b.takes)
	return 0, io.EOF
}

func TestEventOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := wire.Token(&oauth.Issuer{}, wire.Options{Function: "FobTokenFunction", Log: slog.New(slog.NewJSONHandler(&log, nil))})
		r := httptest.NewRequest("POST", "/", slowBody{1500 * time.Microsecond})
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "Basic")
		h.ServeHTTP(httptest.NewRecorder(), r)
		line := map[string]any{}
		must(t, json.Unmarshal(log.Bytes(), &line))
		if line["function"] != "FobTokenFunction" || line["duration_ms"] != 1.5 || line["request_id"] != nil {
			t.Errorf("line %v", line)
		}
	})

	rec := httptest.NewRecorder()
	wire.Token(&oauth.Issuer{}, wire.Options{}).ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	if rec.Code != 405 {
		t.Errorf("without options: status %d", rec.Code)
	}
}

// Away from CloudWatch a line has its counters alone.
func TestLineWithoutMetrics(t *testing.T) {
	var log bytes.Buffer
	o := wire.Options{Function: "fn", Log: slog.New(slog.NewJSONHandler(&log, nil)), NoMetrics: true}
	o.LogFailure(t.Context(), "start", errors.New("no key"))
	if text := log.String(); strings.Contains(text, "_aws") || !strings.Contains(text, `"failed":1`) {
		t.Errorf("%s", text)
	}
}

// A failure outside any request is counted like a request that failed.
func TestLogFailure(t *testing.T) {
	var log bytes.Buffer
	o := wire.Options{Function: "fn", Log: slog.New(slog.NewJSONHandler(&log, nil))}
	o.LogFailure(t.Context(), "start", errors.New("no key"), slog.String("request_id", "1"))
	line := map[string]any{}
	must(t, json.Unmarshal(log.Bytes(), &line))
	delete(line, "time")
	atBegan(t, line)
	if diff := cmp.Diff(line, map[string]any{
		"level": "ERROR", "msg": "start", "function": "fn", "error": "no key", "request_id": "1", "failed": 1.0, "_aws": metrics("failed"),
	}); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	// A metric without its dimension would vanish with the line's other members.
	log.Reset()
	o.Function = ""
	o.LogFailure(t.Context(), "start", errors.New("no key"))
	if strings.Contains(log.String(), "_aws") || !strings.Contains(log.String(), "no key") {
		t.Errorf("%s", &log)
	}
	wire.Options{}.LogFailure(t.Context(), "start", errors.New("no key"))
}

// TestLeaksFindsWhatIsPlanted shows that the search of world.check is not a search
// for nothing.
func TestLeaksFindsWhatIsPlanted(t *testing.T) {
	w := newWorld(t)
	by := transports[0]
	token := w.login(t, by, asShop, "device_ipad").text("access_token")
	for _, line := range []string{
		"token " + token,
		"password " + password,
		"body " + form("password", password),
		"header " + basic("shop", shopSecret)["Authorization"][0],
		"header " + rawBasic("CANARY:x")["Authorization"][0],
		"name " + username,
		"form " + form("username", username),
	} {
		if leaks(line) == "" {
			t.Errorf("not found in %q", line)
		}
	}
	if found := leaks("an honest line"); found != "" {
		t.Errorf("found %q in an honest line", found)
	}
}
