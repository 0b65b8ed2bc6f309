package bearer

import "testing"

// A look needs no ring, and believes an altered token. It reads opaque tokens alone.
func TestLook(t *testing.T) {
	r := signingRing(t, Active, VerifyOnly)
	for _, kind := range []Kind{Access, Refresh} {
		n, rid := goldenName(kind)
		token, _, ok := r.Seal(n, rid)
		if !ok {
			t.Fatal("Seal refused")
		}
		text := token.Reveal()
		altered := text[:len(text)-1] + "A"
		for _, s := range []string{text, altered} {
			if got, ok := Look(FromClient(s)); !ok || got != n {
				t.Errorf("%s: Look = %+v, %v, want %+v", kind, got, ok, n)
			}
		}
		if !HasPrefix(text[:prefixLen]) || !HasPrefix("token="+text) || HasPrefix(text[1:]) {
			t.Errorf("%s: HasPrefix is wrong about the token or a part of it", kind)
		}
	}
	n, rid := goldenName(Access)
	jwt, _, ok := r.SealJWT(n, rid, goldenClaims)
	if !ok {
		t.Fatal("SealJWT refused")
	}
	for _, s := range []string{jwt.Reveal(), "", "fob_at_"} {
		if got, ok := Look(FromClient(s)); ok {
			t.Errorf("%.20q is seen as %+v", s, got)
		}
	}
}
