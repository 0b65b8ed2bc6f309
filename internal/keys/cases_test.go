package keys

import (
	"errors"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/oauth"
)

// What docs/cases.md promises (A31, A71), in its own numbers: a retired key and
// a raised issuer epoch hold within 60 seconds, and a key id that nobody has
// costs one fetch a minute.
func TestA31A71Within60Seconds(t *testing.T) {
	s, c := newSource()
	first, err := c.Ring(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	began := s.now
	s.err = errors.New("down") // so that nothing is renewed early
	for age := range 121 {
		s.now = began.Add(time.Duration(age) * time.Second)
		got, err := c.Ring(t.Context())
		switch {
		case age >= 60 && !errors.Is(err, oauth.ErrUnavailable):
			t.Fatalf("a ring of %d s was served: %d, %v", age, got, err)
		case age < 60 && (got != first || err != nil):
			t.Fatalf("a ring of %d s was not: %v", age, err)
		}
	}

	s.err = nil
	s.now = s.now.Add(time.Hour)
	if _, err := c.Ring(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := s.fetches
	for range 600 {
		if _, err := c.ReloadForUnknownKey(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(time.Second)
	}
	if n := s.fetches - before; n < 1 || n > 10 {
		t.Errorf("%d fetches in ten minutes", n)
	}
}
