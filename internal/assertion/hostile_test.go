package assertion_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/assertion"
	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/oauth"
)

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// hostile are tokens that a forger would try, and how often who signed them has to be
// looked up to refuse them.
func hostile(t testing.TB, key assertiontest.Key, claims func(assertiontest.Members) assertiontest.Members) map[string]hostileToken {
	t.Helper()
	type m = assertiontest.Members
	good := key.Sign(t, nil, claims(nil))
	segments := strings.Split(good, ".")
	raw, err := json.Marshal(claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	payload := strings.TrimSuffix(string(raw), "}")
	header := fmt.Sprintf(`{"alg":%q,"kid":%q`, key.Algorithm, key.ID)
	hmacOver := func(secret string) string {
		input := encode(`{"alg":"HS256","kid":"`+key.ID+`"}`) + "." + segments[1]
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(input))
		return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	jwk, err := json.Marshal(key.JWK())
	if err != nil {
		t.Fatal(err)
	}

	all := map[string]hostileToken{}
	form := func(what, token string) { all[what] = hostileToken{token, 0} }
	known := func(what, token string) { all[what] = hostileToken{token, 1} }
	signed := func(header, more m) string { return key.Sign(t, header, claims(more)) }

	form("empty", "")
	form("two segments", segments[0]+"."+segments[1])
	form("a JWE's five segments", good+"."+segments[0]+"."+segments[1])
	form("no signature", segments[0]+"."+segments[1]+".")
	form("100 KB", signed(nil, m{"pad": strings.Repeat("a", 100_000)}))
	form("17 KB", signed(nil, m{"pad": strings.Repeat("a", 17*1024)}))
	form("padding", good+"=")
	form("a line break", good[:10]+"\n"+good[10:])
	form("a blank", " "+good)
	if len(segments[2])%4 != 0 { // else its last character carries no bits that belong to no octet
		form("a twin", good[:len(good)-1]+string(good[len(good)-1]+1))
	}
	form("JSON serialization", fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, segments[1], segments[0], segments[2]))

	form("alg none", encode(`{"alg":"none"}`)+"."+segments[1]+".")
	form("alg none with a signature", encode(`{"alg":"none"}`)+"."+segments[1]+"."+segments[2])
	form("alg nOnE", signed(m{"alg": "nOnE"}, nil))
	form("no alg", signed(m{"alg": nil}, nil))
	form("alg a list", signed(m{"alg": []string{key.Algorithm}}, nil))
	form("HMAC with the public key", hmacOver(string(jwk)))
	form("HMAC with nothing", hmacOver(""))
	form("alg HS512", signed(m{"alg": "HS512"}, nil))
	form("alg PS256", signed(m{"alg": "PS256"}, nil))
	form("alg RS1", signed(m{"alg": "RS1"}, nil))

	form("jku", signed(m{"jku": "https://evil.example/keys"}, nil))
	form("x5u", signed(m{"x5u": "https://evil.example/cert"}, nil))
	form("jwk", signed(m{"jwk": key.JWK()}, nil))
	form("x5c", signed(m{"x5c": []string{"AA"}}, nil))
	form("x5c empty", signed(m{"x5c": []string{}}, nil))
	form("crit", signed(m{"crit": []string{"exp"}}, nil))
	form("crit empty", signed(m{"crit": []string{}}, nil))
	form("crit b64", signed(m{"crit": []string{"b64"}, "b64": false}, nil))
	form("b64 false", signed(m{"b64": false}, nil))
	form("b64 true", signed(m{"b64": true}, nil))
	form("cty JWT", signed(m{"cty": "JWT"}, nil))
	form("typ at+jwt", signed(m{"typ": "at+jwt"}, nil))
	form("kid a number", signed(m{"kid": 7}, nil))
	form("kid a list", signed(m{"kid": []string{key.ID}}, nil))
	form("kid of 513 bytes", signed(m{"kid": strings.Repeat("k", 513)}, nil))
	form("nested JWT", key.SignRaw(t, header+"}", good))
	form("payload a list", key.SignRaw(t, header+"}", "[]"))
	form("payload a text", key.SignRaw(t, header+"}", `"text"`))
	form("payload null", key.SignRaw(t, header+"}", `null`))
	form("payload of two objects", key.SignRaw(t, header+"}", payload+"}{}"))
	form("payload cut", key.SignRaw(t, header+"}", payload))
	form("payload not UTF-8", key.SignRaw(t, header+"}", payload+`,"name":"`+"\xff"+`"}`))
	form("half a surrogate pair", key.SignRaw(t, header+"}", payload+`,"name":"\ud800"}`))
	form("half a surrogate pair in a name", key.SignRaw(t, header+"}", payload+`,"\ud800":1}`))
	form("1000 lists in lists", key.SignRaw(t, header+"}", payload+`,"deep":`+strings.Repeat("[", 1000)+strings.Repeat("]", 1000)+"}"))

	form("alg twice", key.SignRaw(t, header+`,"alg":"none"}`, payload+"}"))
	form("iss twice", key.SignRaw(t, header+"}", payload+`,"iss":"https://evil.example"}`))
	form("sub twice", key.SignRaw(t, header+"}", payload+`,"sub":"admin"}`))
	form("sub twice, escaped", key.SignRaw(t, header+"}", payload+`,"\u0073ub":"admin"}`))
	form("a member of a member twice", key.SignRaw(t, header+"}", payload+`,"x":{"a":1,"a":2}}`))
	form("a member in a list twice", key.SignRaw(t, header+"}", payload+`,"x":[{"a":1,"a":2}]}`))

	for _, name := range []string{"iss", "sub", "aud", "iat", "exp"} {
		if name != "iat" { // see TestTimes
			form("no "+name, signed(nil, m{name: nil}))
		}
		form(name+" null", signed(nil, m{name: json.RawMessage("null")}))
		form(name+" an object", signed(nil, m{name: m{}}))
		form(name+" empty", signed(nil, m{name: json.RawMessage(`[]`)}))
	}
	form("iss a list", signed(nil, m{"iss": []any{claims(nil)["iss"]}}))
	form("sub a number", signed(nil, m{"sub": 7}))
	form("sub empty", signed(nil, m{"sub": ""}))
	form("sub of 513 bytes", signed(nil, m{"sub": strings.Repeat("s", 513)}))
	form("jti a number", signed(nil, m{"jti": 7}))
	form("aud with a number", signed(nil, m{"aud": []any{app, 7}}))
	form("aud with a null", signed(nil, m{"aud": []any{app, nil}}))
	for _, name := range []string{"iat", "exp", "nbf"} {
		for _, number := range []string{"1800000000.0", "1.8e9", "18e8", `"1800000000"`, "-1", "0", "9223372036854775807", "18446744073709551616", "1099511627776", "true"} {
			form(name+" "+number, signed(nil, m{name: json.RawMessage(number)}))
		}
	}
	form("an event", signed(nil, m{"events": m{"x": m{}}, "jti": "1"}))

	known("another issuer", signed(nil, m{"iss": "https://evil.example"}))
	known("the issuer with a slash", signed(nil, m{"iss": claims(nil)["iss"].(string) + "/"}))
	known("another audience", signed(nil, m{"aud": "com.evil.app"}))
	known("aud with a stranger", signed(nil, m{"aud": []string{app, "com.evil.app"}}))
	known("aud empty text", signed(nil, m{"aud": ""}))
	known("aud in other case", signed(nil, m{"aud": strings.ToUpper(app)}))
	form("iat far ahead", signed(nil, m{"iat": start + 1_000_000}))
	form("iat far back", signed(nil, m{"iat": start - 1_000_000}))
	known("iat an hour back", signed(nil, m{"iat": start - 3600}))
	form("expired", signed(nil, m{"exp": start - 1_000_000}))
	form("exp in milliseconds", signed(nil, m{"exp": int64(start) * 500}))
	return all
}

