package wire_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/wire"
)

// The metadata document (RFC 8414): N70 to N72 of docs/cases.md.

func metadata(method string) call { return call{endpoint: "metadata", method: method} }

// document is what a client reads of it.
type document struct {
	Issuer        string   `json:"issuer"`
	Token         string   `json:"token_endpoint"`
	TokenAuth     []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgs []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	Grants        []string `json:"grant_types_supported"`
	Revoke        string   `json:"revocation_endpoint"`
	RevokeAuth    []string `json:"revocation_endpoint_auth_methods_supported"`
	Introspect    string   `json:"introspection_endpoint"`
	IntrospectAut []string `json:"introspection_endpoint_auth_methods_supported"`
	KeySet        string   `json:"jwks_uri"`
}

// read reads it strictly: it has these members and no others.
func read(t *testing.T, a answer) (d document) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(a.body))
	decoder.DisallowUnknownFields()
	must(t, decoder.Decode(&d))
	return d
}

// N70
func TestMetadata(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		w.options.Issuer = "https://id.example/fob"
		w.handlers["metadata"] = wire.Metadata(oauth.GrantTypes(), w.options)
		a := w.expect(t, by, step{call: metadata("GET"), status: 200, idle: true})
		want := document{
			Issuer:        "https://id.example/fob",
			Token:         "https://id.example/fob/token",
			TokenAuth:     []string{"client_secret_basic", "client_secret_post", "none", "private_key_jwt"},
			TokenAuthAlgs: []string{"RS256", "ES256", "ES384", "EdDSA"},
			Grants:        []string{"password", "client_credentials", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
			Revoke:        "https://id.example/fob/revoke",
			RevokeAuth:    []string{"client_secret_basic", "client_secret_post", "none"},
			Introspect:    "https://id.example/fob/introspect",
			IntrospectAut: []string{"client_secret_basic", "client_secret_post"},
			KeySet:        "https://id.example/fob/.well-known/jwks.json",
		}
		if diff := cmp.Diff(read(t, a), want); diff != "" {
			t.Errorf("got -, want +:\n%s", diff)
		}
		if a.line["outcome"] != "described" || a.line["_aws"] != nil || a.line["endpoint"] != "metadata" {
			t.Errorf("line %v", a.line)
		}
		// Whatever else the client sends.
		c := metadata("GET")
		c.query, c.header = "access_token=CANARY", authorization("Bearer CANARY")
		if again := w.expect(t, by, step{call: c, status: 200}); again.body != a.body {
			t.Errorf("another document: %s", again.body)
		}
		head := w.expect(t, by, step{call: metadata("HEAD"), status: 200})
		if head.body != "" {
			t.Errorf("HEAD has a body: %s", head.body)
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "get"} {
			w.expect(t, by, step{name: method, call: metadata(method), status: 405, error: "invalid_request", and: func(t *testing.T, a answer) {
				if got := a.header.Get("Allow"); got != "GET, HEAD" {
					t.Errorf("Allow is %q", got)
				}
			}})
		}
	})
}

// N70: The issuer is what is configured, byte for byte, or the address that was called.
func TestMetadataIssuer(t *testing.T) {
	for _, c := range []struct{ configured, base, host, issuer, token string }{
		{"https://id.example", "https://api.example/prod", "x", "https://id.example", "https://id.example/token"},
		{"https://id.example/", "", "x", "https://id.example/", "https://id.example/token"},
		{"", "https://api.example/prod", "evil.example", "https://api.example/prod", "https://api.example/prod/token"},
		{"", "", "laptop:8080", "http://laptop:8080", "http://laptop:8080/token"},
	} {
		r := httptest.NewRequest(http.MethodGet, wire.MetadataPath, nil)
		r.Host = c.host
		rec := httptest.NewRecorder()
		r = r.WithContext(wire.WithGateway(t.Context(), wire.Gateway{BaseURL: c.base}))
		wire.Metadata(oauth.GrantTypes(), wire.Options{Issuer: c.configured}).ServeHTTP(rec, r)
		if d := read(t, answer{body: rec.Body.String()}); d.Issuer != c.issuer || d.Token != c.token {
			t.Errorf("%+v: %+v", c, d)
		}
	}
	r := httptest.NewRequest(http.MethodGet, wire.MetadataPath, nil)
	r.Host = ""
	rec := httptest.NewRecorder()
	wire.Metadata(oauth.GrantTypes(), wire.Options{}).ServeHTTP(rec, r)
	if rec.Code != 400 || rec.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("without any address: %d %s", rec.Code, rec.Body)
	}
}

