package wire_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/wire"
)

// signs gives the world a pair, and JWTs to the client shop.
func (w *world) signs(t *testing.T) {
	t.Helper()
	ring := oauthtest.SigningRing(t, "")
	w.issuer.Keys, w.verifier.Keys = oauthtest.Keys[*bearer.MintRing]{Always: ring}, oauthtest.Keys[*bearer.CheckRing]{Always: ring.CheckRing}
	shop, _, err := w.registry.Client(t.Context(), "shop")
	must(t, err)
	shop.TokenFormat = ledger.JWT
	_, err = w.registry.SaveClient(t.Context(), shop)
	must(t, err)
	w.named("https://id.example") // each request comes to another port otherwise
}

// named gives the service a name.
func (w *world) named(issuer string) {
	w.options.Issuer = issuer
	w.handlers["token"], w.handlers["introspect"] = wire.Token(w.issuer, w.options), wire.Introspect(w.verifier, w.options)
	w.handlers["metadata"] = wire.Metadata(oauth.GrantTypes(), w.options)
}

// A JWT is an access token at each endpoint, as an opaque one is, and says what the
// metadata and the answers around it say.
func TestJWTAtEachEndpoint(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		w.signs(t)
		login := w.login(t, by, asShop, "read devices device_ipad")
		access := login.text("access_token")
		if again := w.login(t, by, asShop, "read devices device_ipad").text("access_token"); again != access || strings.Count(access, ".") != 2 {
			t.Fatalf("the second JWT is another one: %s, %s", access, again)
		}
		body := w.expect(t, by, step{call: call{endpoint: "introspect", header: basic("resource", resourceSecret), body: form("token", access)}, status: 200})
		issuer := read(t, w.expect(t, by, step{call: metadata("GET"), status: 200})).Issuer
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(access, ".")[1])
		must(t, err)
		var said, introspected map[string]any
		must(t, json.Unmarshal(payload, &said))
		must(t, json.Unmarshal([]byte(body.body), &introspected))
		for _, name := range []string{"iss", "sub", "client_id", "scope", "iat", "exp", "jti"} {
			if said[name] != introspected[name] || said[name] == nil {
				t.Errorf("%s is %v in the JWT and %v in introspection", name, said[name], introspected[name])
			}
		}
		if said["iss"] != issuer {
			t.Errorf("iss is %v, and the metadata say %s", said["iss"], issuer)
		}
		w.expect(t, by, step{call: call{endpoint: "me", method: "GET", header: authorization("Bearer " + access)}, status: 200})
		w.expect(t, by, step{call: call{endpoint: "devices", method: "GET", path: "/devices", header: authorization("Bearer " + access)}, status: 200})
		w.expect(t, by, step{call: asShop("revoke", "token", access), status: 200})
		w.expect(t, by, step{call: call{endpoint: "me", method: "GET", header: authorization("Bearer " + access)}, status: 401, error: "invalid_token"})
	})
}

type down struct{ oauth.Keys[*bearer.CheckRing] }

func (down) Ring(context.Context) (*bearer.CheckRing, error) {
	return nil, oauth.Unavailable("fetch a ring", context.DeadlineExceeded)
}

