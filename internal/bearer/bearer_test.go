package bearer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Key texts that say of themselves that they are for tests.
const (
	mintText1  = "test-mint-key-1-test-mint-key-1-test"
	mintText2  = "test-mint-key-2-test-mint-key-2-test"
	checkText1 = "test-check-key-1-test-check-key-1-test"
	checkText2 = "test-check-key-2-test-check-key-2-test"
)

func secretJSON(t testing.TB, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ring2 has keys 1 and 2 in the given states.
func ring2(t testing.TB, state1, state2 State) *MintRing {
	t.Helper()
	r, err := ParseMintRing(
		secretJSON(t, map[string]string{"1": mintText1, "2": mintText2}),
		secretJSON(t, map[string]any{
			"issuer_epoch": 7,
			"states":       map[string]State{"1": state1, "2": state2},
			"1":            checkText1, "2": checkText2,
		}))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func fill(b []byte, from byte) {
	for i := range b {
		b[i] = from + byte(i)
	}
}

func goldenName(kind Kind) (n Name, rid RID) {
	n = Name{Kind: kind, KID: 1, Expiry: 1_900_000_000, Generation: 3}
	fill(n.Locator.Subject[:], 0x10)
	fill(n.Locator.Client[:], 0x30)
	fill(n.Locator.Authorization[:], 0x50)
	fill(rid[:], 0x70)
	return n, rid
}

// Golden vectors. If one changes, every token out there is logged out: make a
// new version instead.
func TestSealGolden(t *testing.T) {
	r := ring2(t, Active, VerifyOnly)
	for _, tt := range []struct {
		kind Kind
		want string
		hash string
	}{
		{Access, goldenAccess, goldenAccessHash},
		{Refresh, goldenRefresh, goldenRefreshHash},
	} {
		n, rid := goldenName(tt.kind)
		got, hash, ok := r.Seal(n, rid)
		if !ok || got.Reveal() != tt.want || fmt.Sprintf("%x", hash) != tt.hash {
			t.Errorf("Seal(%v) = %q, %x, %v; want %q, %s", tt.kind, got.Reveal(), hash, ok, tt.want, tt.hash)
		}
		opened, err := r.Open(FromClient(tt.want))
		if err != nil || opened.Name != n || opened.Hash != hash {
			t.Errorf("Open(golden %v) = %+v, %v", tt.kind, opened.Name, err)
		}
		if !r.MintedWithin(opened, rid) || r.MintedWithin(opened, RID{}) {
			t.Errorf("%v: MintedWithin does not name the item", tt.kind)
		}
		if len(tt.want) != textLen || textLen > 256 {
			t.Errorf("%v: %d characters", tt.kind, len(tt.want))
		}
	}
}

// Everything a bearer names goes into its secret: no two names share one.
func TestSealDependsOnEverything(t *testing.T) {
	r := ring2(t, Active, VerifyOnly)
	n, rid := goldenName(Access)
	_, base, _ := r.Seal(n, rid)
	change := map[string]func(*Name, *RID){
		"kind":          func(n *Name, _ *RID) { n.Kind = Refresh },
		"kid":           func(n *Name, _ *RID) { n.KID = 2 },
		"expiry":        func(n *Name, _ *RID) { n.Expiry++ },
		"subject":       func(n *Name, _ *RID) { n.Locator.Subject[15]++ },
		"client":        func(n *Name, _ *RID) { n.Locator.Client[7]++ },
		"authorization": func(n *Name, _ *RID) { n.Locator.Authorization[0]++ },
		"generation":    func(n *Name, _ *RID) { n.Generation++ },
		"rid":           func(_ *Name, rid *RID) { rid[0]++ },
	}
	for what, edit := range change {
		n2, rid2 := n, rid
		edit(&n2, &rid2)
		if _, hash, ok := r.Seal(n2, rid2); !ok || hash == base {
			t.Errorf("the secret does not depend on the %s", what)
		}
	}
}

func TestSealRefuses(t *testing.T) {
	r := ring2(t, Active, Retired)
	n, rid := goldenName(Access)
	for what, edit := range map[string]func(*Name){
		"retired key":     func(n *Name) { n.KID = 2 },
		"unknown key":     func(n *Name) { n.KID = 3 },
		"negative expiry": func(n *Name) { n.Expiry = -1 },
		"expiry too big":  func(n *Name) { n.Expiry = MaxExpiry + 1 },
	} {
		n := n
		edit(&n)
		if b, hash, ok := r.Seal(n, rid); ok || b.Len() != 0 || hash != (Hash{}) {
			t.Errorf("%s: Seal gave a bearer", what)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	r := ring2(t, Active, VerifyOnly)
	n, rid := goldenName(Access)
	b, _, _ := r.Seal(n, rid)
	text := b.Reveal()
	last := text[:len(text)-1]
	for what, s := range map[string]string{
		"empty":              "",
		"prefix alone":       "fob_at_",
		"truncated":          last,
		"extended":           text + "A",
		"other prefix":       "fob_rt_" + text[prefixLen:],
		"upper-case prefix":  "FOB_AT_" + text[prefixLen:],
		"newline after":      text + "\n",
		"newline inside":     text[:20] + "\n" + text[21:],
		"CRLF, same length":  text[:20] + "\r\n" + text[22:],
		"padding":            last + "=",
		"standard alphabet":  text[:prefixLen] + strings.Repeat("+/", 66),
		"space before":       " " + text,
		"10 kB":              strings.Repeat("A", 10_000),
		"no prefix":          text[prefixLen:],
		"NUL":                text[:50] + "\x00" + text[51:],
		"other token's body": "fob_at_" + strings.Repeat("A", textLen-prefixLen),
	} {
		if got, err := r.Open(FromClient(s)); !errors.Is(err, ErrInvalid) || got != (Token{}) {
			t.Errorf("%s: Open = %+v, %v; want the zero Token and ErrInvalid", what, got, err)
		}
	}
}

// No byte of a bearer can be changed to any other one (case N30, A33, A34).
func TestOpenRefusesEveryChange(t *testing.T) {
	r := ring2(t, Active, VerifyOnly)
	for _, kind := range []Kind{Access, Refresh} {
		n, rid := goldenName(kind)
		b, _, _ := r.Seal(n, rid)
		text := []byte(b.Reveal())
		for i := range text {
			was := text[i]
			for c := range 256 {
				if byte(c) == was {
					continue
				}
				text[i] = byte(c)
				if got, err := r.Open(FromClient(string(text))); err == nil || got != (Token{}) {
					t.Fatalf("%v with byte %d changed from %q to %q was accepted", kind, i, was, byte(c))
				}
			}
			text[i] = was
		}
	}
}

func TestStates(t *testing.T) {
	n, rid := goldenName(Access)
	b, _, _ := ring2(t, Active, VerifyOnly).Seal(n, rid)
	for _, tt := range []struct {
		state State
		want  error
	}{{Prepublished, nil}, {VerifyOnly, nil}, {Retired, ErrInvalid}, {Retired, ErrRetiredKey}} {
		r := ring2(t, tt.state, Active)
		if _, err := r.Open(b); !errors.Is(err, tt.want) {
			t.Errorf("under a %s key: Open = %v, want %v", tt.state, err, tt.want)
		}
		if r.Verifies(1) != (tt.want == nil) || r.Verifies(3) || r.ActiveKID() != 2 {
			t.Errorf("%s: Verifies or ActiveKID is wrong", tt.state)
		}
	}
	one, err := ParseMintRing(
		secretJSON(t, map[string]string{"2": mintText2}),
		secretJSON(t, map[string]any{"issuer_epoch": 0, "states": map[string]State{"2": Active}, "2": checkText2}))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := one.Open(b); !errors.Is(err, ErrUnknownKey) || got != (Token{}) {
		t.Errorf("under an unknown key: Open = %v, want ErrUnknownKey", err)
	}
	// The tag alone is not enough: who holds the check key forges nothing.
	forged, err := ring2(t, Active, VerifyOnly).Open(b)
	if err != nil || ring2(t, Active, VerifyOnly).MintedWithin(forged, RID{1}) {
		t.Error("MintedWithin accepted a token of another item")
	}
}

func TestParseRings(t *testing.T) {
	const good = `{"issuer_epoch": 3, "states": {"1": "active"}, "1": "` + checkText1 + `"}`
	r, err := ParseCheckRing([]byte(good))
	if err != nil || r.IssuerEpoch() != 3 {
		t.Fatalf("ParseCheckRing = %v, %v", r, err)
	}
	const dated = `{"issuer_epoch": 3, "states": {"1": "active"}, "since": {"1": 1767323045}, "paired": {"1": 1767323046}, "1": "` + checkText1 + `"}`
	if _, err := ParseCheckRing([]byte(dated)); err != nil {
		t.Errorf("a ring that says since when: %v", err)
	}
	for what, check := range map[string]string{
		"not JSON":             `x`,
		"null":                 `null`,
		"array":                `[]`,
		"no epoch":             `{"states": {"1": "active"}, "1": "` + checkText1 + `"}`,
		"negative epoch":       `{"issuer_epoch": -1, "states": {"1": "active"}, "1": "` + checkText1 + `"}`,
		"epoch null":           `{"issuer_epoch": null, "states": {"1": "active"}, "1": "` + checkText1 + `"}`,
		"epoch as text":        `{"issuer_epoch": "0", "states": {"1": "active"}, "1": "` + checkText1 + `"}`,
		"no states":            `{"issuer_epoch": 0, "1": "` + checkText1 + `"}`,
		"no key":               `{"issuer_epoch": 0, "states": {"1": "active"}}`,
		"no state":             `{"issuer_epoch": 0, "states": {"1": "active"}, "1": "` + checkText1 + `", "2": "` + checkText2 + `"}`,
		"none active":          `{"issuer_epoch": 0, "states": {"1": "verify-only"}, "1": "` + checkText1 + `"}`,
		"two active":           `{"issuer_epoch": 0, "states": {"1": "active", "2": "active"}, "1": "` + checkText1 + `", "2": "` + checkText2 + `"}`,
		"unknown state":        `{"issuer_epoch": 0, "states": {"1": "active", "2": "sleeping"}, "1": "` + checkText1 + `", "2": "` + checkText2 + `"}`,
		"short":                `{"issuer_epoch": 0, "states": {"1": "active"}, "1": "short"}`,
		"empty":                `{"issuer_epoch": 0, "states": {"1": "active"}, "1": ""}`,
		"doubled":              `{"issuer_epoch": 0, "states": {"1": "active", "2": "verify-only"}, "1": "` + checkText1 + `", "2": "` + checkText1 + `"}`,
		"key id 0":             `{"issuer_epoch": 0, "states": {"0": "active"}, "0": "` + checkText1 + `"}`,
		"key id 256":           `{"issuer_epoch": 0, "states": {"256": "active"}, "256": "` + checkText1 + `"}`,
		"key id 01":            `{"issuer_epoch": 0, "states": {"01": "active"}, "01": "` + checkText1 + `"}`,
		"unknown member":       `{"issuer_epoch": 0, "states": {"1": "active"}, "1": "` + checkText1 + `", "note": "x"}`,
		"since null":           `{"issuer_epoch": 0, "states": {"1": "active"}, "since": null, "1": "` + checkText1 + `"}`,
		"since not an object":  `{"issuer_epoch": 0, "states": {"1": "active"}, "since": 1767323045, "1": "` + checkText1 + `"}`,
		"since as text":        `{"issuer_epoch": 0, "states": {"1": "active"}, "since": {"1": "1767323045"}, "1": "` + checkText1 + `"}`,
		"since a fraction":     `{"issuer_epoch": 0, "states": {"1": "active"}, "since": {"1": 1767323045.5}, "1": "` + checkText1 + `"}`,
		"since 0":              `{"issuer_epoch": 0, "states": {"1": "active"}, "since": {"1": 0}, "1": "` + checkText1 + `"}`,
		"since before 1970":    `{"issuer_epoch": 0, "states": {"1": "active"}, "since": {"1": -1}, "1": "` + checkText1 + `"}`,
		"since of no key":      `{"issuer_epoch": 0, "states": {"1": "active"}, "since": {"2": 1767323045}, "1": "` + checkText1 + `"}`,
		"since of a text":      `{"issuer_epoch": 0, "states": {"1": "active"}, "since": {"` + checkText2 + `": 1767323045}, "1": "` + checkText1 + `"}`,
		"paired null":          `{"issuer_epoch": 0, "states": {"1": "active"}, "paired": null, "1": "` + checkText1 + `"}`,
		"paired of no key":     `{"issuer_epoch": 0, "states": {"1": "active"}, "paired": {"2": 1767323045}, "1": "` + checkText1 + `"}`,
		"key that is a number": `{"issuer_epoch": 0, "states": {"1": "active"}, "1": 12345678901234567890123456789012}`,
	} {
		r, err := ParseCheckRing([]byte(check))
		if !errors.Is(err, ErrBadRing) || r != nil {
			t.Errorf("%s: accepted", what)
			continue
		}
		if strings.Contains(err.Error(), checkText1) || strings.Contains(err.Error(), checkText2) {
			t.Errorf("%s: the error repeats a key: %v", what, err)
		}
	}
	for what, mint := range map[string]string{
		"not JSON":              `x`,
		"active key missing":    `{"2": "` + mintText2 + `"}`,
		"no key":                `{}`,
		"short":                 `{"1": "short"}`,
		"doubled":               `{"1": "` + mintText1 + `", "2": "` + mintText1 + `"}`,
		"the check key's text":  `{"1": "` + checkText1 + `"}`,
		"key id that is a name": `{"1": "` + mintText1 + `", "x": "` + mintText2 + `"}`,
	} {
		r, err := ParseMintRing([]byte(mint), []byte(good))
		if !errors.Is(err, ErrBadRing) || r != nil {
			t.Errorf("mint secret, %s: accepted", what)
			continue
		}
		if strings.Contains(err.Error(), mintText1) || strings.Contains(err.Error(), checkText1) {
			t.Errorf("mint secret, %s: the error repeats a key: %v", what, err)
		}
	}
}

// Malleability: whatever Open accepts is exactly what Seal makes.
func FuzzOpen(f *testing.F) {
	r := ring2(f, Active, VerifyOnly)
	for _, kind := range []Kind{Access, Refresh} {
		n, rid := goldenName(kind)
		b, _, _ := r.Seal(n, rid)
		f.Add(b.Reveal())
		f.Add(b.Reveal() + "\n")
		f.Add(b.Reveal()[:40])
	}
	f.Add("")
	f.Add("fob_at_" + strings.Repeat("A", textLen-prefixLen))
	f.Fuzz(func(t *testing.T, s string) {
		got, err := r.Open(FromClient(s))
		if err != nil {
			if got != (Token{}) {
				t.Fatalf("Open(%q) failed and returned %+v", s, got)
			}
			return
		}
		raw := got.appendUntagged(nil, *got.secret)
		raw = append(raw, r.tag(got.Kind, got.KID, raw)...)
		if again := got.Kind.prefix() + encoding.EncodeToString(raw); again != s {
			t.Fatalf("Open accepted %q, which we would write %q", s, again)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	r := ring2(b, Active, VerifyOnly)
	n, rid := goldenName(Access)
	text, _, _ := r.Seal(n, rid)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Open(text); err != nil {
			b.Fatal(err)
		}
	}
}

// Refusing garbage is what a flood of it costs; counted, not timed.
func TestOpenAllocations(t *testing.T) {
	r := ring2(t, Active, VerifyOnly)
	n, rid := goldenName(Access)
	good, _, _ := r.Seal(n, rid)
	short := FromClient("garbage")
	if got := testing.AllocsPerRun(100, func() { _, _ = r.Open(short) }); got > 0 {
		t.Errorf("garbage of the wrong length costs %v allocations, want 0", got)
	}
	// 6; 7 to 9 under the race detector, which takes HMACs out of the pool at random; and 13
	// with an HMAC for each message.
	if got := testing.AllocsPerRun(100, func() { _, _ = r.Open(good) }); got > 11 {
		t.Errorf("a genuine token costs %v allocations, want at most 11", got)
	}
}

// A verify-only key without its mint key would end live logins as tampered.
func TestMintRingIsComplete(t *testing.T) {
	for state, ok := range map[State]bool{VerifyOnly: false, Prepublished: false, Retired: true} {
		_, err := ParseMintRing(
			secretJSON(t, map[string]string{"2": mintText2}),
			secretJSON(t, map[string]any{
				"issuer_epoch": 0, "states": map[string]State{"1": state, "2": Active}, "1": checkText1, "2": checkText2,
			}))
		if (err == nil) != ok {
			t.Errorf("mint secret without a %s key: %v", state, err)
		}
	}
}

// Neither an opened token nor a ring gives its secrets away when it is printed.
func TestNothingPrints(t *testing.T) {
	r := ring2(t, Active, VerifyOnly)
	n, rid := goldenName(Access)
	text, _, _ := r.Seal(n, rid)
	opened, err := r.Open(text)
	if err != nil {
		t.Fatal(err)
	}
	type holder struct {
		token Token
		ring  *MintRing
		deep  MintRing
	}
	printed := fmt.Sprintf("%v %+v %#v %v %+v %+v %+v", opened, opened, opened, r, *r, *r.CheckRing, holder{opened, r, *r})
	for what, b := range map[string][]byte{"secret": opened.secret[:], "mint key": r.mint[1].text[:], "check key": r.keys[1].text[:]} {
		for _, form := range []string{fmt.Sprint(b), fmt.Sprintf("%x", b), strings.Trim(fmt.Sprintf("%#v", b), "[]byte{}")} {
			if strings.Contains(printed, strings.Trim(form, "[]")) {
				t.Errorf("the %s was printed", what)
			}
		}
	}
}
