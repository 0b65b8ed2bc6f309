package oauth

import (
	"errors"
	"time"
)

// Registrar adds, changes and removes clients, issuers and scopes, so that no token
// outlives what it was issued for:
//
//	r.EditClient(ctx, id, func(c *oauth.Client) error { c.AccessLifetime = 900; return nil })
//
// Methods may be called concurrently, by several processes too: each write has a
// condition on what was read, and is tried again when another one was faster. They
// wait for nothing but the stores. Errors are [*ChangeError]; or match
// [ErrUnavailable], and nothing was changed; or are [ErrConflict], when others
// changed the entry again and again.
type Registrar struct {
	Clients    ClientRegistry
	Issuers    IssuerRegistry
	Assertions Assertions // for issuers and clients with inline keys
	Now        func() time.Time
}

// UserRegistrar adds, changes and removes users, and refuses users of issuers:
//
//	r.AddUser(ctx, oauth.NewUser{Username: "ann", Password: password})
//	r.SetPassword(ctx, user, password) // and all tokens issued before are ended
//
// For its methods holds what [Registrar] says of its own.
type UserRegistrar struct {
	Users        UserRegistry
	Subjects     Subjects
	Tokens       Tokens
	Registry     TokenRegistry  // for ForgetUser
	Passwords    Passwords      // for AddUser with a password, and for another password
	Policy       PasswordPolicy // for the same two
	OwnUsersMode OwnUsersMode
	Now          func() time.Time
}

// maxLostWrites bounds how often one change loses to others. Programs that start
// together each write an entry once, so it takes that many of them.
const maxLostWrites = 100

// untilNoConflict calls try, which must read what it writes, until it loses to
// nobody.
func untilNoConflict(try func() error) error {
	var err error
	for range maxLostWrites {
		if err = try(); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return err
}
