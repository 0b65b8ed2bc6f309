package rotation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/keys/keystest"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/wire"
)

// signing is a document whose active key has a pair.
func signing(t testing.TB, states ...bearer.State) Document {
	t.Helper()
	d, changed, err := document(t, states...).Sign(began)
	if err != nil || !changed {
		t.Fatalf("Sign: %v, %v", changed, err)
	}
	return d
}

// ringOf is the ring that instances make of a document.
func ringOf(t testing.TB, d Document) *bearer.MintRing {
	t.Helper()
	mint, check, err := d.texts()
	if err != nil {
		t.Fatal(err)
	}
	r, err := bearer.ParseMintRing(mint, check)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sealJWT(t testing.TB, r *bearer.MintRing, kid uint8) string {
	t.Helper()
	jwt, _, ok := r.SealJWT(bearer.Name{Kind: bearer.Access, KID: kid, Expiry: 1_900_000_000}, bearer.RID{}, bearer.Claims{})
	if !ok {
		t.Fatalf("key %d signs nothing", kid)
	}
	return jwt.Reveal()
}

// A key turns while JWTs are signed under it: the JWT stays the same to the byte, and its
// key published, until it is retired. The next key is published for long enough first.
func TestTurningWithPairs(t *testing.T) {
	d := signing(t, bearer.Active)
	jwt := sealJWT(t, ringOf(t, d), 1)
	at := began.Add(48 * time.Hour)
	d, k, err := d.Add(at)
	if err != nil || !k.Signs || len(ringOf(t, d).JWKS(at.Unix())) != 2 {
		t.Fatalf("Add: %+v, %v", k, err)
	}
	if _, err := d.Activate(2, at.Add(StepWait)); !wantRefusal(t, err, TooEarly).From.Equal(at.Add(2*time.Hour + 5*time.Minute + StepWait)) {
		t.Error("a key is activated that caches of public keys may not have")
	}
	at = at.Add(PublicationWait)
	if d, err = d.Activate(2, at); err != nil {
		t.Fatal(err)
	}
	r := ringOf(t, d)
	if again := sealJWT(t, r, 1); again != jwt || !r.Signs() || len(r.JWKS(at.Unix())) != 2 {
		t.Errorf("under the verify-only key the JWT became\n%s, and was\n%s", again, jwt)
	}
	at = at.Add(StepWait + time.Hour)
	if d, err = d.Retire(1, at, time.Hour); err != nil {
		t.Fatal(err)
	}
	r = ringOf(t, d)
	if _, err := r.Open(bearer.FromClient(jwt)); !errors.Is(err, bearer.ErrRetiredKey) || len(r.JWKS(at.Unix())) != 1 {
		t.Errorf("Open after the retirement: %v, with %d published keys", err, len(r.JWKS(at.Unix())))
	}
	// The pair goes with the next key, but not within the wait: an instance may read the
	// check secret from before the retirement.
	soon, _, err := d.Add(at.Add(time.Second))
	if err != nil || soon.pairs.private[1].Len() == 0 {
		t.Errorf("the private key went too early, or %v", err)
	}
	if d, _, err = d.Add(at.Add(StepWait + time.Second)); err != nil || d.pairs.private[1].Len()+d.pairs.public[1].Len() != 0 {
		t.Errorf("the retired key keeps its pair, or %v", err)
	}
	ringOf(t, d)
}

func TestSign(t *testing.T) {
	plain := document(t, bearer.VerifyOnly, bearer.Active, bearer.Prepublished)
	if mint, check, err := plain.texts(); err != nil || strings.Contains(string(mint)+string(check), signingMember) {
		t.Errorf("a ring without pairs has the member that older programs refuse, or %v", err)
	}
	at := began.Add(time.Hour)
	d, changed, err := plain.Sign(at)
	if err != nil || !changed || !d.newMint || plain.newMint {
		t.Fatalf("Sign: %v, %v", changed, err)
	}
	for kid, want := range map[uint8]bool{1: false, 2: true, 3: true} {
		if k, _ := d.Key(kid); k.Signs != want {
			t.Errorf("key %d has a pair: %v", kid, k.Signs)
		}
	}
	k3, _ := d.Key(3)
	if _, from := k3.Next(0); !from.Equal(at.Add(PublicationWait)) {
		t.Errorf("the prepublished key can be activated from %v on, and its public key is out since %v", from, at)
	}
	if k := d.Active(); !k.JWTsFrom().Equal(at.Add(StepWait)) {
		t.Errorf("clients can be set to JWTs from %v on, and the pair is there since %v", k.JWTsFrom(), at)
	}
	// The age of the keys is what it was: a key that is too old is turned, and the alarm on it rings.
	for _, k := range d.Keys() {
		if !k.Since.Equal(began) {
			t.Errorf("key %d is %s since %v, want %v", k.KID, k.State, k.Since, began)
		}
	}
	if ring := ringOf(t, d); ring.ActiveSince() != began.Unix() {
		t.Errorf("the ring has the active key since %v", ring.ActiveSince())
	}
	if _, changed, err = d.Sign(at.Add(time.Minute)); changed || err != nil {
		t.Errorf("a second Sign: %v, %v", changed, err)
	}
	// A document as it is stored and read again.
	mint, check, _ := d.texts()
	read, err := parseDocument(mint, check, began)
	if err != nil || read.pairs.private[2].Reveal() != d.pairs.private[2].Reveal() || !read.Active().Signs || read.Active() != d.Active() {
		t.Errorf("what is read is not what was written: %v", err)
	}
	// The time of a pair is kept until the key enters its next state.
	later, err := d.Activate(3, at.Add(PublicationWait))
	if err != nil {
		t.Fatal(err)
	}
	if _, check, err := later.texts(); err != nil || strings.Contains(string(check), pairedMember) || d.Active().Paired != at.UTC() {
		t.Errorf("after the turn the time of a pair is there, or it was not before, or %v", err)
	}
}

// The wait covers an answer that a cache took just before the key was published.
func TestPublicationWaitCoversTheKeySetsAge(t *testing.T) {
	rec := httptest.NewRecorder()
	ring := oauthtest.Keys[*bearer.CheckRing]{Always: ringOf(t, signing(t, bearer.Active)).CheckRing}
	v := &oauth.Verifier{Keys: ring, Now: func() time.Time { return began }}
	wire.KeySet(v, wire.Options{}).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, wire.KeySetPath, nil))
	want := fmt.Sprintf("public, max-age=%d", int(keySetAge.Seconds()))
	if got := rec.Header().Get("Cache-Control"); got != want {
		t.Errorf("the key set is kept by %q, and the wait is made for %q", got, want)
	}
}

