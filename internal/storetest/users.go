package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

var usersTests = []test{
	{"no user is absent and no error", func(t *testing.T, s Stores) {
		for _, name := range []string{"nobody", "", "\xff\xfe", "user#nobody"} {
			wantLogin(t, s, name, login(zero, zero))
			if got, found, err := s.UserRegistry.User(t.Context(), name); found || err != nil {
				t.Errorf("User(%q) = %+v, %v, %v; want it absent", name, got, found, err)
			}
		}
		wantUsers(t, s)
	}},
	{"what was saved comes back whole", func(t *testing.T, s Stores) {
		full := testUser("ann@example.com")
		plain := oauth.User{Username: "a b", ID: "u_plain", PasswordHash: secret.New("$fixture$"), Created: 1}
		for _, u := range []oauth.User{full, plain} {
			saved := saveUser(t, s, u)
			u.Version = saved.Version
			if age := time.Now().Unix() - int64(saved.Version); age < 0 || age > 3600 {
				t.Errorf("version %d is not of now: see NextVersion", saved.Version)
			}
			if d := diff(u, saved); d != "" {
				t.Errorf("SaveUser (-want +got):\n%s", d)
			}
			wantUser(t, s, u)
		}
	}},
	{"names are compared byte for byte", func(t *testing.T, s Stores) {
		upper, lower := saveUser(t, s, testUser("Ann")), saveUser(t, s, testUser("ann"))
		composed, decomposed := saveUser(t, s, testUser("Ren\u00e9")), saveUser(t, s, testUser("Rene\u0301"))
		for _, u := range []oauth.User{upper, lower, composed, decomposed} {
			wantUser(t, s, u)
		}
		wantLogin(t, s, "ANN", login(zero, zero))
		wantLogin(t, s, "ann ", login(zero, zero))
	}},
	{"a user is made only where there is none", func(t *testing.T, s Stores) {
		first := saveUser(t, s, testUser("ann"))
		second := testUser("ann")
		second.ID = "u_second"
		wantUserConflict(t, s, second)
		wantUserConflict(t, s, testUser("ann")) // nor the same once more
		wantUser(t, s, first)
	}},
	{"a user is replaced in the very version that was read, which grows", func(t *testing.T, s Stores) {
		user := saveUser(t, s, testUser("ann"))
		for range 10 {
			change := user
			change.Roles = change.Roles[:1]
			change.PasswordHash = secret.New("$fixture$other")
			saved := saveUser(t, s, change)
			if saved.Version <= change.Version {
				t.Fatalf("version %d after %d", saved.Version, change.Version)
			}
			wantUser(t, s, saved)
			wantUserConflict(t, s, change)
			user = saved
		}
		ahead := user
		ahead.Version++
		wantUserConflict(t, s, ahead)
		wantUser(t, s, user)
		stranger := testUser("bob")
		stranger.Version = 1
		wantUserConflict(t, s, stranger) // one that is not there has no version
	}},
	{"all users are listed by name", func(t *testing.T, s Stores) {
		countFailure(t, s, 7, oauth.ExpiringCounter{Key: counter("pair"), TTL: late}) // is not a user
		b, a, c := saveUser(t, s, testUser("b")), saveUser(t, s, testUser("a")), saveUser(t, s, testUser("\u00e4"))
		wantUsers(t, s, a, b, c)
	}},
	{"of many who save a user one wins", func(t *testing.T, s Stores) {
		saved := saveUser(t, s, testUser("ann"))
		for _, base := range []oauth.User{testUser("new"), saved} {
			won := make([]bool, crowd)
			together(crowd, func(i int) {
				u := base
				u.Created = int64(i)
				_, err := s.Users.SaveUser(t.Context(), u)
				if err != nil && !errors.Is(err, oauth.ErrConflict) {
					t.Error(err)
				}
				won[i] = err == nil
			})
			if n := count(won); n != 1 {
				t.Errorf("%s: %d won, want 1", base.Username, n)
			}
		}
	}},
	{"users are copies", func(t *testing.T, s Stores) {
		in, want := testUser("ann"), testUser("ann")
		want.Version = saveUser(t, s, in).Version
		spoil := func(u oauth.User) { u.Roles[0], u.Sources[0].Last = "spoiled", 1 }
		spoil(in)
		wantUser(t, s, want)
		got, _, err := s.UserRegistry.User(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		spoil(got)
		read, err := s.Users.Login(t.Context(), "ann", counter("pair"), counter("name"))
		if err != nil {
			t.Fatal(err)
		}
		spoil(read.User)
		list, err := oauth.AllUsers(t.Context(), s.UserRegistry)
		if err != nil || len(list) != 1 {
			t.Fatalf("AllUsers = %d users, %v", len(list), err)
		}
		spoil(list[0])
		wantUser(t, s, want)
	}},
	{"failures are counted, each counter for itself", func(t *testing.T, s Stores) {
		pair, name := oauth.ExpiringCounter{Key: counter("pair"), TTL: late}, oauth.ExpiringCounter{Key: counter("name"), TTL: late + 1}
		countFailure(t, s, 100)
		wantLogin(t, s, "nobody", login(zero, zero))
		countFailure(t, s, 101, pair, name)
		wantLogin(t, s, "nobody", login(oauth.Counter{Count: 1, Last: 101}, oauth.Counter{Count: 1, Last: 101}))
		countFailure(t, s, 102, name)
		wantLogin(t, s, "nobody", login(oauth.Counter{Count: 1, Last: 101}, oauth.Counter{Count: 2, Last: 102}))
		countFailure(t, s, 103, pair, name)
		user := saveUser(t, s, testUser("ann"))
		wantLogin(t, s, "ann", oauth.Login{
			User: user, Found: true, Counters: []oauth.Counter{{Count: 2, Last: 103}, {Count: 3, Last: 103}},
		})
		clearFailures(t, s, pair.Key)
		wantLogin(t, s, "nobody", login(zero, oauth.Counter{Count: 3, Last: 103}))
		clearFailures(t, s, pair.Key) // the first reply was lost
		countFailure(t, s, 104, pair)
		wantLogin(t, s, "nobody", login(oauth.Counter{Count: 1, Last: 104}, oauth.Counter{Count: 3, Last: 103}))
	}},
	{"one counter may serve as both", func(t *testing.T, s Stores) {
		countFailure(t, s, 5, oauth.ExpiringCounter{Key: counter("both"), TTL: late})
		got, err := s.Users.Login(t.Context(), "nobody", counter("both"), counter("both"))
		if err != nil {
			t.Fatal(err)
		}
		one := oauth.Counter{Count: 1, Last: 5}
		if d := diff(login(one, one), got); d != "" {
			t.Errorf("Login (-want +got):\n%s", d)
		}
	}},
	{"of no counters none is returned", func(t *testing.T, s Stores) {
		got, err := s.Users.Login(t.Context(), "nobody")
		if err != nil || len(got.Counters) != 0 {
			t.Errorf("Login = %+v, %v", got, err)
		}
	}},
	{"sources are saved without a new version", func(t *testing.T, s Stores) {
		user := saveUser(t, s, testUser("ann"))
		stale := user
		user.Sources = []oauth.KnownSource{{Hash: [8]byte{7}, Last: 1_700_000_007}}
		saveSources := func(u oauth.User) {
			t.Helper()
			if err := s.Users.SaveSources(t.Context(), u); err != nil {
				t.Fatalf("SaveSources: %v", err)
			}
		}
		saveSources(user)
		saveSources(user) // the first reply was lost
		wantUser(t, s, user)

		user = saveUser(t, s, user)
		namesake := user
		namesake.ID = "u_second"
		for _, other := range []oauth.User{stale, namesake} {
			other.Sources = nil
			saveSources(other) // which is no longer there
			wantUser(t, s, user)
		}
		nobody := testUser("nobody")
		saveSources(nobody)
		wantLogin(t, s, "nobody", login(zero, zero))
		wantUsers(t, s, user)
	}},
	{"a user is removed once, and only that one", func(t *testing.T, s Stores) {
		ann, bob := saveUser(t, s, testUser("ann")), saveUser(t, s, testUser("bob"))
		namesake := ann
		namesake.ID = "u_added_since"
		for _, u := range []oauth.User{namesake, testUser("nobody")} {
			if existed, err := s.UserRegistry.RemoveUser(t.Context(), u); existed || err != nil {
				t.Errorf("RemoveUser(%q, %q) = %v, %v; want nothing removed", u.Username, u.ID, existed, err)
			}
		}
		wantUsers(t, s, ann, bob)
		// Whatever was written since it was read, it is the same user.
		ann.Version--
		for _, want := range []bool{true, false} {
			if existed, err := s.UserRegistry.RemoveUser(t.Context(), ann); existed != want || err != nil {
				t.Errorf("RemoveUser = %v, %v; want %v", existed, err, want)
			}
		}
		wantLogin(t, s, "ann", login(zero, zero))
		wantUsers(t, s, bob)
	}},
	{"pages hold each user once", func(t *testing.T, s Stores) {
		if page, next, err := s.UserRegistry.UsersAfter(t.Context(), "", 5); len(page) > 0 || next != "" || err != nil {
			t.Errorf("of an empty store: %v, %q, %v", page, next, err)
		}
		want := map[string]oauth.User{}
		for i := range 23 {
			u := testUser(fmt.Sprint("user", i))
			u.ID = fmt.Sprint("u_", i)
			want[u.ID] = saveUser(t, s, u)
			countFailure(t, s, 1, oauth.ExpiringCounter{Key: counter(u.ID), TTL: late})
		}
		for _, limit := range []int{1, 5, 23, 100} {
			got := map[string]oauth.User{}
			for after, pages := "", 0; ; pages++ {
				page, next, err := s.UserRegistry.UsersAfter(t.Context(), after, limit)
				if err != nil || len(page) > limit || pages > 100 {
					t.Fatalf("page %d has %d users of %d, %v", pages, len(page), limit, err)
				}
				for _, u := range page {
					if _, twice := got[u.ID]; twice {
						t.Errorf("by %d: %s is there twice", limit, u.ID)
					}
					got[u.ID] = u
				}
				if after = next; after == "" {
					break
				}
				// Somebody who is removed meanwhile may be where the next page begins.
				if pages == 1 && len(page) > 0 {
					last := page[len(page)-1]
					if _, err := s.UserRegistry.RemoveUser(t.Context(), last); err != nil {
						t.Fatal(err)
					}
					delete(want, last.ID)
					delete(got, last.ID)
				}
			}
			if d := diff(want, got); d != "" {
				t.Errorf("by %d (-want +got):\n%s", limit, d)
			}
		}
		for _, forged := range []string{"anything", "user#", "id#u_", "count#", "\x00", "\xff\xfe", strings.Repeat("\U0010ffff", 64), strings.Repeat("x", oauth.MaxUsername)} {
			if _, _, err := s.UserRegistry.UsersAfter(t.Context(), forged, 5); err != nil {
				t.Errorf("after %q: %v", forged, err)
			}
		}
	}},
	{"of many failures each counts", func(t *testing.T, s Stores) {
		errs := make([]error, crowd)
		together(crowd, func(i int) {
			errs[i] = s.Users.CountFailure(t.Context(), 7, oauth.ExpiringCounter{Key: counter("pair"), TTL: late})
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		wantLogin(t, s, "nobody", login(oauth.Counter{Count: crowd, Last: 7}, zero))
	}},
}

var zero oauth.Counter

// login is what Login finds for a name that does not exist.
func login(pair, name oauth.Counter) oauth.Login {
	return oauth.Login{Counters: []oauth.Counter{pair, name}}
}

// late is when counters may be swept: not now, even by an engine that does.
const late = 4_000_000_000

// testUser has something in every field but Version.
func testUser(name string) oauth.User {
	return oauth.User{
		Username:     name,
		ID:           "u_" + name,
		PasswordHash: secret.New("$fixture$of no password"),
		Roles:        []string{"operator", "root"},
		Disabled:     true,
		Created:      1_700_000_000,
		Sources:      []oauth.KnownSource{{Hash: [8]byte{1, 2, 255}, Last: 1_700_000_001}, {Last: 1_700_000_000}},
		Origin:       oauth.UserKept,
	}
}

func saveUser(t *testing.T, s Stores, u oauth.User) oauth.User {
	t.Helper()
	saved, err := s.Users.SaveUser(t.Context(), u)
	if err != nil {
		t.Fatalf("SaveUser(%q): %v", u.Username, err)
	}
	return saved
}

func countFailure(t *testing.T, s Stores, now int64, counters ...oauth.ExpiringCounter) {
	t.Helper()
	if err := s.Users.CountFailure(t.Context(), now, counters...); err != nil {
		t.Fatalf("CountFailure: %v", err)
	}
}

func clearFailures(t *testing.T, s Stores, key oauth.CounterKey) {
	t.Helper()
	if err := s.Users.ClearFailures(t.Context(), key); err != nil {
		t.Fatalf("ClearFailures: %v", err)
	}
}

// wantUser reads a user through both doors.
func wantUser(t *testing.T, s Stores, want oauth.User) {
	t.Helper()
	got, found, err := s.UserRegistry.User(t.Context(), want.Username)
	if err != nil || !found {
		t.Fatalf("User(%q) = found %v, %v", want.Username, found, err)
	}
	if d := diff(want, got); d != "" {
		t.Errorf("User(%q) (-want +got):\n%s", want.Username, d)
	}
	wantLogin(t, s, want.Username, oauth.Login{User: want, Found: true, Counters: []oauth.Counter{zero, zero}})
}

func wantLogin(t *testing.T, s Stores, name string, want oauth.Login) {
	t.Helper()
	got, err := s.Users.Login(t.Context(), name, counter("pair"), counter("name"))
	if err != nil {
		t.Fatalf("Login(%q): %v", name, err)
	}
	if d := diff(want, got); d != "" {
		t.Errorf("Login(%q) (-want +got):\n%s", name, d)
	}
}

func wantUsers(t *testing.T, s Stores, want ...oauth.User) {
	t.Helper()
	got, err := oauth.AllUsers(t.Context(), s.UserRegistry)
	if err != nil {
		t.Fatalf("AllUsers: %v", err)
	}
	if d := diff(want, got); d != "" {
		t.Errorf("AllUsers (-want +got):\n%s", d)
	}
}

func wantUserConflict(t *testing.T, s Stores, u oauth.User) {
	t.Helper()
	_, err := s.UserRegistry.SaveUser(t.Context(), u)
	wantConflict(t, "UserRegistry.SaveUser", err)
	_, err = s.Users.SaveUser(t.Context(), u)
	wantConflict(t, "Users.SaveUser", err)
}