type hostileToken struct {
	token   string
	lookups int
}

// A token that a forger would try is refused before any key is fetched. One whose form
// is wrong, or that is not in force, is refused before anybody looks up who signed it.
func TestHostileTokens(t *testing.T) {
	for _, algorithm := range oauth.Algorithms() {
		w := newWorld(t)
		key := assertiontest.NewKey(t, algorithm)
		w.issuer.Publish(key)
		for what, c := range hostile(t, key, w.claims) {
			w.lookups = 0
			claims, err := w.verify(t, c.token, oauth.Expectation{})
			wantRefused(t, algorithm+" "+what, err)
			if w.lookups != c.lookups || claims.Subject != "" || claims.JSON("sub") != nil {
				t.Errorf("%s %s: %d look-ups, want %d; claims %v", algorithm, what, w.lookups, c.lookups, claims)
			}
		}
		if discoveries, sets := w.issuer.Fetches(); discoveries+sets != 0 {
			t.Errorf("%s: %d discoveries, %d key sets fetched", algorithm, discoveries, sets)
		}
		_, err := w.verify(t, w.token(t, nil), oauth.Expectation{})
		wantAccepted(t, "the token that they were made of", err)
	}
}

// An issuer signs access tokens with the keys of its ID tokens, and some have the same aud and
// sub. An API that gets one must not be able to log in with it.
func TestAccessTokensAreNoIDTokens(t *testing.T) {
	w := newWorld(t)
	type m = assertiontest.Members
	for _, c := range []struct {
		what                string
		claims              m
		idToken, assertion_ bool // accepted as one
	}{
		{"Cognito's ID token", m{"token_use": "id"}, true, true},
		{"Cognito's access token", m{"token_use": "access", "client_id": app}, false, false},
		{"Keycloak's ID token", m{"typ": "ID", "azp": app}, true, true},
		{"Keycloak's access token", m{"typ": "Bearer", "azp": app}, false, false},
		{"Keycloak's refresh token", m{"typ": "Refresh"}, false, false},
		{"a typ that is not a text", m{"typ": 7}, false, false},
		{"RFC 9068 without the typ", m{"scope": "openid", "client_id": app, "jti": "1"}, false, true},
		{"Entra's, Okta's", m{"scp": []string{"openid"}}, false, true},
		{"a scope that is empty", m{"scope": ""}, false, true},
		{"ZITADEL's ID token", m{"client_id": app}, true, true},
	} {
		for _, expect := range []oauth.Expectation{{IDToken: true}, {}} {
			_, err := w.verify(t, w.token(t, c.claims), expect)
			if expect.IDToken && c.idToken || !expect.IDToken && c.assertion_ {
				wantAccepted(t, c.what, err)
			} else {
				wantRefused(t, c.what, err)
			}
		}
	}
}

