package memory

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fob-oauth/fob/internal/oauth"
)

// Users is oauth.Users and oauth.UserRegistry.
type Users struct {
	mu       sync.Mutex // guards what follows
	users    map[string]oauth.User
	counters map[oauth.CounterKey]oauth.Counter
}

var (
	_ oauth.Users        = (*Users)(nil)
	_ oauth.UserRegistry = (*Users)(nil)
)

// NewUsers returns an empty store.
func NewUsers() *Users {
	return &Users{users: map[string]oauth.User{}, counters: map[oauth.CounterKey]oauth.Counter{}}
}

// Login implements oauth.Users.
func (u *Users) Login(ctx context.Context, username string, pair, name oauth.CounterKey) (oauth.Login, error) {
	if err := begin(ctx, "read a user for a login"); err != nil {
		return oauth.Login{}, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	user, found := u.users[username]
	return oauth.Login{User: copyUser(user), Found: found, Pair: u.counters[pair], Name: u.counters[name]}, nil
}

// CountFailure implements oauth.Users.
func (u *Users) CountFailure(ctx context.Context, now int64, counters ...oauth.ExpiringCounter) error {
	if err := begin(ctx, "count a wrong password"); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range counters {
		u.counters[c.Key] = oauth.Counter{Count: u.counters[c.Key].Count + 1, Last: now}
	}
	return nil
}

// ClearFailures implements oauth.Users.
func (u *Users) ClearFailures(ctx context.Context, counter oauth.CounterKey) error {
	if err := begin(ctx, "clear a counter of wrong passwords"); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.counters, counter)
	return nil
}

// SaveUser implements oauth.Users and oauth.UserRegistry.
func (u *Users) SaveUser(ctx context.Context, user oauth.User) (oauth.User, error) {
	if err := begin(ctx, "save a user"); err != nil {
		return oauth.User{}, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	// The Version of one that is not there is zero.
	if u.users[user.Username].Version != user.Version {
		return oauth.User{}, oauth.ErrConflict
	}
	user.Version = oauth.NextVersion(user.Version, time.Now())
	u.users[user.Username] = copyUser(user)
	return user, nil
}

// User implements oauth.UserRegistry.
func (u *Users) User(ctx context.Context, username string) (oauth.User, bool, error) {
	if err := begin(ctx, "read a user"); err != nil {
		return oauth.User{}, false, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	user, found := u.users[username]
	return copyUser(user), found, nil
}

// ListUsers implements oauth.UserRegistry.
func (u *Users) ListUsers(ctx context.Context) ([]oauth.User, error) {
	if err := begin(ctx, "list the users"); err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	var users []oauth.User
	for _, user := range u.users {
		users = append(users, copyUser(user))
	}
	slices.SortFunc(users, func(a, b oauth.User) int { return strings.Compare(a.Username, b.Username) })
	return users, nil
}

// RemoveUser implements oauth.UserRegistry.
func (u *Users) RemoveUser(ctx context.Context, user oauth.User) (existed bool, err error) {
	if err := begin(ctx, "remove a user"); err != nil {
		return false, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	stands, found := u.users[user.Username]
	if !found || stands.ID != user.ID {
		return false, nil
	}
	delete(u.users, user.Username)
	return true, nil
}

func copyUser(u oauth.User) oauth.User {
	u.Roles = slices.Clone(u.Roles)
	return u
}
