package assertion_test

import (
	"context"
	"errors"
	"testing"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/oauth"
)

// In age, issuer and nonce an event differs from all other tokens, and they do not take
// part in it.
func TestEventsAreJudgedByThemselves(t *testing.T) {
	type m = assertiontest.Members
	w := newWorld(t)
	w.signer.NonceRequired, w.signer.MaxAge = true, 60
	for _, c := range []struct {
		what     string
		claims   m
		accepted bool
	}{
		{"just made", m{}, true},
		{"older than an ID token may be", m{"iat": start - 2*3600}, true},
		{"a week old", m{"iat": start - 7*24*3600 - 60}, true},
		{"older than a week", m{"iat": start - 7*24*3600 - 61}, false},
		{"of the future", m{"iat": start + 61}, false},
		{"iss with a slash, as Google sends it", m{"iss": w.signer.Name + "/"}, true},
		{"iss with two slashes", m{"iss": w.signer.Name + "//"}, false},
		{"iss without its end", m{"iss": w.signer.Name[:len(w.signer.Name)-1]}, false},
	} {
		claims := m{"jti": "e1", "events": m{"x": m{}}, "exp": nil}
		for name, value := range c.claims {
			claims[name] = value
		}
		token := w.token(t, claims)
		_, err := w.verifier.Verify(t.Context(), token, anySigner(w), oauth.Expectation{Event: true})
		if c.accepted {
			wantAccepted(t, c.what, err)
		} else {
			wantRefused(t, c.what, err)
		}
		w.signer.NonceRequired = false
		claims["events"], claims["exp"] = nil, w.clock.Load()+600
		_, err = w.verifier.Verify(t.Context(), w.token(t, claims), anySigner(w), oauth.Expectation{})
		if c.what == "just made" {
			wantAccepted(t, c.what, err)
		} else {
			wantRefused(t, "an ID token "+c.what, err)
		}
		w.signer.NonceRequired = true
	}
}

// anySigner finds w's signer under any name.
func anySigner(w *world) oauth.FindSigner {
	return func(context.Context, string) (oauth.Signer, bool, error) { return w.signer, true, nil }
}

// A transmitter learns which part was refused, and nothing else is named.
func TestRefusedParts(t *testing.T) {
	type m = assertiontest.Members
	w := newWorld(t)
	event := func(more m) m {
		claims := m{"jti": "e1", "events": m{"x": m{}}}
		for name, value := range more {
			claims[name] = value
		}
		return w.claims(claims)
	}
	key := w.issuer.Key()
	forger := assertiontest.NewKey(t, "ES256")
	stolen := forger
	stolen.ID = key.ID
	for _, c := range []struct {
		what, token string
		want        oauth.RefusedPart
	}{
		{"an issuer that is not registered", key.Sign(t, nil, event(m{"iss": "https://elsewhere.example"})), oauth.RefusedIssuer},
		{"another audience", key.Sign(t, nil, event(m{"aud": "com.evil.app"})), oauth.RefusedAudience},
		{"another key under the id", stolen.Sign(t, nil, event(nil)), oauth.RefusedKey},
		{"an unknown key", forger.Sign(t, nil, event(nil)), oauth.RefusedKey},
		{"too old", key.Sign(t, nil, event(m{"iat": start - 8*24*3600})), ""},
		{"no JWT", "x", ""},
	} {
		_, err := w.verify(t, c.token, oauth.Expectation{Event: true})
		refused, ok := errors.AsType[*oauth.RefusedAssertion](err)
		if !ok || refused.About != c.want {
			t.Errorf("%s: %v about %q, want %q", c.what, err, refused.About, c.want)
		}
	}
}

// A forged event is refused as any other forged token is, before a key is fetched.
func TestHostileEvents(t *testing.T) {
	w := newWorld(t)
	key := assertiontest.NewKey(t, "ES256")
	w.issuer.Publish(key)
	asEvent := func(more assertiontest.Members) assertiontest.Members {
		claims := assertiontest.Members{"jti": "e1", "events": assertiontest.Members{"x": assertiontest.Members{}}}
		for name, value := range more {
			claims[name] = value
		}
		return w.claims(claims)
	}
	good := map[string]bool{"an event": true, "no sub": true, "no exp": true, "iat an hour back": true}
	for what, c := range hostile(t, key, asEvent) {
		_, err := w.verify(t, c.token, oauth.Expectation{Event: true})
		if good[what] {
			delete(good, what)
			wantAccepted(t, what, err)
		} else {
			wantRefused(t, what, err)
		}
	}
	if len(good) > 0 {
		t.Errorf("not among the hostile tokens: %v", good)
	}
	if discoveries, sets := w.issuer.Fetches(); discoveries+sets != 2 {
		t.Errorf("%d discoveries, %d key sets fetched, want one of each", discoveries, sets)
	}
}
