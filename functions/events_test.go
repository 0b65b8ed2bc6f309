package functions_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
)

// An event that one program takes ends the tokens that another one issued, and a third
// says so.
func TestEventsAcrossFunctions(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	key := s.addSigners(t)
	token, introspect, receiver := s.run(t, "token"), s.run(t, "introspect"), s.run(t, "events")
	e := readSample(t, filepath.Join("token", "events", "token-exchange.json"))
	_, body := bodyOf(t, e)
	e.Body, e.IsBase64Encoded = s.signed(t, key, body), false
	exchange := encode(t, e)
	login := token.send(t, exchange)
	if got := introspect.introspectToken(t, login.text(t, "access_token")).members(t); got["active"] != true {
		t.Fatalf("after the login: %v", got)
	}

	event := key.Sign(t, nil, assertiontest.Members{
		"iss": demoIssuer, "aud": demoApp, "jti": "1", "iat": time.Now().Unix(),
		"events": `{"type":"consent-revoked","sub":"1"}`,
	})
	s.know("event", event)
	apple := readSample(t, filepath.Join("events", "events", "apple.json"))
	apple.Body = fmt.Sprintf(`{"payload":%q}`, event)
	a := receiver.send(t, encode(t, apple))
	if a.status != http.StatusOK || a.body != "" || a.line.text("outcome") != "signed_out" || a.line.text("event") != "consent-revoked" {
		t.Errorf("the event: status %d, %v", a.status, a.line)
	}
	if got := introspect.introspectToken(t, login.text(t, "access_token")); got.body != `{"active":false}` || got.line.text("reason") != "epoch" {
		t.Errorf("after the event: %s, %v", got.body, got.line)
	}
	if a := token.send(t, exchange); a.status != http.StatusBadRequest || a.line.text("reason") != "epoch" {
		t.Errorf("the ID token from before the event: status %d, %v", a.status, a.line)
	}
}