func TestKeySet(t *testing.T) {
	signing := oauthtest.SigningRing(t, "")
	verifier := func(ring *bearer.MintRing) *oauth.Verifier {
		return &oauth.Verifier{Keys: oauthtest.Keys[*bearer.CheckRing]{Always: ring.CheckRing}, Now: time.Now}
	}
	ask := func(v *oauth.Verifier, method, path string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		wire.IntrospectAndKeySet(v, wire.Options{}).ServeHTTP(rec, httptest.NewRequest(method, path, nil))
		return rec
	}
	if rec := ask(verifier(oauthtest.Ring(t, "")), http.MethodGet, wire.KeySetPath); rec.Code != 200 || rec.Body.String() != `{"keys":[]}` || rec.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("without pairs: %d %s, kept by %q", rec.Code, rec.Body, rec.Header().Get("Cache-Control"))
	}
	for _, path := range []string{wire.KeySetPath, "/prod" + wire.KeySetPath} {
		rec := ask(verifier(signing), http.MethodGet, path)
		var set struct{ Keys []bearer.JWK }
		must(t, json.Unmarshal(rec.Body.Bytes(), &set))
		if len(set.Keys) != 1 || set.Keys[0] != signing.JWKS(0)[0] || set.Keys[0].Exponent != "AQAB" || rec.Header().Get("Cache-Control") != "public, max-age=300" {
			t.Errorf("%s: %s, kept by %q", path, rec.Body, rec.Header().Get("Cache-Control"))
		}
	}
	if rec := ask(verifier(signing), http.MethodPost, wire.KeySetPath); rec.Code != 405 {
		t.Errorf("POST: %d %s", rec.Code, rec.Body)
	}
	if rec := ask(verifier(signing), http.MethodPost, wire.IntrospectPath); rec.Code != 400 && rec.Code != 401 {
		t.Errorf("introspection: %d %s", rec.Code, rec.Body)
	}
	if rec := ask(&oauth.Verifier{Keys: down{}}, http.MethodGet, wire.KeySetPath); rec.Code != 503 || rec.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("without a ring: %d %s, kept by %q", rec.Code, rec.Body, rec.Header().Get("Cache-Control"))
	}
}

// Libraries for OpenID try their own document first, and give up where it lacks a member
// that OpenID Connect Discovery §3 requires of all providers.
func TestOpenIDMetadata(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		for path, want := range map[string]bool{wire.OpenIDMetadataPath: true, wire.MetadataPath: false} {
			c := metadata("GET")
			c.path = path
			r := w.expect(t, by, step{call: c, status: 200})
			var document struct {
				KeySet string   `json:"jwks_uri"`
				Types  []string `json:"subject_types_supported"`
			}
			must(t, json.Unmarshal([]byte(r.body), &document))
			if document.KeySet == "" || (len(document.Types) == 1 && document.Types[0] == "public") != want {
				t.Errorf("%s: %+v", path, document)
			}
		}
	})
}

// After the service got another name, a JWT with the old one serves until it expires, and says
// so. It is not refreshed: the app logs in, and gets the new name.
func TestServiceGetsAnotherName(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		w.signs(t)
		before := w.login(t, by, asShop, "read devices device_ipad")
		old := w.options.Issuer
		w.named("https://login.example")

		refresh := asShop("token", "grant_type", "refresh_token", "refresh_token", before.text("refresh_token"))
		w.expect(t, by, step{call: refresh, status: 400, error: "invalid_grant"})
		asked := w.expect(t, by, step{call: call{endpoint: "introspect", header: basic("resource", resourceSecret), body: form("token", before.text("access_token"))}, status: 200})
		if asked.json("active") != true || asked.json("iss") != old {
			t.Errorf("introspection of the JWT from before: %s", asked.body)
		}
		asked = w.expect(t, by, step{call: asShop("introspect", "token", before.text("refresh_token")), status: 200})
		if asked.json("active") != true || asked.json("iss") != old {
			t.Errorf("introspection of its refresh token: %s", asked.body)
		}
		if j := w.judge(t, w.authorizer(wire.Policy{}), "GET /orders", "Bearer "+before.text("access_token")); j.Status != 200 {
			t.Errorf("the authorizer: %+v", j)
		}
		for _, token := range []string{before.text("access_token"), before.text("refresh_token")} {
			w.expect(t, by, step{call: call{endpoint: "devices", method: "GET", path: "/devices", header: authorization("Bearer " + token)}, status: 200})
		}

		after := w.login(t, by, asShop, "read devices device_ipad")
		asked = w.expect(t, by, step{call: call{endpoint: "introspect", header: basic("resource", resourceSecret), body: form("token", after.text("access_token"))}, status: 200})
		if asked.json("iss") != "https://login.example" {
			t.Errorf("introspection of the next JWT: %s", asked.body)
		}
		w.now.Add(oauth.DefaultJWTLifetime)
		w.expect(t, by, step{call: refresh, status: 400, error: "invalid_grant"})
		w.expect(t, by, step{call: asShop("revoke", "token", before.text("refresh_token")), status: 200})
		w.expect(t, by, step{call: asShop("token", "grant_type", "refresh_token", "refresh_token", after.text("refresh_token")), status: 200})
	})
}
