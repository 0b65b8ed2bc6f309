package wire_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/wire"
)

// The documents of /me and /devices (RFC 9728), at the root and below a stage.
func TestResourceMetadata(t *testing.T) {
	const me = `{"resource":"https://id.example/me","authorization_servers":["https://id.example"],"bearer_methods_supported":["header"]}`
	const devices = `{"resource":"https://id.example/devices","authorization_servers":["https://id.example"],"scopes_supported":["devices"],"bearer_methods_supported":["header"]}`
	for path, want := range map[string]string{
		wire.MeMetadataPath:                me,
		"/prod" + wire.MeMetadataPath:      me,
		wire.DevicesMetadataPath:           devices,
		"/prod" + wire.DevicesMetadataPath: devices,
	} {
		ask := func(method string) *httptest.ResponseRecorder {
			rec := httptest.NewRecorder()
			wire.Metadata(oauth.GrantTypes(), wire.Options{Issuer: "https://id.example"}).ServeHTTP(rec, httptest.NewRequest(method, path, nil))
			return rec
		}
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			if rec := ask(method); rec.Code != http.StatusOK || rec.Header().Get("Cache-Control") != "public, max-age=3600" {
				t.Errorf("%s %s: %d, %v", method, path, rec.Code, rec.Header())
			}
		}
		if got := ask(http.MethodGet).Body.String(); got != want {
			t.Errorf("%s is\n%s, want\n%s", path, got, want)
		}
		if rec := ask(http.MethodPost); rec.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", path, rec.Code)
		}
	}
}

// RFC 9728 §5.1: a 401 names the document where the issuer is configured, and only there.
func TestChallengeNamesTheDocument(t *testing.T) {
	w := newWorld(t)
	for issuer, suffix := range map[string]string{
		"":                    "",
		"https://id.example":  `, resource_metadata="https://id.example/.well-known/oauth-protected-resource/me"`,
		"https://id.example/": `, resource_metadata="https://id.example/.well-known/oauth-protected-resource/me"`,
	} {
		for _, c := range []struct{ query, token, want string }{
			{"", "", `Bearer realm="fob"` + suffix},
			{"", "Bearer x", tokenChallenge + suffix},
			{"?access_token=x", "", requestChallenge}, // a 400
		} {
			r := httptest.NewRequest(http.MethodGet, wire.MePath+c.query, nil)
			if c.token != "" {
				r.Header.Set("Authorization", c.token)
			}
			rec := httptest.NewRecorder()
			wire.Me(w.verifier, wire.Options{Issuer: issuer}).ServeHTTP(rec, r)
			if got := rec.Header().Get("WWW-Authenticate"); got != c.want {
				t.Errorf("issuer %q, %+v: %d, challenge %s", issuer, c, rec.Code, got)
			}
		}
	}
}
