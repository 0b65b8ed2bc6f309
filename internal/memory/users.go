package memory

import (
	"context"
	"slices"

	"github.com/fob-oauth/fob/internal/oauth"
)

// Users is oauth.Users and oauth.UserRegistry.
type Users struct {
	users *table[string, oauth.User]

	store    // the lock of counters
	counters map[oauth.CounterKey]oauth.Counter
}

var (
	_ oauth.Users        = (*Users)(nil)
	_ oauth.UserRegistry = (*Users)(nil)
)

// NewUsers returns an empty store.
func NewUsers() *Users {
	u := &Users{
		users:    newTable[string](func(u *oauth.User) *uint64 { return &u.Version }, copyUser),
		counters: map[oauth.CounterKey]oauth.Counter{},
	}
	u.users.taken = func(user oauth.User) bool {
		for name, there := range u.users.rows {
			if there.ID == user.ID && name != user.Username {
				return true
			}
		}
		return false
	}
	return u
}

// Login implements oauth.Users.
func (u *Users) Login(ctx context.Context, username string, counters ...oauth.CounterKey) (oauth.Login, error) {
	user, found, err := u.users.get(ctx, "read a user for a login", username)
	if err != nil {
		return oauth.Login{}, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	login := oauth.Login{User: user, Found: found}
	for _, key := range counters {
		login.Counters = append(login.Counters, u.counters[key])
	}
	return login, nil
}

// CountFailure implements oauth.Users.
func (u *Users) CountFailure(ctx context.Context, now int64, counters ...oauth.ExpiringCounter) error {
	return u.do(ctx, "count a wrong password", func() {
		for _, c := range counters {
			u.counters[c.Key] = oauth.Counter{Count: u.counters[c.Key].Count + 1, Last: now}
		}
	})
}

// ClearFailures implements oauth.Users.
func (u *Users) ClearFailures(ctx context.Context, counter oauth.CounterKey) error {
	return u.do(ctx, "clear a counter of wrong passwords", func() { delete(u.counters, counter) })
}

// SaveUser implements oauth.Users and oauth.UserRegistry.
func (u *Users) SaveUser(ctx context.Context, user oauth.User) (oauth.User, error) {
	return u.users.save(ctx, "save a user", user.Username, user)
}

// SaveSources implements oauth.Users.
func (u *Users) SaveSources(ctx context.Context, user oauth.User) error {
	return u.users.do(ctx, "save where a user signed in", func() {
		if there, found := u.users.rows[user.Username]; found && there.ID == user.ID && there.Version == user.Version {
			there.Sources = slices.Clone(user.Sources)
			u.users.rows[user.Username] = there
		}
	})
}

// User implements oauth.UserRegistry.
func (u *Users) User(ctx context.Context, username string) (oauth.User, bool, error) {
	return u.users.get(ctx, "read a user", username)
}

// UserByID implements oauth.UserRegistry.
func (u *Users) UserByID(ctx context.Context, id string) (user oauth.User, found bool, err error) {
	err = u.users.do(ctx, "read a user by id", func() {
		for _, there := range u.users.rows {
			if there.ID == id {
				user, found = copyUser(there), true
			}
		}
	})
	return user, found, err
}

// UsersAfter implements oauth.UserRegistry in the order of names.
func (u *Users) UsersAfter(ctx context.Context, after string, limit int) (page []oauth.User, next string, err error) {
	all, err := u.users.list(ctx, "list the users")
	for _, user := range all {
		switch {
		case after != "" && user.Username <= after:
		case len(page) == limit:
			return page, page[limit-1].Username, nil
		default:
			page = append(page, user)
		}
	}
	return page, "", err
}

// RemoveUser implements oauth.UserRegistry.
func (u *Users) RemoveUser(ctx context.Context, user oauth.User) (existed bool, err error) {
	return u.users.remove(ctx, "remove a user", user.Username, func(there oauth.User) bool { return there.ID == user.ID })
}

func copyUser(u oauth.User) oauth.User {
	u.Roles = slices.Clone(u.Roles)
	u.Sources = slices.Clone(u.Sources)
	return u
}
