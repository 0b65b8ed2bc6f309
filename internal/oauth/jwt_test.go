package oauth_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/scope"
)

// newJWTWorld is newWorld whose clients get JWTs.
func newJWTWorld(t testing.TB) *world {
	w := newWorld(t)
	w.name = "https://auth.example.com"
	w.ring.set(t, func(r *ring) { r.signing = true })
	w.ring.publish()
	for _, id := range []ledger.ClientID{"backend", "app"} {
		w.editClient(id, func(c *oauth.Client) { c.TokenFormat = ledger.JWT })
	}
	return w
}

// claimsOf are those of a JWT, which is not verified.
func claimsOf(t testing.TB, b bearer.Bearer) map[string]any {
	t.Helper()
	var claims map[string]any
	parts := strings.Split(b.Reveal(), ".")
	if len(parts) != 3 {
		t.Fatal("it is not a JWT")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		t.Fatalf("the payload of a JWT: %v", err)
	}
	return claims
}

// TestPromise for JWTs, which live ten minutes.
func TestPromiseOfJWTs(t *testing.T) {
	w := newJWTWorld(t)
	a := w.login("backend", "alice", "device_ipad")
	w.advance(100)
	again := w.login("backend", "alice", "device_ipad")
	if !same(a.AccessToken, again.AccessToken) || !same(a.RefreshToken, again.RefreshToken) || a.ExpiresIn != 600 || again.ExpiresIn != 500 {
		t.Errorf("asked again while A is active, and did not get A with the seconds that are left: %d and %d", a.ExpiresIn, again.ExpiresIn)
	}
	b := w.login("backend", "alice", "device_iphone")
	if same(a.AccessToken, b.AccessToken) || same(a.RefreshToken, b.RefreshToken) {
		t.Error("two devices share a token")
	}
	w.must(w.revoke("backend", a.AccessToken))
	w.wantActive("backend", a.AccessToken, false)
	w.wantActive("backend", a.RefreshToken, false)
	w.wantActive("backend", b.AccessToken, true)
	w.wantActive("backend", b.RefreshToken, true)
	next := w.login("backend", "alice", "device_ipad")
	if same(next.AccessToken, a.AccessToken) || same(next.RefreshToken, a.RefreshToken) {
		t.Error("after a revocation the old token came back")
	}
	w.wantActive("backend", next.AccessToken, true)
	w.must(w.tokens.Raise(t.Context(), w.userSubject("alice"), oauth.StateChange{}))
	w.wantActive("backend", next.AccessToken, false)
	w.wantActive("backend", b.AccessToken, false)
}

// The second JWT is the first to the byte at another instance, after the key's change to
// verify-only, and its refresh gets it too.
func TestSameJWTEverywhere(t *testing.T) {
	w := newJWTWorld(t)
	first := w.login("backend", "alice", "device_a")
	turned := newRing(t)
	turned.set(t, func(r *ring) { r.signing = true; r.states["1"], r.states["2"] = bearer.VerifyOnly, bearer.Active })
	turned.publish()
	other := w.instance(turned)
	other.name = w.name
	for what, again := range map[string]ledger.Answer{
		"this instance": w.login("backend", "alice", "device_a"), "another instance": other.login("backend", "alice", "device_a"),
	} {
		if again.AccessToken.Reveal() != first.AccessToken.Reveal() {
			t.Errorf("%s: the second JWT is not the first", what)
		}
	}
	refreshed, err := other.refresh("backend", first.RefreshToken)
	if err != nil || !same(refreshed.AccessToken, first.AccessToken) {
		t.Errorf("a refresh gave another JWT, or %v", err)
	}
	if got := other.login("backend", "alice", "device_b"); strings.Split(got.AccessToken.Reveal(), ".")[0] == strings.Split(first.AccessToken.Reveal(), ".")[0] {
		t.Error("a new JWT is under the key from before")
	}
	other.wantActive("backend", first.AccessToken, true)
}

