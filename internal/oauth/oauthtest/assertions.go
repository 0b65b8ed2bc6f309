package oauthtest

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/fob-oauth/fob/internal/oauth"
)

// Assertions takes JSON for a JWT: what makes a JWT genuine is tested in package
// assertion, and what follows from one elsewhere.
type Assertions struct {
	Verified int   // how many tokens were looked at
	Err      error // of all of them, unless nil

	Expected oauth.Expectation // of the latest

	mu sync.Mutex // of what Verify writes: two requests at once may call it
}

// CheckKeys implements oauth.Assertions.
func (*Assertions) CheckKeys(string, []string) error { return nil }

// Verify implements oauth.Assertions. It compares iss, and aud and a nonce if there are any.
func (a *Assertions) Verify(ctx context.Context, token string, find oauth.FindSigner, expect oauth.Expectation) (oauth.Claims, error) {
	a.mu.Lock()
	a.Verified++
	a.Expected = expect
	a.mu.Unlock()
	if a.Err != nil {
		return oauth.Claims{}, a.Err
	}
	var all map[string]json.RawMessage
	if json.Unmarshal([]byte(token), &all) != nil {
		return oauth.Claims{}, &oauth.RefusedAssertion{Reason: "no JWT"}
	}
	c := oauth.Claims{}.WithAll(all)
	c.Issuer, _ = c.Text("iss")
	c.Subject, _ = c.Text("sub")
	c.ID, _ = c.Text("jti")
	_ = json.Unmarshal(c.JSON("iat"), &c.IssuedAt) // none is zero
	_ = json.Unmarshal(c.JSON("exp"), &c.Expires)
	if (c.JSON("events") != nil) != expect.Event {
		return oauth.Claims{}, &oauth.RefusedAssertion{Reason: "an event in place of another token, or the reverse"}
	}
	c.EmailVerified = string(c.JSON("email_verified")) == "true"
	s, found, err := find(ctx, c.Issuer)
	if err != nil {
		return oauth.Claims{}, err
	}
	if !found || s.Name != c.Issuer && !(expect.Event && s.Name+"/" == c.Issuer) {
		return oauth.Claims{}, &oauth.RefusedAssertion{Reason: "the issuer is not registered", About: oauth.RefusedIssuer}
	}
	c.Audiences, _ = c.Texts("aud")
	for _, a := range c.Audiences {
		if !slices.Contains(s.Audiences, a) {
			return oauth.Claims{}, &oauth.RefusedAssertion{Reason: "an audience is not registered"}
		}
	}
	if nonce, ok := c.Text("nonce"); ok && nonce != expect.Nonce {
		return oauth.Claims{}, &oauth.RefusedAssertion{Reason: "the nonce is not of this request"}
	}
	return c, nil
}
