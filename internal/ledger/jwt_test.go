package ledger

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/bearer"
)

// The promise for JWTs: one string until the floor, across a change of the key to
// verify-only and a ring that was parsed anew; another string after an end.
func TestSameJWTAgain(t *testing.T) {
	b := newJWTBench(t, false)
	b.terms.JWTLifetime = 600
	first := b.login()
	b.now += 540
	b.ring = signingRing(t, map[string]bearer.State{"1": bearer.VerifyOnly, "2": bearer.Active})
	again := b.login()
	if !again.AccessToken.Equal(first.AccessToken.Text) || b.wrote() || again.ExpiresIn != 60 {
		t.Fatalf("wrote %v, %d s, and the second JWT is\n%s, want\n%s", b.wrote(), again.ExpiresIn, again.AccessToken.Reveal(), first.AccessToken.Reveal())
	}
	b.now++
	next := b.login()
	if next.AccessToken.Equal(first.AccessToken.Text) || next.ExpiresIn != 600 || !b.active(first.AccessToken) || !b.active(next.AccessToken) {
		t.Error("below the floor: the JWT is not the next one, or one of the two is not active")
	}
	b.found = false
	ended := b.login()
	b.found = false // within the same second
	other := b.login()
	if other.AccessToken.Equal(ended.AccessToken.Text) || b.active(next.AccessToken) || b.active(ended.AccessToken) || !b.active(other.AccessToken) {
		t.Error("after an end the old JWT came back")
	}
}

// A JWT says what its Authorization and its slot say.
func TestClaims(t *testing.T) {
	b := newJWTBench(t, false)
	text := b.login().AccessToken.Reveal()
	var got map[string]any
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
	if err != nil || json.Unmarshal(payload, &got) != nil {
		t.Fatalf("the payload is not JSON in base64url: %v", err)
	}
	opened, err := b.ring.Open(bearer.FromClient(text))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"iss": "https://auth.example.com", "sub": "u_1", "aud": []any{"app"}, "client_id": "app",
		"scope": "read device_ipad", "iat": float64(testNow), "exp": float64(testNow + defaultAccessLifetime), "jti": opened.JTI(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if r := b.record.Access; opened.Hash != r.Hash || opened.Locator != b.auth.Locator() || r.Expiry != opened.Expiry {
		t.Error("the jti does not lead to the record")
	}
	if !strings.HasPrefix(b.login().RefreshToken.Reveal(), "fob_rt_") {
		t.Error("the refresh token is not opaque")
	}
}

// An instance whose ring has the key but not its pair yet is behind. One that read
// everything anew may replace the record.
func TestJudgeWithoutThePair(t *testing.T) {
	b := newJWTBench(t, false)
	b.login()
	b.record.Nonce = Nonce{1}
	for _, slot := range []func(*Record){
		func(*Record) {},
		func(r *Record) { r.AccessPrev, r.Access = r.Access, Slot{} },
	} {
		r := b.record
		slot(&r)
		view := View{Now: b.now, Keys: testRing(t, map[string]bearer.State{"1": bearer.Active})}
		if got := view.Judge(r, b.auth.Locator()); got != Behind {
			t.Errorf("a JWT under a key without its pair: %v, want behind", got)
		}
		if view.Ahead = r.Nonce; view.Judge(r, b.auth.Locator()) == Behind {
			t.Error("read anew, it is behind for ever")
		}
		view.Ahead, view.Now = Nonce{}, r.Access.Expiry+r.AccessPrev.Expiry
		if view.Judge(r, b.auth.Locator()) == Behind {
			t.Error("a JWT that ran out holds everybody up")
		}
	}
}

// An edited record hands nothing out that does not verify, and no other user's JWT.
func TestEditedRecordGivesNoJWT(t *testing.T) {
	b := newJWTBench(t, false)
	first := b.login()
	for what, edit := range map[string]func(*Slot){
		"hash":       func(s *Slot) { s.Hash[0]++ },
		"generation": func(s *Slot) { s.Generation++ },
		"expiry":     func(s *Slot) { s.Expiry++ },
		"issued at":  func(s *Slot) { s.IssuedAt++ },
	} {
		edited := *b
		edit(&edited.record.Access)
		d := edited.issue(true)
		if d.Do != Save || !d.Tampered || d.Answer.AccessToken.Equal(first.AccessToken.Text) || d.Record.RID == b.record.RID {
			t.Errorf("edited %s: %v, tampered %v", what, d.Do, d.Tampered)
		}
	}
}