// What introspection says of a JWT is what the JWT says.
func TestIntrospectedJWT(t *testing.T) {
	w := newJWTWorld(t)
	a := w.login("backend", "alice", "device_ipad")
	said := claimsOf(t, a.AccessToken)
	i := w.introspect("api", a.AccessToken)
	if !i.Active || i.Kind != bearer.Access || i.ID != said["jti"] || i.Issuer != said["iss"] || i.Subject.ID != said["sub"] ||
		i.Scope.String() != said["scope"] || string(i.ClientID) != said["client_id"] ||
		float64(i.IssuedAt) != said["iat"] || float64(i.Expiry) != said["exp"] || i.Audiences[0] != said["aud"].([]any)[0] {
		t.Errorf("introspection says %+v, and the JWT %v", i, said)
	}
	if said["iss"] != w.name || said["sub"] != w.user("alice").ID || said["username"] != nil {
		t.Errorf("claims %v", said)
	}
	if i := w.introspect("stranger", a.AccessToken); i.Active {
		t.Error("somebody else may know of it")
	}
	caller, err := w.verifier.Caller(w.context(), a.AccessToken, "backend")
	if err != nil || !caller.Active {
		t.Errorf("Caller: %+v, %v", caller, err)
	}
	own, err := w.token("backend", "grant_type", "client_credentials", "scope", "read")
	w.must(err)
	if said := claimsOf(t, own.AccessToken); said["sub"] != "backend" || said["client_id"] != "backend" {
		t.Errorf("a client's own JWT says %v", said)
	}
	w.advance(600)
	w.wantActive("backend", a.AccessToken, false)
}

// Another issuer is another token, and each format has its own tokens.
func TestJWTsOfTwoIssuers(t *testing.T) {
	w := newJWTWorld(t)
	a := w.login("backend", "alice", "device_a")
	w.name = "https://login.example.org"
	b := w.login("backend", "alice", "device_a")
	if same(a.AccessToken, b.AccessToken) || claimsOf(t, b.AccessToken)["iss"] != w.name {
		t.Error("a JWT names an issuer at which nobody asked")
	}
	w.wantActive("backend", a.AccessToken, true)
	w.name = ""
	_, err := w.token("backend", w.passwordForm("alice", "device_a")...)
	wantCode(t, err, oauth.InvalidRequest)

	w.name = "https://auth.example.com"
	w.editClient("backend", func(c *oauth.Client) { c.TokenFormat = "" })
	w.advance(11)
	opaque := w.login("backend", "alice", "device_a")
	if strings.Contains(opaque.AccessToken.Reveal(), ".") {
		t.Error("the client was set back to opaque tokens and gets a JWT")
	}
	w.wantActive("backend", a.AccessToken, true)
	w.wantActive("backend", opaque.AccessToken, true)
	if r, err := w.refresh("backend", a.RefreshToken); err != nil || !same(r.AccessToken, a.AccessToken) {
		t.Errorf("the refresh token of a JWT gives something else, or %v", err)
	}
}

// A refresh signs for no issuer but the one that the JWT names. It ends and changes nothing:
// under the old name the sign-in goes on.
func TestRefreshUnderAnotherIssuer(t *testing.T) {
	for _, id := range []ledger.ClientID{"app", "backend"} {
		w := newJWTWorld(t)
		old := w.name
		a := w.login(id, "alice", "device_a")
		w.wantActive("backend", a.AccessToken, id == "backend")
		for _, name := range []string{"https://login.example.org", ""} {
			w.name = name
			_, err := w.refresh(id, a.RefreshToken)
			wantCode(t, err, oauth.InvalidGrant)
			if w.event.Reason != oauth.ReasonIssuer || w.event.Tampered > 0 {
				t.Errorf("%s: a refresh under %q: reason %q, %d tampered", id, name, w.event.Reason, w.event.Tampered)
			}
		}
		w.name = "https://login.example.org"
		b := w.login(id, "alice", "device_a")
		if r, err := w.refresh(id, b.RefreshToken); err != nil || claimsOf(t, r.AccessToken)["iss"] != w.name {
			t.Errorf("%s: a refresh of the new sign-in: %v, or another issuer", id, err)
		}
		w.name = old
		r, err := w.refresh(id, a.RefreshToken)
		if err != nil || !same(r.AccessToken, a.AccessToken) {
			t.Fatalf("%s: back under the old name: %v, or another JWT", id, err)
		}
		// A copy that comes late is seen under any name.
		if id == "app" {
			w.advance(oauth.DefaultRefreshGrace + 1)
			w.name = "https://login.example.org"
			_, err = w.refresh(id, a.RefreshToken)
			wantCode(t, err, oauth.InvalidGrant)
			if w.event.Outcome != oauth.Replayed {
				t.Errorf("a replay: outcome %q", w.event.Outcome)
			}
		}
	}
}