// A leaked key takes its pair with it, and the one in its place has another.
func TestRetireNowWithPairs(t *testing.T) {
	d := signing(t, bearer.Active)
	jwt := sealJWT(t, ringOf(t, d), 1)
	d, replacement, err := d.RetireNow(1, began.Add(time.Hour))
	if err != nil || !replacement.Signs {
		t.Fatalf("RetireNow: %+v, %v", replacement, err)
	}
	r := ringOf(t, d)
	if _, err := r.Open(bearer.FromClient(jwt)); !errors.Is(err, bearer.ErrRetiredKey) || len(r.JWKS(began.Unix())) != 1 {
		t.Errorf("Open: %v, with %d published keys", err, len(r.JWKS(began.Unix())))
	}
	sealJWT(t, r, replacement.KID)
	// Secrets that are nearly full have room for the next one.
	if d, _, err = d.RetireNow(replacement.KID, began.Add(2*time.Hour)); err != nil || d.pairs.private[1].Len()+d.pairs.public[1].Len() != 0 {
		t.Errorf("the retired key keeps its pair, or %v", err)
	}
	ringOf(t, d)
}

// A change that stopped after the mint secret goes on with the private key that is there.
func TestSignCanBeStopped(t *testing.T) {
	s, v := secretsManager(t)
	s.Before(func(operation, secret string) error {
		if operation != "GetSecretValue" && secret == checkARN {
			return &keystest.Error{Status: 400, Code: "InvalidRequestException"}
		}
		return nil
	})
	d, _, err := read(t, v).Sign(began)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Write(t.Context(), d); err == nil {
		t.Fatal("the check secret was written")
	}
	s.Before(nil)
	begun := read(t, v)
	if begun.Active().Signs {
		t.Fatal("half a pair signs")
	}
	if d, _, err = begun.Sign(began); err != nil || d.newMint {
		t.Fatalf("Sign once more: %v, and it writes the mint secret: %v", err, d.newMint)
	}
	if _, err := v.Write(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	sealJWT(t, ringOf(t, read(t, v)), 1)
}

// A rotation waits for the caches, too.
func TestRotationWithPairs(t *testing.T) {
	_, v := keyFile(t)
	now := began.Add(48 * time.Hour)
	d, _, err := read(t, v).Sign(now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Write(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	started := now
	done, err := Rotation{
		Vault: v, Now: func() time.Time { return now },
		Sleep:   func(_ context.Context, d time.Duration) error { now = now.Add(d); return nil },
		Longest: func(context.Context) (time.Duration, error) { return time.Hour, nil },
		Say:     func(string) {}, Again: true,
	}.Run(t.Context())
	if took := now.Sub(started); err != nil || !done.Turned || !done.Active.Signs || took != PublicationWait+StepWait {
		t.Errorf("%+v after %v, %v", done, took, err)
	}
}

// Somebody makes the first pairs while a rotation waits: the key that waits begins anew, and
// the rotation waits on.
func TestRotationWhilePairsAreMade(t *testing.T) {
	_, v := keyFile(t)
	now := began.Add(48 * time.Hour)
	var signed time.Time
	done, err := Rotation{
		Vault: v, Now: func() time.Time { return now },
		Sleep: func(_ context.Context, d time.Duration) error {
			if signed.IsZero() {
				signed = now.Add(d / 2)
				d, _, err := read(t, v).Sign(signed)
				if err == nil {
					_, err = v.Write(t.Context(), d)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			now = now.Add(d)
			return nil
		},
		Longest: func(context.Context) (time.Duration, error) { return time.Hour, nil },
		Say:     func(string) {},
		Again:   true,
	}.Run(t.Context())
	if err != nil || !done.Turned || !done.Active.Signs || done.Active.Since.Before(signed.Add(PublicationWait)) {
		t.Errorf("%+v, pairs since %v, %v", done, signed, err)
	}
}
