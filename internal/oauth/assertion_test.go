package oauth_test

import (
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
)

func TestSignerValidate(t *testing.T) {
	good := func() oauth.Signer {
		return oauth.Signer{
			Name:       "https://issuer.example/tenant",
			Audiences:  []string{"com.example.app"},
			Algorithms: []string{"RS256", "ES256", "EdDSA"},
		}
	}
	for what, change := range map[string]func(*oauth.Signer){
		"as it is":            func(*oauth.Signer) {},
		"inline keys":         func(s *oauth.Signer) { s.Name, s.JWKS = "backend", `{"keys":[]}` },
		"an address of keys":  func(s *oauth.Signer) { s.JWKSURL = "https://keys.example:8443/a/b" },
		"the longest age":     func(s *oauth.Signer) { s.MaxAge = 24 * 3600 },
		"the longest name":    func(s *oauth.Signer) { s.Name = "https://" + strings.Repeat("a", 504) },
		"twenty audiences":    func(s *oauth.Signer) { s.Audiences = strings.Fields(strings.Repeat("a ", 20)) },
		"audience is a URL":   func(s *oauth.Signer) { s.Audiences = []string{"https://fob.example/prod?x=y"} },
		"name is not a URL":   func(s *oauth.Signer) { s.Name, s.JWKS = "arn:aws:iam::123456789012:role/é", "{}" },
		"32 KB of keys":       func(s *oauth.Signer) { s.JWKS = strings.Repeat(" ", 32*1024) },
		"private addresses":   func(s *oauth.Signer) { s.PrivateAddresses = true },
		"address of IPv6":     func(s *oauth.Signer) { s.JWKSURL = "https://[2001:db8::1]/keys" },
		"one algorithm alone": func(s *oauth.Signer) { s.Algorithms = []string{"EdDSA"} },
	} {
		s := good()
		change(&s)
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, change := range map[string]func(*oauth.Signer){
		"no name":             func(s *oauth.Signer) { s.Name = "" },
		"a long name":         func(s *oauth.Signer) { s.Name = "https://" + strings.Repeat("a", 505) },
		"a blank":             func(s *oauth.Signer) { s.Name, s.JWKS = "back end", "{}" },
		"a line break":        func(s *oauth.Signer) { s.Name, s.JWKS = "back\nend", "{}" },
		"not UTF-8":           func(s *oauth.Signer) { s.Name, s.JWKS = "back\xffend", "{}" },
		"a space of no width": func(s *oauth.Signer) { s.Name += "\u200b" },
		"a space that stays":  func(s *oauth.Signer) { s.Name += "\u00a0" },
		"a mark of order":     func(s *oauth.Signer) { s.Audiences = []string{"\ufeffcom.example.app"} },
		"no URL":              func(s *oauth.Signer) { s.Name = "accounts.google.com" },
		"http":                func(s *oauth.Signer) { s.Name = "http://issuer.example" },
		"no host":             func(s *oauth.Signer) { s.Name = "https:///path" },
		"opaque":              func(s *oauth.Signer) { s.Name = "https:issuer.example" },
		"a user":              func(s *oauth.Signer) { s.Name = "https://user@issuer.example" },
		"a query":             func(s *oauth.Signer) { s.Name = "https://issuer.example?a=b" },
		"an empty query":      func(s *oauth.Signer) { s.Name = "https://issuer.example?" },
		"a fragment":          func(s *oauth.Signer) { s.Name = "https://issuer.example#" },
		"no audience":         func(s *oauth.Signer) { s.Audiences = nil },
		"an empty audience":   func(s *oauth.Signer) { s.Audiences = []string{""} },
		"a long audience":     func(s *oauth.Signer) { s.Audiences = []string{strings.Repeat("a", 513)} },
		"an audience's blank": func(s *oauth.Signer) { s.Audiences = []string{"a b"} },
		"21 audiences":        func(s *oauth.Signer) { s.Audiences = strings.Fields(strings.Repeat("a ", 21)) },
		"no algorithm":        func(s *oauth.Signer) { s.Algorithms = nil },
		"none":                func(s *oauth.Signer) { s.Algorithms = []string{"RS256", "none"} },
		"HMAC":                func(s *oauth.Signer) { s.Algorithms = []string{"HS256"} },
		"two sources of keys": func(s *oauth.Signer) { s.JWKS, s.JWKSURL = "{}", "https://keys.example" },
		"more than 32 KB":     func(s *oauth.Signer) { s.JWKS = strings.Repeat(" ", 32*1024+1) },
		"keys over http":      func(s *oauth.Signer) { s.JWKSURL = "http://keys.example" },
		"keys in a file":      func(s *oauth.Signer) { s.JWKSURL = "file:///keys" },
		"an age below zero":   func(s *oauth.Signer) { s.MaxAge = -1 },
		"an age of two days":  func(s *oauth.Signer) { s.MaxAge = 2 * 24 * 3600 },
	} {
		s := good()
		change(&s)
		if s.Validate() == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	s := good()
	s.Name, s.Audiences, s.Algorithms = "", nil, []string{"HS256"}
	if err := s.Validate(); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("not all three faults: %v", err)
	}
}
