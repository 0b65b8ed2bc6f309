package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
)

// entries is a store of entries by name, each replaced in the version that was read alone:
// that of clients, and that of issuers.
type entries[E any] struct {
	kind string // of an entry

	of      func(name string) E // an entry with something in every field but Version
	name    func(E) string
	version func(*E) *uint64
	change  func(e *E, n int64) // of one setting, otherwise for each n
	spoil   func(E)             // writes into what e points to

	read   func(ctx context.Context, s Stores, name string) (E, bool, error)
	save   func(ctx context.Context, s Stores, e E) (E, error)
	remove func(ctx context.Context, s Stores, name string) (existed bool, err error)
	list   func(ctx context.Context, s Stores) ([]E, error)
}

// tests are those that hold for every kind. others come back whole, too.
func (of entries[E]) tests(others ...E) []test {
	return []test{
		{"what is not there is absent, which is not an error", func(t *testing.T, s Stores) {
			// Whatever a request may send as a name is at worst unknown.
			for _, name := range []string{
				"nobody", "", "scopes", "client#nobody", "issuer#nobody", "non\x00sense", "\xff\xfe", strings.Repeat("x", 16<<10),
			} {
				of.wantNone(t, s, name)
				if existed, err := of.remove(t.Context(), s, name); existed || err != nil {
					t.Errorf("removal of %.20q: %v, %v; want false", name, existed, err)
				}
			}
			of.wantAll(t, s)
		}},
		{"what was saved comes back whole", func(t *testing.T, s Stores) {
			for _, e := range append(others, of.of("full")) {
				saved := of.saved(t, s, e)
				*of.version(&e) = *of.version(&saved)
				if d := diff(e, saved); d != "" || *of.version(&saved) == 0 {
					t.Errorf("saved as version %d and (-want +got):\n%s", *of.version(&saved), d)
				}
				of.want(t, s, saved)
			}
		}},
		{"it is made only where there is none", func(t *testing.T, s Stores) {
			first := of.saved(t, s, of.of("a"))
			second := of.of("a")
			of.change(&second, 1)
			of.wantConflict(t, s, second)
			of.wantConflict(t, s, of.of("a")) // nor the same once more
			of.want(t, s, first)
		}},
		{"it is replaced in the very version that was read", func(t *testing.T, s Stores) {
			first := of.saved(t, s, of.of("a"))
			change := first
			of.change(&change, 1)
			second := of.saved(t, s, change)
			if *of.version(&second) <= *of.version(&first) {
				t.Errorf("version %d after %d", *of.version(&second), *of.version(&first))
			}
			of.want(t, s, second)
			of.wantConflict(t, s, change) // of the first version, which is gone
			ahead := second
			*of.version(&ahead)++
			of.wantConflict(t, s, ahead)
			of.want(t, s, second)
		}},
		{"what was removed is gone", func(t *testing.T, s Stores) {
			saved, other := of.saved(t, s, of.of("a")), of.saved(t, s, of.of("b"))
			for _, want := range []bool{true, false} {
				if existed, err := of.remove(t.Context(), s, "a"); existed != want || err != nil {
					t.Errorf("removal: %v, %v; want %v", existed, err, want)
				}
				of.wantNone(t, s, "a")
				of.wantConflict(t, s, saved) // saving what was read does not bring it back
				of.wantNone(t, s, "a")
			}
			of.wantAll(t, s, other)
		}},
		{"all are listed by name", func(t *testing.T, s Stores) {
			b, a, c := of.saved(t, s, of.of("b")), of.saved(t, s, of.of("A")), of.saved(t, s, of.of("b#"))
			of.wantAll(t, s, a, b, c)
		}},
		{"of many who save one wins", func(t *testing.T, s Stores) {
			saved := of.saved(t, s, of.of("a"))
			for _, base := range []E{of.of("new"), saved} {
				won := make([]bool, crowd)
				together(crowd, func(i int) {
					e := base
					of.change(&e, int64(i+1))
					_, err := of.save(t.Context(), s, e)
					if err != nil && !errors.Is(err, oauth.ErrConflict) {
						t.Error(err)
					}
					won[i] = err == nil
				})
				if n := count(won); n != 1 {
					t.Errorf("%s: %d won, want 1", of.name(base), n)
				}
			}
		}},
		{"they are copies", func(t *testing.T, s Stores) {
			in, want := of.of("a"), of.of("a")
			saved := of.saved(t, s, in)
			*of.version(&want) = *of.version(&saved)
			of.spoil(in)
			of.want(t, s, want)
			got, _, err := of.read(t.Context(), s, "a")
			if err != nil {
				t.Fatal(err)
			}
			of.spoil(got)
			of.want(t, s, want)
			list, err := of.list(t.Context(), s)
			if err != nil || len(list) != 1 {
				t.Fatalf("a list of %d, %v", len(list), err)
			}
			of.spoil(list[0])
			of.want(t, s, want)
		}},
	}
}

func (of entries[E]) saved(t *testing.T, s Stores, e E) E {
	t.Helper()
	saved, err := of.save(t.Context(), s, e)
	if err != nil {
		t.Fatalf("save the %s %s: %v", of.kind, of.name(e), err)
	}
	return saved
}

func (of entries[E]) want(t *testing.T, s Stores, want E) {
	t.Helper()
	got, found, err := of.read(t.Context(), s, of.name(want))
	if err != nil || !found {
		t.Fatalf("the %s %s: found %v, %v", of.kind, of.name(want), found, err)
	}
	if d := diff(want, got); d != "" {
		t.Errorf("the %s %s (-want +got):\n%s", of.kind, of.name(want), d)
	}
}

func (of entries[E]) wantNone(t *testing.T, s Stores, name string) {
	t.Helper()
	if got, found, err := of.read(t.Context(), s, name); found || err != nil {
		t.Errorf("the %s %.20q is %+v, %v, %v; want it absent", of.kind, name, got, found, err)
	}
}

func (of entries[E]) wantAll(t *testing.T, s Stores, want ...E) {
	t.Helper()
	got, err := of.list(t.Context(), s)
	if err != nil {
		t.Fatalf("list each %s: %v", of.kind, err)
	}
	if d := diff(want, got); d != "" {
		t.Errorf("the list of each %s (-want +got):\n%s", of.kind, d)
	}
}

func (of entries[E]) wantConflict(t *testing.T, s Stores, e E) {
	t.Helper()
	_, err := of.save(t.Context(), s, e)
	wantConflict(t, fmt.Sprintf("save the %s %s of version %d", of.kind, of.name(e), *of.version(&e)), err)
}
