package laptop_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/wire"
)

// eventRows are the answers to events of an issuer that is registered for them.
func (w *world) eventRows(t *testing.T) []row {
	t.Helper()
	const issuer = "events-issuer"
	key := assertiontest.NewKey(t, "EdDSA")
	_, err := w.issuers.SaveIssuer(t.Context(), oauth.TrustedIssuer{Events: true, Signer: oauth.Signer{
		Name: issuer, Audiences: []string{"app"}, Algorithms: []string{"EdDSA"}, JWKS: assertiontest.JWKS(t, key),
	}})
	if err != nil {
		t.Fatal(err)
	}
	push := func(key assertiontest.Key, iss, aud string) request {
		return request{method: http.MethodPost, path: wire.EventsPath, form: key.Sign(t, nil, assertiontest.Members{
			"iss": iss, "aud": aud, "sub": "1", "jti": "1", "iat": time.Now().Unix(),
			"events": assertiontest.Members{"https://schemas.openid.net/secevent/risc/event-type/account-disabled": assertiontest.Members{}},
		})}
	}
	forger := assertiontest.NewKey(t, "EdDSA")
	forger.ID = key.ID
	good, apple := push(key, issuer, "app"), push(key, issuer, "app")
	wrapped, err := json.Marshal(map[string]string{"payload": apple.form})
	if err != nil {
		t.Fatal(err)
	}
	apple.form = string(wrapped)
	with := func(form string) request {
		r := good
		r.form = form
		return r
	}
	return []row{
		{request: good, status: 500, code: oauth.ServerError, broken: errDefect},
		{request: good, status: 503, code: oauth.TemporarilyUnavailable, broken: oauth.Unavailable("read", errDefect)},
		{request: good, status: 202},
		{request: apple, status: 200},
		{request: with("x"), status: 400, code: oauth.InvalidRequest},
		{request: push(key, "elsewhere", "app"), status: 400, code: oauth.InvalidIssuer},
		{request: push(key, issuer, "elsewhere"), status: 400, code: oauth.InvalidAudience},
		{request: push(forger, issuer, "app"), status: 400, code: oauth.InvalidKey},
		{request: with(strings.Repeat("x", 20_000)), status: 413, code: oauth.InvalidRequest},
		{request: good.with("Content-Encoding", "gzip"), status: 415, code: oauth.InvalidRequest},
	}
}
