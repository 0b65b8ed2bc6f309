package rotation

import (
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/secret"
)

// filled is d with a mint secret of so many bytes.
func filled(t testing.TB, d Document, size int) Document {
	t.Helper()
	mint, _, err := d.texts()
	if err != nil {
		t.Fatal(err)
	}
	d = d.clone()
	d.mint[1] = secret.New(d.mint[1].Reveal() + strings.Repeat("x", size-len(mint)))
	return d
}

// A secret that is nearly full takes no key that would leave no room for the one in the place of
// a leaked one.
func TestRoomForALeakedKey(t *testing.T) {
	// The parts of the next key are in the mint secret, as after an Add that was stopped. So
	// Add makes it no longer.
	begun, _, err := signing(t, bearer.VerifyOnly, bearer.Active).Add(began)
	if err != nil {
		t.Fatal(err)
	}
	delete(begun.states, 3)
	delete(begun.since, 3)
	delete(begun.check, 3)
	delete(begun.pairs.public, 3)

	d, _, err := filled(t, begun, maxSecret-spareRoom).Add(began)
	if err != nil {
		t.Fatalf("Add with room left: %v", err)
	}
	d, replacement, err := d.RetireNow(2, began.Add(time.Second))
	if err != nil || !replacement.Signs {
		t.Fatalf("RetireNow in a full secret: %+v, %v", replacement, err)
	}
	if mint, check, err := d.texts(); err != nil || len(mint) > maxSecret || len(check) > len(mint) {
		t.Errorf("%d and %d bytes, %v", len(mint), len(check), err)
	}

	_, _, err = filled(t, begun, maxSecret-spareRoom+1).Add(began)
	wantRefusal(t, err, NoRoom)
	_, _, err = filled(t, begun, maxSecret).RetireNow(2, began)
	wantRefusal(t, err, NoRoom)
	plain := filled(t, document(t, bearer.Active), maxSecret-spareRoom)
	_, _, err = plain.Sign(began)
	wantRefusal(t, err, NoRoom)
	if _, changed, err := filled(t, signing(t, bearer.Active), maxSecret).Sign(began); changed || err != nil {
		t.Errorf("Sign where there is a pair: %v, %v", changed, err)
	}
}

// What makes room: a retired key's pair goes after the wait, also when a pair is made.
func TestRoomAfterARetirement(t *testing.T) {
	d := signing(t, bearer.Active)
	d, replacement, err := d.RetireNow(1, began)
	if err != nil {
		t.Fatal(err)
	}
	delete(d.pairs.private, replacement.KID)
	delete(d.pairs.public, replacement.KID)
	if soon, _, err := d.Sign(began.Add(time.Second)); err != nil || soon.pairs.private[1].Len() == 0 {
		t.Errorf("the pair of the retired key went too early, or %v", err)
	}
	if d, _, err = d.Sign(began.Add(StepWait + time.Second)); err != nil || d.pairs.private[1].Len()+d.pairs.public[1].Len() != 0 {
		t.Errorf("the retired key keeps its pair, or %v", err)
	}
}