// Without a pair nobody learns that a token is dead: it is not known.
func TestNoPairToSignWith(t *testing.T) {
	w := newJWTWorld(t)
	a := w.login("backend", "alice", "device_a")
	bare := w.instance(newRing(t)) // before the pair, and its source too
	bare.name = w.name
	if _, err := bare.token("backend", bare.passwordForm("alice", "device_a")...); !errors.Is(err, oauth.ErrUnavailable) {
		t.Errorf("a login: %v, want ErrUnavailable", err)
	}
	if _, err := bare.refresh("backend", a.RefreshToken); !errors.Is(err, oauth.ErrUnavailable) {
		t.Errorf("a refresh: %v, want ErrUnavailable", err)
	}
	w.must(w.tokens.Raise(t.Context(), w.userSubject("bob"), oauth.StateChange{Disabled: new(true)}))
	_, err := bare.token("backend", bare.passwordForm("bob", "device_a")...)
	wantCode(t, err, oauth.InvalidGrant)                 // which a pair would not change
	bare.ring.set(t, func(r *ring) { r.signing = true }) // which the instance has not read
	again := bare.login("backend", "alice", "device_a")
	if !same(again.AccessToken, a.AccessToken) {
		t.Error("an instance that was behind replaced a JWT")
	}
	fresh := w.instance(newRing(t)) // with nothing to read that says that it is behind
	fresh.name = w.name
	fresh.ring.set(t, func(r *ring) { r.signing = true })
	fresh.login("backend", "alice", "device_b")
	behind := w.instance(newRing(t))
	behind.ring.set(t, func(r *ring) { r.signing = true })
	behind.wantActive("backend", a.AccessToken, true)
	w.wantActive("backend", a.AccessToken, true)
}

// Somebody took the pair out by hand: a login proves its password once and a refresh nothing, and
// the ring is asked for as for an unknown key, which a cache does once a minute.
func TestWhatALoginWithoutAPairCosts(t *testing.T) {
	w := newJWTWorld(t)
	a := w.login("backend", "alice", "device_a")
	w.advance(oauth.DefaultJWTLifetime)
	w.ring.set(t, func(r *ring) { r.signing = false })
	w.ring.publish()
	for _, device := range []string{"device_a", "device_b"} {
		hashes, fetches, looks := w.hasher.Runs.Load(), w.ring.fetches, w.ring.looks
		if _, err := w.token("backend", w.passwordForm("alice", device)...); !errors.Is(err, oauth.ErrUnavailable) {
			t.Errorf("%s: a login: %v, want ErrUnavailable", device, err)
		}
		if _, err := w.refresh("backend", a.RefreshToken); !errors.Is(err, oauth.ErrUnavailable) {
			t.Errorf("a refresh: %v, want ErrUnavailable", err)
		}
		hashes, fetches, looks = w.hasher.Runs.Load()-hashes, w.ring.fetches-fetches, w.ring.looks-looks
		if hashes != 1 || fetches != 2 || looks != 2 {
			t.Errorf("%s: %d passwords were proved, want 1, and %d fetches of which %d are bounded, want 2 of 2", device, hashes, fetches, looks)
		}
	}
}

// A record keeps its format when the client's changes, and its tokens the lifetime of the
// format: somebody goes back because a JWT cannot be revoked at an API.
func TestLifetimeIsOfTheFormat(t *testing.T) {
	w := newJWTWorld(t)
	a := w.login("app", "alice", "device_a")
	w.editClient("app", func(c *oauth.Client) { c.TokenFormat = ledger.Opaque })
	w.advance(oauth.DefaultJWTLifetime + 1)
	r, err := w.refresh("app", a.RefreshToken)
	w.must(err)
	if c := claimsOf(t, r.AccessToken); r.ExpiresIn != oauth.DefaultJWTLifetime {
		t.Errorf("a JWT of a client that went back lives %d s: %v", r.ExpiresIn, c)
	}
	if next := w.login("app", "alice", "device_a"); next.ExpiresIn != oauth.DefaultAccessLifetime {
		t.Errorf("an opaque token of it lives %d s", next.ExpiresIn)
	}
}

// wrongHalf gives a ring whose active key has the private half of another pair.
type wrongHalf struct{ mintKeys }

