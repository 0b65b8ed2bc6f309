package bearer

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

// pairs are of testdata: private, public, private, public.
func pairs(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/signing_pairs.txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")[1:]
}

// signingSecrets are those of [ring2] with a pair for each key.
func signingSecrets(t testing.TB, state1, state2 State) (mint, check map[string]any) {
	t.Helper()
	p := pairs(t)
	mint = map[string]any{"1": mintText1, "2": mintText2, "signing": map[string]any{"1": p[0], "2": p[2]}}
	check = map[string]any{
		"issuer_epoch": 7, "states": map[string]State{"1": state1, "2": state2}, "1": checkText1, "2": checkText2,
		"signing": map[string]any{"1": p[1], "2": p[3]},
	}
	return mint, check
}

func signingRing(t testing.TB, state1, state2 State) *MintRing {
	t.Helper()
	mint, check := signingSecrets(t, state1, state2)
	r, err := ParseMintRing(secretJSON(t, mint), secretJSON(t, check))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var goldenClaims = Claims{
	Issuer: "https://auth.example.com", Subject: "u_1", Audiences: []string{"a", "b"}, Client: "app",
	Scope: "device_phone read", IssuedAt: 1_899_999_400,
}

// A golden vector as those of [TestSealGolden]. It is equal after the key's change to
// verify-only, in a ring that was parsed anew.
func TestSealJWTGolden(t *testing.T) {
	for _, states := range [][2]State{{Active, VerifyOnly}, {VerifyOnly, Active}, {Prepublished, Active}} {
		r := signingRing(t, states[0], states[1])
		n, rid := goldenName(Access)
		got, hash, ok := r.SealJWT(n, rid, goldenClaims)
		if !ok || got.Reveal() != goldenJWT || fmt.Sprintf("%x", hash) != goldenJWTHash {
			t.Fatalf("under a key that is %s: SealJWT = %q, %x, %v", states[0], got.Reveal(), hash, ok)
		}
		opened, err := r.Open(got)
		if err != nil || opened.Name != n || opened.Hash != hash {
			t.Errorf("Open = %+v, %v", opened.Name, err)
		}
		claims, _ := encoding.DecodeString(strings.Split(goldenJWT, ".")[1])
		var said struct{ JTI string }
		if json.Unmarshal(claims, &said) != nil || said.JTI != opened.JTI() || len(said.JTI) != jtiLen {
			t.Errorf("the jti is %q, and Open says %q", said.JTI, opened.JTI())
		}
	}
}

// Everything that identifies a JWT, and everything that it says, changes it.
func TestSealJWTDependsOnEverything(t *testing.T) {
	r := signingRing(t, Active, VerifyOnly)
	n, rid := goldenName(Access)
	seen := map[string]string{goldenJWT: "nothing"}
	for what, edit := range map[string]func(*Name, *RID, *Claims){
		"kid":           func(n *Name, _ *RID, _ *Claims) { n.KID = 2 },
		"expiry":        func(n *Name, _ *RID, _ *Claims) { n.Expiry++ },
		"subject key":   func(n *Name, _ *RID, _ *Claims) { n.Locator.Subject[15]++ },
		"client key":    func(n *Name, _ *RID, _ *Claims) { n.Locator.Client[7]++ },
		"authorization": func(n *Name, _ *RID, _ *Claims) { n.Locator.Authorization[0]++ },
		"generation":    func(n *Name, _ *RID, _ *Claims) { n.Generation++ },
		"rid":           func(_ *Name, rid *RID, _ *Claims) { rid[0]++ },
		"issuer":        func(_ *Name, _ *RID, c *Claims) { c.Issuer += "/" },
		"subject":       func(_ *Name, _ *RID, c *Claims) { c.Subject = "u_2" },
		"audiences":     func(_ *Name, _ *RID, c *Claims) { c.Audiences = []string{"a"} },
		"client":        func(_ *Name, _ *RID, c *Claims) { c.Client = "app2" },
		"scope":         func(_ *Name, _ *RID, c *Claims) { c.Scope = "read" },
		"issued at":     func(_ *Name, _ *RID, c *Claims) { c.IssuedAt-- },
	} {
		n, rid, c := n, rid, goldenClaims
		edit(&n, &rid, &c)
		got, _, ok := r.SealJWT(n, rid, c)
		if other, twice := seen[got.Reveal()]; !ok || twice {
			t.Errorf("a change of %s gives the JWT of a change of %s", what, other)
		}
		seen[got.Reveal()] = what
	}
}

// A JWT and the opaque token of one Name have nothing in common: a jti goes into logs, and
// the holder of the check key could make a tag for it.
func TestJWTIsNoOpaqueToken(t *testing.T) {
	r := signingRing(t, Active, VerifyOnly)
	n, rid := goldenName(Access)
	opaque, opaqueHash, _ := r.Seal(n, rid)
	jwt, hash, _ := r.SealJWT(n, rid, goldenClaims)
	opened, err := r.Open(jwt)
	if err != nil || hash == opaqueHash {
		t.Fatalf("Open = %v, and the hashes are %x and %x", err, hash, opaqueHash)
	}
	if of, err := r.Open(opaque); err != nil || *of.secret == *opened.secret || of.JTI() != "" {
		t.Errorf("the secrets are equal, or Open = %v", err)
	}
	raw, _ := encoding.DecodeString(opened.JTI())
	tagged := FromClient(Access.prefix() + encoding.EncodeToString(append(raw, r.tag(Access, n.KID, raw)...)))
	if made, err := r.Open(tagged); err != nil || made.Hash == hash {
		t.Errorf("a jti with a tag has the hash of its JWT, or Open = %v", err)
	}
	for _, text := range []string{opened.JTI(), Access.prefix() + opened.JTI()} {
		if _, err := r.Open(FromClient(text)); !errors.Is(err, ErrInvalid) {
			t.Errorf("a jti by itself: Open = %v", err)
		}
	}
}

func TestSealJWTRefuses(t *testing.T) {
	n, rid := goldenName(Access)
	for what, edit := range map[string]func(*Name, *Claims){
		"retired key":     func(n *Name, _ *Claims) { n.KID = 2 },
		"unknown key":     func(n *Name, _ *Claims) { n.KID = 3 },
		"negative expiry": func(n *Name, _ *Claims) { n.Expiry = -1 },
		"expiry too big":  func(n *Name, _ *Claims) { n.Expiry = MaxExpiry + 1 },
		"refresh token":   func(n *Name, _ *Claims) { n.Kind = Refresh },
		"too long":        func(_ *Name, c *Claims) { c.Scope = strings.Repeat("a", MaxJWT) },
	} {
		n, c := n, goldenClaims
		edit(&n, &c)
		if b, hash, ok := signingRing(t, Active, Retired).SealJWT(n, rid, c); ok || b.Len() != 0 || hash != (Hash{}) {
			t.Errorf("%s: SealJWT gave a bearer", what)
		}
	}
	without := ring2(t, Active, VerifyOnly)
	if _, _, ok := without.SealJWT(n, rid, goldenClaims); ok || without.Signs() || len(without.JWKS(0)) != 0 {
		t.Error("a ring without pairs signs")
	}
	mint, check := signingSecrets(t, Active, VerifyOnly)
	mint["signing"] = map[string]any{"1": pairs(t)[2], "2": pairs(t)[0]}
	swapped, err := ParseMintRing(secretJSON(t, mint), secretJSON(t, check))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := swapped.SealJWT(n, rid, goldenClaims); ok {
		t.Error("it signs with a key that nobody verifies")
	}
}

// No character of a JWT can be changed to any other one.
func TestOpenRefusesEveryChangeOfAJWT(t *testing.T) {
	r := signingRing(t, Active, VerifyOnly)
	text := []byte(goldenJWT)
	for i := range text {
		was := text[i]
		for _, c := range []byte("Ab0-_.=\r\n ~\x00" + string(was^1) + string(was^2)) {
			if c == was {
				continue
			}
			text[i] = c
			if got, err := r.Open(FromClient(string(text))); err == nil || got != (Token{}) {
				t.Fatalf("with character %d changed from %q to %q it was accepted", i, was, c)
			}
		}
		text[i] = was
	}
}

func TestOpenRefusesForgedJWTs(t *testing.T) {
	r := signingRing(t, Active, VerifyOnly)
	parts := strings.Split(goldenJWT, ".")
	n, rid := goldenName(Access)
	n.KID = 2
	other, _, _ := r.SealJWT(n, rid, goldenClaims)
	otherParts := strings.Split(other.Reveal(), ".")
	head := func(s string) string { return encoding.EncodeToString([]byte(s)) }
	none := head(`{"alg":"none","typ":"at+jwt","kid":"` + r.verifying[1].id + `"}`)
	for what, s := range map[string]string{
		"two parts":             parts[0] + "." + parts[1],
		"no signature":          parts[0] + "." + parts[1] + ".",
		"four parts":            goldenJWT + "." + parts[2],
		"alg none":              none + "." + parts[1] + ".",
		"alg none, signed":      none + "." + parts[1] + "." + parts[2],
		"alg HS256":             head(`{"alg":"HS256","typ":"at+jwt","kid":"`+r.verifying[1].id+`"}`) + "." + parts[1] + "." + parts[2],
		"another key's header":  otherParts[0] + "." + parts[1] + "." + parts[2],
		"another key's claims":  parts[0] + "." + otherParts[1] + "." + otherParts[2],
		"another key signed it": parts[0] + "." + parts[1] + "." + otherParts[2],
		"line end within":       parts[0] + "." + parts[1] + "." + parts[2][:9] + "\n" + parts[2][9:],
		"line end behind":       goldenJWT + "\n",
		"padding":               goldenJWT + "==",
		"spaces":                " " + goldenJWT,
		"10 kB":                 goldenJWT + strings.Repeat("A", 10_000),
		"no jti":                parts[0] + "." + head(`{}`) + "." + parts[2],
		"a short jti":           parts[0] + "." + head(`{"jti":"AQEA"}`) + "." + parts[2],
		"dots":                  "..",
	} {
		if got, err := r.Open(FromClient(s)); !errors.Is(err, ErrInvalid) || got != (Token{}) {
			t.Errorf("%s: Open = %+v, %v; want the zero Token and ErrInvalid", what, got, err)
		}
	}
}

func TestStatesOfJWTs(t *testing.T) {
	for state, want := range map[State]error{Prepublished: nil, VerifyOnly: nil, Retired: ErrRetiredKey} {
		r := signingRing(t, state, Active)
		if _, err := r.Open(FromClient(goldenJWT)); !errors.Is(err, want) {
			t.Errorf("under a %s key: Open = %v, want %v", state, err, want)
		}
		published := 2
		if state == Retired {
			published = 1
		}
		if keys := r.JWKS(0); len(keys) != published || keys[published-1].ID != r.verifying[2].id || !r.Signs() {
			t.Errorf("with a %s key the published ones are %+v", state, keys)
		}
	}
	// A verify-only key leaves the set when its JWTs have ended, if the secret says when that is.
	const since, end = 1_767_323_045, 1_767_323_045 + JWTsLeft
	for _, states := range [][2]State{{VerifyOnly, Active}, {Prepublished, Active}, {Active, VerifyOnly}} {
		for _, dated := range []bool{true, false} {
			mint, check := signingSecrets(t, states[0], states[1])
			if dated {
				check["since"] = map[string]int64{"1": since, "2": since + JWTsLeft}
			}
			r, err := ParseMintRing(secretJSON(t, mint), secretJSON(t, check))
			if err != nil {
				t.Fatal(err)
			}
			left := states[0] == VerifyOnly && dated
			before, after := r.JWKS(end-1), r.JWKS(end)
			if len(before) != 2 || len(after) == 2 == left || after[len(after)-1].ID != r.verifying[2].id {
				t.Errorf("%v, and the secret says since when: %v: %d keys, and then %d", states, dated, len(before), len(after))
			}
			if _, err := r.Open(FromClient(goldenJWT)); err != nil {
				t.Errorf("a key that left the key set verifies no more at fob: %v", err)
			}
		}
	}
	// A time far ahead, as a hand may write it, ends no JWT.
	mint, check := signingSecrets(t, VerifyOnly, Active)
	check["since"] = map[string]int64{"1": math.MaxInt64}
	if r, err := ParseMintRing(secretJSON(t, mint), secretJSON(t, check)); err != nil || len(r.JWKS(end)) != 2 {
		t.Errorf("a verify-only key whose time is far ahead left the key set, or %v", err)
	}
	// An instance may have the ring from before the key, or from before its pair.
	if _, err := ring2(t, Active, VerifyOnly).Open(FromClient(goldenJWT)); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("without the pair: Open = %v, want ErrUnknownKey", err)
	}
	one, err := ParseCheckRing(secretJSON(t, map[string]any{"issuer_epoch": 0, "states": map[string]State{"2": Active}, "2": checkText2}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one.Open(FromClient(goldenJWT)); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("without the key: Open = %v, want ErrUnknownKey", err)
	}
}

func TestParseSigning(t *testing.T) {
	p := pairs(t)
	for what, edit := range map[string]func(mint, check map[string]any){
		"not an object":         func(_, check map[string]any) { check["signing"] = p[1] },
		"null":                  func(_, check map[string]any) { check["signing"] = nil },
		"not base64":            func(_, check map[string]any) { check["signing"] = map[string]string{"1": "?"} },
		"not a key":             func(_, check map[string]any) { check["signing"] = map[string]string{"1": "AAAA"} },
		"the private key":       func(_, check map[string]any) { check["signing"] = map[string]string{"1": p[0]} },
		"a kid without a state": func(_, check map[string]any) { check["signing"] = map[string]string{"3": p[1]} },
		"a kid that is text":    func(_, check map[string]any) { check["signing"] = map[string]string{"x": p[1]} },
		"one pair for two keys": func(mint, check map[string]any) {
			mint["signing"], check["signing"] = map[string]string{"1": p[0], "2": p[0]}, map[string]string{"1": p[1], "2": p[1]}
		},
		"no private keys":          func(mint, _ map[string]any) { delete(mint, "signing") },
		"a private key is missing": func(mint, _ map[string]any) { mint["signing"] = map[string]string{"1": p[0]} },
		"private, not base64":      func(mint, _ map[string]any) { mint["signing"] = map[string]string{"1": "?", "2": p[2]} },
	} {
		mint, check := signingSecrets(t, Active, VerifyOnly)
		edit(mint, check)
		_, err := ParseMintRing(secretJSON(t, mint), secretJSON(t, check))
		if !errors.Is(err, ErrBadRing) || strings.Contains(err.Error(), p[0][:20]) {
			t.Errorf("%s: ParseMintRing = %v", what, err)
		}
	}
	// A private key comes first, and goes when its key is retired.
	mint, check := signingSecrets(t, Active, Retired)
	mint["signing"], check["signing"] = map[string]string{"1": p[2], "2": p[2]}, map[string]string{"1": p[3], "2": p[3]}
	if _, err := ParseMintRing(secretJSON(t, mint), secretJSON(t, check)); !errors.Is(err, ErrBadRing) {
		t.Errorf("the active key has the pair of a retired one: ParseMintRing = %v", err)
	}
	check["signing"] = map[string]string{"2": p[3]}
	mint["signing"] = map[string]string{"1": p[0]}
	if r, err := ParseMintRing(secretJSON(t, mint), secretJSON(t, check)); err != nil || r.Signs() {
		t.Errorf("ParseMintRing = %v", err)
	}
	short, _ := base64.StdEncoding.DecodeString("MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDApv+gh3IpIehnQkGT4Aki7oDi9J1swk1nXOAVxAIUYGjfi6gLAm3k7x9cANyMiBz+AyfsSmC3d/fa3rLt/eMEuqvEPtkbNQuWeJ9YyvNMtNplXSso2vycKqVIOJP+aP7S5MGrwxNph9k/smUsuSvIBwM4QkxZpvFRxkTIGXhGzQIDAQAB")
	if _, err := newVerifying(short); err == nil {
		t.Error("a key of 1024 bits was taken")
	}
}

func BenchmarkSealJWT(b *testing.B) {
	r := signingRing(b, Active, VerifyOnly)
	n, rid := goldenName(Access)
	for b.Loop() {
		if _, _, ok := r.SealJWT(n, rid, goldenClaims); !ok {
			b.Fatal("not sealed")
		}
	}
}

func BenchmarkOpenJWT(b *testing.B) {
	r := signingRing(b, Active, VerifyOnly)
	for b.Loop() {
		if _, err := r.Open(FromClient(goldenJWT)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFirstJWT is what the first JWT of a ring costs in addition: its private key is
// parsed. A ring is a minute old at most.
func BenchmarkFirstJWT(b *testing.B) {
	n, rid := goldenName(Access)
	for b.Loop() {
		if _, _, ok := signingRing(b, Active, VerifyOnly).SealJWT(n, rid, goldenClaims); !ok {
			b.Fatal("not sealed")
		}
	}
}

func BenchmarkParseSigningRing(b *testing.B) {
	for b.Loop() {
		signingRing(b, Active, VerifyOnly)
	}
}