// Signatures that are wrong take the keys of the issuer, and nothing else.
func TestForgedSignatures(t *testing.T) {
	w := newWorld(t)
	keys := map[string]assertiontest.Key{}
	var published []assertiontest.Key
	for _, algorithm := range oauth.Algorithms() {
		keys[algorithm] = assertiontest.NewKey(t, algorithm)
		published = append(published, keys[algorithm])
	}
	w.issuer.Publish(published...)
	ours := keys["ES256"]
	forger := assertiontest.NewKey(t, "ES256")
	good := ours.Sign(t, nil, w.claims(nil))
	segments := strings.Split(good, ".")
	flipped := []byte(segments[2])
	flipped[10] ^= 1

	stolen := forger
	stolen.ID = ours.ID
	for what, token := range map[string]string{
		"a forger's key under our key's id": stolen.Sign(t, nil, w.claims(nil)),
		"a forger's key without an id":      forger.Sign(t, assertiontest.Members{"kid": nil}, w.claims(nil)),
		"another payload":                   segments[0] + "." + encode(`{"iss":"`+w.signer.Name+fmt.Sprintf(`","aud":%q,"sub":"admin","iat":%d,"exp":%d}`, app, start, start+60)) + "." + segments[2],
		"a bit of the signature":            segments[0] + "." + segments[1] + "." + string(flipped),
		"a signature of zeros":              segments[0] + "." + segments[1] + "." + encode(strings.Repeat("\x00", 64)),
		"an algorithm of another key":       ours.Sign(t, assertiontest.Members{"alg": "EdDSA"}, w.claims(nil)),
		"a key of another algorithm":        ours.Sign(t, assertiontest.Members{"kid": keys["RS256"].ID}, w.claims(nil)),
		"kid is a path":                     ours.Sign(t, assertiontest.Members{"kid": "../../../../dev/null"}, w.claims(nil)),
		"kid is a URL":                      ours.Sign(t, assertiontest.Members{"kid": "https://evil.example/keys"}, w.claims(nil)),
		"kid is empty":                      ours.Sign(t, assertiontest.Members{"kid": ""}, w.claims(nil)),
		"kid in other case":                 ours.Sign(t, assertiontest.Members{"kid": strings.ToUpper(ours.ID)}, w.claims(nil)),
	} {
		w.pass(61 * time.Second)
		_, err := w.verify(t, token, oauth.Expectation{})
		wantRefused(t, what, err)
	}
	for _, key := range published {
		for _, header := range []assertiontest.Members{nil, {"kid": nil}, {"x5t": "thumbprint", "unknown": 1}} {
			_, err := w.verify(t, key.Sign(t, header, w.claims(nil)), oauth.Expectation{})
			wantAccepted(t, key.Algorithm, err)
		}
	}

	// Another registered issuer's key is a stranger's.
	other := newWorld(t)
	token := other.issuer.Key().Sign(t, nil, w.claims(nil))
	w.pass(61 * time.Second)
	_, err := w.verify(t, token, oauth.Expectation{})
	wantRefused(t, "another issuer's key", err)

	// An algorithm that the operator did not choose is refused although the key is right.
	w.signer.Algorithms = []string{"RS256"}
	_, err = w.verify(t, ours.Sign(t, nil, w.claims(nil)), oauth.Expectation{})
	wantRefused(t, "an algorithm that is not registered", err)
}

// FuzzToken: the only token that is accepted is the one that was signed.
func FuzzToken(f *testing.F) {
	key := assertiontest.NewKey(f, "EdDSA")
	w := &world{signer: oauth.Signer{Name: "issuer", Audiences: []string{app}, Algorithms: oauth.Algorithms(), JWKS: assertiontest.JWKS(f, key)}}
	w.clock.Store(start)
	w.verifier = assertion.New(w.clock.Now, nil)
	good := key.Sign(f, nil, w.claims(nil))
	f.Add(good)
	for _, h := range hostile(f, key, w.claims) {
		if len(h.token) < 2048 {
			f.Add(h.token)
		}
	}
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := w.verify(t, token, oauth.Expectation{})
		switch {
		case err == nil && token != good:
			t.Errorf("accepted %q", token)
		case err == nil && claims.Subject != "001234.abc":
			t.Errorf("subject %q", claims.Subject)
		case err != nil && (!isRefused(err) || claims.Subject != ""):
			t.Errorf("%q: %v, %v", token, claims, err)
		}
	})
}