// N71: Everything that the document names works as named, and what it does not name is
// refused.
func TestMetadataIsTrue(t *testing.T) {
	for _, withPassword := range []bool{true, false} {
		each(t, func(t *testing.T, w *world, by transport) {
			refreshToken := w.login(t, by, asShop, "device_ipad").text("refresh_token")
			appsToken := w.login(t, by, asApp, "device_ipad").text("refresh_token")
			asSigner := func(endpoint string, pairs ...string) call {
				return call{endpoint: endpoint, body: form(append(pairs, "client_assertion", signerAssertion, "client_assertion_type", clientAssertionType)...)}
			}
			signersToken := w.login(t, by, asSigner, "device_ipad").text("refresh_token")
			w.issuer.Grants = oauth.OfferedGrants(withPassword)
			w.handlers["metadata"] = wire.Metadata(oauth.OfferedGrants(withPassword), w.options)
			d := read(t, w.expect(t, by, step{call: metadata("GET"), status: 200}))
			endpoint := func(address string) string {
				path, ok := strings.CutPrefix(address, d.Issuer+"/")
				if !ok {
					t.Fatalf("%s is not below %s", address, d.Issuer)
				}
				return path
			}
			// The same client by each method; "none" is another client.
			authenticatedBy := func(method string) func(string, ...string) call {
				return map[string]func(string, ...string) call{
					"client_secret_basic": asShop,
					"client_secret_post": func(endpoint string, pairs ...string) call {
						return call{endpoint: endpoint, body: form(append(pairs, "client_id", "shop", "client_secret", shopSecret)...)}
					},
					"none": asApp,
					"client_secret_jwt": func(endpoint string, pairs ...string) call {
						return call{endpoint: endpoint, body: form(append(pairs, "client_id", "shop", "client_assertion", "CANARY", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")...)}
					},
					"private_key_jwt": asSigner,
					"tls_client_auth": func(endpoint string, pairs ...string) call {
						return call{endpoint: endpoint, body: form(append(pairs, "client_id", "shop")...)}
					},
				}[method]
			}
			methods := []string{"client_secret_basic", "client_secret_post", "none", "private_key_jwt", "client_secret_jwt", "tls_client_auth"}
			tokenOf := map[string]string{"none": appsToken, "private_key_jwt": signersToken}
			grants := map[string][]string{
				"password":           {"username", username, "password", password, "scope", "device_ipad"},
				"client_credentials": nil,
				"refresh_token":      nil,
				"authorization_code": {"code", "CANARY"},
				"urn:ietf:params:oauth:grant-type:device_code":    {"device_code", "CANARY"},
				"urn:ietf:params:oauth:grant-type:token-exchange": {"subject_token", idToken, "subject_token_type", "urn:ietf:params:oauth:token-type:id_token"},
				"urn:ietf:params:oauth:grant-type:jwt-bearer":     {"assertion", idToken},
				"implicit": nil,
			}
			for _, list := range [][]string{d.Grants, d.TokenAuth, d.RevokeAuth, d.IntrospectAut} {
				for _, name := range list {
					if _, known := grants[name]; !known && !slices.Contains(methods, name) {
						t.Errorf("the document names %s, which this test does not know", name)
					}
				}
			}
			for grant, pairs := range grants {
				for _, method := range methods {
					pairs := append([]string{"grant_type", grant}, pairs...)
					if grant == "refresh_token" {
						token, other := tokenOf[method]
						if !other {
							token = refreshToken
						}
						pairs = append(pairs, "refresh_token", token)
					}
					a := w.send(t, by, authenticatedBy(method)(endpoint(d.Token), pairs...))
					want, wantError := 200, ""
					switch {
					case !slices.Contains(d.Grants, grant):
						want, wantError = 400, "unsupported_grant_type"
					case !slices.Contains(d.TokenAuth, method):
						want, wantError = 401, "invalid_client"
					case method == "none" && grant == "client_credentials":
						want, wantError = 400, "unauthorized_client" // N26
					}
					if a.status != want || a.text("error") != wantError || (want == 200) != (a.text("access_token") != "") {
						t.Errorf("%s by %s: %d %s, want %d %s", grant, method, a.status, a.text("error"), want, wantError)
					}
				}
			}
			for address, supported := range map[string][]string{d.Introspect: d.IntrospectAut, d.Revoke: d.RevokeAuth} {
				for _, method := range methods {
					a := w.send(t, by, authenticatedBy(method)(endpoint(address), "token", "fob_at_garbage"))
					if want := map[bool]int{true: 200, false: 401}[slices.Contains(supported, method)]; a.status != want {
						t.Errorf("%s by %s: %d %s, want %d", address, method, a.status, a.body, want)
					}
				}
			}
		})
	}
}

// N72: no member is empty, and none claims what there is not.
func TestNoEmptyMembers(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		for _, grants := range [][]oauth.GrantType{oauth.OfferedGrants(true), oauth.OfferedGrants(false)} {
			w.handlers["metadata"] = wire.Metadata(grants, w.options)
			a := w.expect(t, by, step{call: metadata("GET"), status: 200})
			members := map[string]any{}
			must(t, json.Unmarshal([]byte(a.body), &members))
			for name, value := range members {
				if list, isList := value.([]any); value == nil || value == "" || isList && len(list) == 0 {
					t.Errorf("%s is empty", name)
				}
			}
			for _, name := range []string{"response_types_supported", "authorization_endpoint", "scopes_supported", "dpop_signing_alg_values_supported", "code_challenge_methods_supported"} {
				if _, has := members[name]; has {
					t.Errorf("there is %s", name)
				}
			}
			if got := strings.Contains(a.body, `"password"`); got != slices.Contains(grants, oauth.PasswordGrant) {
				t.Errorf("password is listed: %v", got)
			}
		}
	})
}