func (k wrongHalf) Ring(context.Context) (*bearer.MintRing, error) {
	mint, check, err := k.get(true)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.states["2"] = bearer.Retired
	defer delete(k.states, "2")
	halves := k.halves(0)
	return bearer.ParseMintRing([]byte(strings.ReplaceAll(string(mint), halves["1"], halves["2"])), check)
}

func (k wrongHalf) Reload(ctx context.Context) (*bearer.MintRing, error) { return k.Ring(ctx) }

func (k wrongHalf) ReloadForUnknownKey(ctx context.Context) (*bearer.MintRing, error) {
	return k.Ring(ctx)
}

// A secret that was edited by hand ends nobody's sign-in.
func TestWrongPrivateHalf(t *testing.T) {
	w := newJWTWorld(t)
	a := w.login("app", "alice", "device_a")
	right := w.issuer.Keys
	w.issuer.Keys = wrongHalf{mintKeys{w.ring}}
	if _, err := w.token("app", w.passwordForm("alice", "device_b")...); !errors.Is(err, oauth.ErrUnavailable) || w.event.Tampered > 0 {
		t.Errorf("a login: %v, and %d tampered", err, w.event.Tampered)
	}
	w.advance(oauth.DefaultJWTLifetime + 1)
	if _, err := w.refresh("app", a.RefreshToken); !errors.Is(err, oauth.ErrUnavailable) || w.event.Tampered > 0 {
		t.Errorf("a refresh: %v, and %d tampered", err, w.event.Tampered)
	}
	w.issuer.Keys = right
	_, err := w.refresh("app", a.RefreshToken)
	w.must(err)
}

// Somebody puts another pair under the same key by hand: a JWT of the pair before is dead, the
// next answer is another one, and nobody's sign-in ends.
func TestAnotherPairUnderTheSameKey(t *testing.T) {
	w := newJWTWorld(t)
	a := w.login("backend", "alice", "device_a")
	w.ring.set(t, func(r *ring) { r.swapped = 1 })
	w.ring.publish()
	w.wantActive("backend", a.AccessToken, false)
	again := w.login("backend", "alice", "device_a")
	if same(a.AccessToken, again.AccessToken) || !same(a.RefreshToken, again.RefreshToken) || w.event.Tampered > 0 ||
		claimsOf(t, again.AccessToken)["jti"] != claimsOf(t, a.AccessToken)["jti"] {
		t.Errorf("a login under the new pair: %d tampered, or not the same token with another signature", w.event.Tampered)
	}
	w.wantActive("backend", again.AccessToken, true)
	if r, err := w.refresh("backend", a.RefreshToken); err != nil || !same(r.AccessToken, again.AccessToken) {
		t.Errorf("a refresh under the new pair: %v, or another JWT", err)
	}
}

func TestTokenFormatOfAClient(t *testing.T) {
	for format, want := range map[ledger.TokenFormat]bool{"": true, ledger.Opaque: true, ledger.JWT: true, "JWT": false, "saml": false} {
		c := oauth.Client{ID: "x", Public: true, TokenFormat: format, Grants: []oauth.GrantType{oauth.PasswordGrant}}
		if err := c.Validate(); (err == nil) != want {
			t.Errorf("format %q: %v", format, err)
		}
	}
	// The largest JWT of a client that can be saved can be signed.
	w := newJWTWorld(t)
	registered, err := w.clients.ResourceScopes(t.Context())
	w.must(err)
	var names []string
	for i := range 30 {
		names = append(names, fmt.Sprintf("%0128d", i))
		registered.Roles[names[i]] = nil
	}
	w.must(w.clients.SaveResourceScopes(t.Context(), registered))
	all, err := scope.Of(names...)
	w.must(err)
	c := oauth.Client{
		ID: "wide", Secrets: oauthtest.Hashes(oauthtest.Secret("wide")), TokenFormat: ledger.JWT, Grants: []oauth.GrantType{oauth.PasswordGrant},
		Scopes: all, DefaultScopes: all, Audiences: []string{strings.Repeat("a", 218)},
	}
	w.saveClient(c)
	w.login("wide", "alice", "device_"+strings.Repeat("d", 64))
	c.Audiences = []string{strings.Repeat("a", 219)}
	if err := c.Validate(); err == nil {
		t.Error("a client is saved whose JWTs are too long for a header")
	}
}
