package wire

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

var authorizationHeader = regexp.MustCompile(`^(?i:Bearer) +([A-Za-z0-9._~+/-]+=*)$`)

// A token is read out of what the grammar of RFC 6750 §2.1 allows, all of it, and
// out of nothing else.
func FuzzBearer(f *testing.F) {
	for _, seed := range []string{
		"", "Bearer", "Bearer x", "bearer  x==", "BEARER a.b-c_d~e+f/g", "Bearer x=y", "Bearer x y", "Bearer\tx", "Basic x", "Bearer x,Bearer x", "Bearer =", "Bearer x ", "Bearer x\n", "Bearer \u00fc",
	} {
		f.Add(seed, "")
	}
	f.Add("Bearer x", "Bearer x")
	f.Fuzz(func(t *testing.T, one, two string) {
		header := http.Header{"Authorization": {one}}
		if two != "" {
			header.Add("Authorization", two)
		}
		token, err := readBearer(header)
		match := authorizationHeader.FindStringSubmatch(one)
		switch {
		case err != nil && token.Len() != 0:
			t.Errorf("an error and a token of %d bytes", token.Len())
		case err == nil && (match == nil && two == "" || match != nil && token.Reveal() != match[1]):
			t.Errorf("%q is read as %q", one, token.Reveal())
		case err != nil && match != nil && two == "":
			t.Errorf("%q: %v", one, err)
		}
	})
}

func TestNeeds(t *testing.T) {
	set := func(s string) scope.Set {
		set, err := scope.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	for _, c := range []struct {
		has, needs string
		ok         bool
	}{
		{"", "", true},
		{"device_ipad", "", true},
		{"read device_ipad", "read", true},
		{"read write", "read write", true},
		{"read", "read write", false},
		{"", "read", false},
		{"reader", "read", false},
	} {
		err := needs(t.Context(), oauth.Introspection{Scope: set(c.has)}, strings.Fields(c.needs)...)
		if (err == nil) != c.ok {
			t.Errorf("%q for %q: %v", c.has, c.needs, err)
		}
		if refused, ok := errors.AsType[*resourceError](err); !c.ok && (!ok || refused.refused.Code != oauth.InsufficientScope || refused.scope != c.needs) {
			t.Errorf("%q for %q: %v", c.has, c.needs, err)
		}
	}
}
