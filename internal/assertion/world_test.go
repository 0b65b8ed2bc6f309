package assertion_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/assertion"
	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

const (
	start = 1_800_000_000
	app   = "com.example.app"
)

// world is an issuer on loopback, and a verifier that knows it.
type world struct {
	clock    oauthtest.Clock
	issuer   *assertiontest.Issuer
	verifier *assertion.Verifier
	signer   oauth.Signer
	lookups  int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{issuer: assertiontest.New(t)}
	w.clock.Store(start)
	w.verifier = assertion.New(w.clock.Now, w.issuer.Roots)
	w.signer = oauth.Signer{
		Name:             w.issuer.URL,
		Audiences:        []string{app, "com.example.other"},
		Algorithms:       oauth.Algorithms(),
		PrivateAddresses: true,
	}
	return w
}

func (w *world) find(ctx context.Context, iss string) (oauth.Signer, bool, error) {
	w.lookups++
	return w.signerOf(ctx, iss)
}

// signerOf is find without the count, for requests that run together.
func (w *world) signerOf(_ context.Context, iss string) (oauth.Signer, bool, error) {
	if iss != w.signer.Name {
		return oauth.Signer{}, false, nil
	}
	return w.signer, true, nil
}

func (w *world) verify(t *testing.T, token string, expect oauth.Expectation) (oauth.Claims, error) {
	t.Helper()
	return w.verifier.Verify(t.Context(), token, w.find, expect)
}

// claims are right; more replaces some, and a nil drops one.
func (w *world) claims(more assertiontest.Members) assertiontest.Members {
	m := assertiontest.Members{
		"iss": w.signer.Name, "aud": app, "sub": "001234.abc",
		"iat": w.clock.Load(), "exp": w.clock.Load() + 600,
	}
	for name, value := range more {
		if m[name] = value; value == nil {
			delete(m, name)
		}
	}
	return m
}

// token is signed with the key that the issuer shows.
func (w *world) token(t *testing.T, more assertiontest.Members) string {
	t.Helper()
	return w.issuer.Key().Sign(t, nil, w.claims(more))
}

func (w *world) pass(d time.Duration) { w.clock.Add(int64(d / time.Second)) }

// wantSets is how often the key set was fetched so far.
func (w *world) wantSets(t *testing.T, doing string, want int64) {
	t.Helper()
	if _, got := w.issuer.Fetches(); got != want {
		t.Errorf("%s: %d fetches of the key set, want %d", doing, got, want)
	}
}

func wantAccepted(t *testing.T, doing string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", doing, err)
	}
}

func wantRefused(t *testing.T, doing string, err error) {
	t.Helper()
	if !isRefused(err) {
		t.Errorf("%s: %v, want a refusal", doing, err)
	}
}

func isRefused(err error) bool {
	_, ok := errors.AsType[*oauth.RefusedAssertion](err)
	return ok && !errors.Is(err, oauth.ErrUnavailable)
}

func wantUnavailable(t *testing.T, doing string, err error) {
	t.Helper()
	if !errors.Is(err, oauth.ErrUnavailable) || isRefused(err) {
		t.Errorf("%s: %v, want unavailable", doing, err)
	}
}
