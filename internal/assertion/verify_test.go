package assertion_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/oauth"
)

func TestVerify(t *testing.T) {
	for _, algorithm := range oauth.Algorithms() {
		for source, from := range map[string]func(*oauth.Signer, assertiontest.Key){
			"discovery": func(*oauth.Signer, assertiontest.Key) {},
			"address":   func(s *oauth.Signer, _ assertiontest.Key) { s.JWKSURL = s.Name + "/keys" },
			"inline": func(s *oauth.Signer, k assertiontest.Key) {
				s.Name, s.JWKS = "a client id", assertiontest.JWKS(t, k)
				s.Name = "client-id"
			},
		} {
			t.Run(algorithm+" "+source, func(t *testing.T) {
				w := newWorld(t)
				key := assertiontest.NewKey(t, algorithm)
				w.issuer.Publish(key)
				w.signer.Algorithms = []string{algorithm}
				from(&w.signer, key)
				got, err := w.verify(t, w.token(t, assertiontest.Members{"jti": "one", "email_verified": "true"}), oauth.Expectation{})
				want := oauth.Claims{
					Issuer: w.signer.Name, Subject: "001234.abc", Audiences: []string{app},
					IssuedAt: start, Expires: start + 600, ID: "one", EmailVerified: true,
				}
				if diff := cmp.Diff(want, got.WithAll(nil), cmp.AllowUnexported(oauth.Claims{})); err != nil || diff != "" {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
				discoveries, sets := w.issuer.Fetches()
				fetched := [2]int64{discoveries, sets}
				if want := map[string][2]int64{"discovery": {1, 1}, "address": {0, 1}, "inline": {0, 0}}[source]; fetched != want {
					t.Errorf("fetched %v, want %v", fetched, want)
				}
			})
		}
	}
}

func TestClaims(t *testing.T) {
	w := newWorld(t)
	got, err := w.verify(t, w.token(t, assertiontest.Members{
		"aud":  []string{app, "com.example.other"},
		"name": "Ann", "roles": []string{"admin", "staff"}, "none": []string{}, "mixed": []any{"a", 1}, "holes": []any{nil}, "number": 7, "email_verified": false,
	}), oauth.Expectation{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{app, "com.example.other"}, got.Audiences); diff != "" || got.EmailVerified {
		t.Errorf("audiences, verified %v:\n%s", got.EmailVerified, diff)
	}
	for name, want := range map[string]string{"name": "Ann", "roles": "-", "number": "-", "absent": "-"} {
		text, ok := got.Text(name)
		if !ok {
			text = "-"
		}
		if text != want {
			t.Errorf("%s is the text %q, want %q", name, text, want)
		}
	}
	for name, want := range map[string]string{"name": "Ann", "roles": "admin staff", "none": "", "mixed": "-", "holes": "-", "number": "-", "absent": "-"} {
		list, ok := got.Texts(name)
		text := strings.Join(list, " ")
		if !ok {
			text = "-"
		}
		if text != want {
			t.Errorf("%s are the texts %q, want %q", name, text, want)
		}
	}
	if string(got.JSON("number")) != "7" || got.JSON("absent") != nil {
		t.Errorf("number is %s, absent is %s", got.JSON("number"), got.JSON("absent"))
	}
	for _, verified := range []any{true, "true", false, "false", 1, "yes", nil} {
		got, err := w.verify(t, w.token(t, assertiontest.Members{"email_verified": verified}), oauth.Expectation{})
		if want := verified == true || verified == "true"; err != nil || got.EmailVerified != want {
			t.Errorf("email_verified %#v: %v, %v", verified, got.EmailVerified, err)
		}
	}
}

// An issuer that lost a letter of a name long ago shows U+FFFD in its place. Such a user
// can still log in.
func TestLettersThatWereLost(t *testing.T) {
	w := newWorld(t)
	raw, err := json.Marshal(w.claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	key := w.issuer.Key()
	header := fmt.Sprintf(`{"alg":%q,"kid":%q}`, key.Algorithm, key.ID)
	verify := func(member string) (oauth.Claims, error) {
		return w.verify(t, key.SignRaw(t, header, strings.TrimSuffix(string(raw), "}")+","+member+"}"), oauth.Expectation{})
	}
	for text, want := range map[string]string{
		"J\ufffdrg": "J\ufffdrg", `J\uFFFDrg`: "J\ufffdrg", `\ud83d\ude00`: "\U0001f600", `\\ud800`: `\ud800`,
	} {
		c, err := verify(`"name":"` + text + `"`)
		wantAccepted(t, text, err)
		if got, _ := c.Text("name"); got != want {
			t.Errorf("%s: %q", text, got)
		}
	}
	for _, text := range []string{`\ud83d`, `\ude00`, `\ude00\ud83d`, `\ud83d\ud83d\ude00`, `\ud83dx\ude00`, `\ud83d\n`, `\\\ud83d`, "\xed\xa0\xbd"} {
		_, err := verify(`"name":"` + text + `"`)
		wantRefused(t, text, err)
	}
}

// Times are judged with a minute of skew either way.
func TestTimes(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		what     string
		claims   assertiontest.Members
		accepted bool
	}{
		{"issued a minute ahead", assertiontest.Members{"iat": start + 60}, true},
		{"issued more than a minute ahead", assertiontest.Members{"iat": start + 61}, false},
		{"issued eleven minutes ago", assertiontest.Members{"iat": start - 660}, true},
		{"issued before that", assertiontest.Members{"iat": start - 661}, false},
		{"expired less than a minute ago", assertiontest.Members{"iat": start - 100, "exp": start - 59}, true},
		{"expired a minute ago", assertiontest.Members{"iat": start - 100, "exp": start - 60}, false},
		{"expires in a year", assertiontest.Members{"exp": start + 366*24*3600}, true},
		{"expires later", assertiontest.Members{"exp": start + 366*24*3600 + 1}, false},
		{"without iat, to expire in eleven minutes", assertiontest.Members{"iat": nil, "exp": start + 660}, true},
		{"without iat, to expire later", assertiontest.Members{"iat": nil, "exp": start + 661}, false},
		{"without iat, expired", assertiontest.Members{"iat": nil, "exp": start - 60}, false},
		{"in force in a minute", assertiontest.Members{"nbf": start + 60}, true},
		{"in force later", assertiontest.Members{"nbf": start + 61}, false},
	} {
		_, err := w.verify(t, w.token(t, c.claims), oauth.Expectation{})
		if c.accepted {
			wantAccepted(t, c.what, err)
		} else {
			wantRefused(t, c.what, err)
		}
	}
	w.signer.MaxAge = 30
	_, err := w.verify(t, w.token(t, assertiontest.Members{"iat": start - 90}), oauth.Expectation{})
	wantAccepted(t, "issued 90 seconds ago, of which 30 are the operator's", err)
	_, err = w.verify(t, w.token(t, assertiontest.Members{"iat": start - 91}), oauth.Expectation{})
	wantRefused(t, "issued before that", err)
}

// The claim is a hash of the nonce that the app drew. The nonce itself is refused:
// who finds a token would find it there.
func TestNonce(t *testing.T) {
	w := newWorld(t)
	const raw = "drawn by the app"
	sum := sha256.Sum256([]byte(raw))
	inHex, inBase64 := hex.EncodeToString(sum[:]), base64.RawURLEncoding.EncodeToString(sum[:])
	for _, c := range []struct {
		what        string
		claim       any
		sent        string
		free, bound bool // accepted without and with NonceRequired
	}{
		{"in hexadecimal", inHex, raw, true, true},
		{"in base64url", inBase64, raw, true, true},
		{"as it is", raw, raw, false, false},
		{"the claim is sent", inHex, inHex, false, false},
		{"another one", inHex, "another", false, false},
		{"empty claim", "", raw, false, false},
		{"no claim", nil, raw, false, false},
		{"not sent", inHex, "", true, false},
		{"neither", nil, "", true, false},
		{"a number", 7, "", false, false},
	} {
		for _, w.signer.NonceRequired = range []bool{false, true} {
			_, err := w.verify(t, w.token(t, assertiontest.Members{"nonce": c.claim}), oauth.Expectation{Nonce: c.sent})
			if (c.free && !w.signer.NonceRequired) || (c.bound && w.signer.NonceRequired) {
				wantAccepted(t, c.what, err)
			} else {
				wantRefused(t, c.what, err)
			}
		}
	}
}

func TestEvents(t *testing.T) {
	w := newWorld(t)
	type m = assertiontest.Members
	event := m{"jti": "e1", "events": m{"https://schemas.openid.net/secevent/risc/event-type/account-disabled": m{}}}
	with := func(more m) m {
		all := m{}
		for _, from := range []m{event, more} {
			for name, value := range from {
				all[name] = value
			}
		}
		return all
	}
	for _, c := range []struct {
		what           string
		header, claims m
		asEvent, else_ bool // accepted where an event is expected, and elsewhere
	}{
		{"an event", nil, event, true, false},
		{"without sub and exp", nil, with(m{"sub": nil, "exp": nil}), true, false},
		{"typed", m{"typ": "secevent+jwt"}, event, true, false},
		{"typed in full", m{"typ": "application/SecEvent+JWT"}, event, true, false},
		{"untyped", m{"typ": nil}, event, true, false},
		{"without jti", nil, with(m{"jti": nil}), false, false},
		{"without iat", nil, with(m{"iat": nil}), false, false},
		{"expired", nil, with(m{"exp": start - 61}), false, false},
		{"sub is a number", nil, with(m{"sub": 7}), false, false},
		{"events as a text, as Apple sends them", nil, m{"jti": "e1", "events": `{"type":"consent-revoked"}`}, true, false},
		{"another token", nil, nil, false, true},
		{"another token with an id", nil, m{"jti": "e1"}, false, true},
		{"another token, untyped", m{"typ": nil}, nil, false, true},
		{"another token, typed in full", m{"typ": "application/jwt"}, nil, false, true},
		{"another token, typed as an event", m{"typ": "secevent+jwt"}, nil, false, false},
		{"an access token", m{"typ": "at+jwt"}, nil, false, false},
		{"a typ that is a number", m{"typ": 7}, nil, false, false},
	} {
		token := w.issuer.Key().Sign(t, c.header, w.claims(c.claims))
		for _, expect := range []oauth.Expectation{{Event: true}, {}} {
			_, err := w.verify(t, token, expect)
			if c.asEvent && expect.Event || c.else_ && !expect.Event {
				wantAccepted(t, c.what, err)
			} else {
				wantRefused(t, c.what, err)
			}
		}
	}
}

// A signer that find returns must be of the token's issuer. A registration that is broken is
// nobody's refusal, and find's error is passed on.
func TestFaultsOfTheRegistration(t *testing.T) {
	w := newWorld(t)
	down := oauth.Unavailable("read an issuer", errors.New("down"))
	_, err := w.verifier.Verify(t.Context(), w.token(t, nil),
		func(context.Context, string) (oauth.Signer, bool, error) { return oauth.Signer{}, false, down }, oauth.Expectation{})
	if !errors.Is(err, down) {
		t.Errorf("find fails: %v", err)
	}
	_, err = w.verifier.Verify(t.Context(), w.token(t, assertiontest.Members{"iss": "https://evil.example"}),
		func(context.Context, string) (oauth.Signer, bool, error) { return w.signer, true, nil }, oauth.Expectation{})
	wantRefused(t, "find returns another issuer", err)
	good := w.signer
	for what, change := range map[string]func(*oauth.Signer){
		"algorithm": func(s *oauth.Signer) { s.Algorithms = append(s.Algorithms, "HS256") },
		"keys":      func(s *oauth.Signer) { s.JWKS = "{" },
		"address":   func(s *oauth.Signer) { s.JWKSURL = "http://127.0.0.1/" },
	} {
		w.signer = good
		w.signer.Algorithms = oauth.Algorithms()
		change(&w.signer)
		_, err := w.verify(t, w.token(t, nil), oauth.Expectation{})
		if err == nil || isRefused(err) || errors.Is(err, oauth.ErrUnavailable) {
			t.Errorf("bad %s: %v", what, err)
		}
	}
	w.wantSets(t, "faults", 0)
}

func TestCheckKeys(t *testing.T) {
	w := newWorld(t)
	const private = `{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	one, other := assertiontest.NewKey(t, "ES256"), assertiontest.NewKey(t, "EdDSA")
	wantAccepted(t, "one of two", w.verifier.CheckKeys(assertiontest.JWKS(t, one, other), []string{"RS256", "EdDSA"}))
	wantAccepted(t, "to verify", w.verifier.CheckKeys(strings.Replace(assertiontest.JWKS(t, other), `"kty"`, `"key_ops":["verify"],"kty"`, 1), []string{"EdDSA"}))
	for what, jwks := range map[string]string{
		"no JSON":              "keys",
		"no set":               "[]",
		"empty":                `{"keys":[]}`,
		"of another algorithm": assertiontest.JWKS(t, one),
		"with a private one":   strings.Replace(assertiontest.JWKS(t, other), `{"keys":[`, `{"keys":[`+private+`,`, 1),
		"private":              `{"keys":[` + private + `]}`,
		"symmetric":            `{"keys":[{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}]}`,
		"to encrypt":           strings.Replace(assertiontest.JWKS(t, other), `"kty"`, `"key_ops":["encrypt"],"kty"`, 1),
		"to do 7":              strings.Replace(assertiontest.JWKS(t, other), `"kty"`, `"key_ops":7,"kty"`, 1),
		"for encryption":       strings.Replace(assertiontest.JWKS(t, other), `"sig"`, `"enc"`, 1),
		"alg is another one":   strings.Replace(assertiontest.JWKS(t, other), `"EdDSA"`, `"ES256"`, 1),
		"a weak RSA key":       `{"keys":[{"kty":"RSA","e":"AQAB","n":"` + strings.Repeat("_", 170) + `w"}]}`,
		// The cost of a signature grows with the cube of its size; go-jose has a bound.
		"an RSA key too large": `{"keys":[{"kty":"RSA","e":"AQAB","n":"` + strings.Repeat("_", 1366) + `w"}]}`,
		"too many":             `{"keys":[` + strings.Repeat(`{},`, 100) + `{}]}`,
	} {
		if err := w.verifier.CheckKeys(jwks, []string{"RS256", "EdDSA"}); err == nil {
			t.Errorf("%s: accepted", what)
		} else if strings.Contains(err.Error(), "nWGxne") || strings.Contains(err.Error(), "AyM1S") {
			t.Errorf("%s: the error quotes a key: %v", what, err)
		}
	}
}
