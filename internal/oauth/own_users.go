package oauth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/fob-oauth/fob/internal/secret"
)

// maxOwnID is the most bytes of an [OwnUser].ID.
const maxOwnID = 256

// OwnUsers are the users of a team's own system (docs/own-users.md).
type OwnUsers interface {
	// Ask says who a name and a password are. The name is as [NormalUsername] returns it, and
	// the password as somebody typed it. proved must be false for an unknown name and for a
	// wrong password alike, and true only if the whole password was compared. All that is not
	// an answer, such as one that [OwnUser.Validate] refuses, is an error that matches
	// ErrUnavailable. Ask must be bounded in time and size, and must give up when ctx ends.
	Ask(ctx context.Context, username string, password secret.Text) (u OwnUser, proved bool, err error)
}

// OwnUser is what the team's own system says of a person.
type OwnUser struct {
	ID       string // which the system never changes and never gives to somebody else
	Username string // in the one spelling that logs in
	Roles    []string
	Disabled bool
}

// Validate reports every fault, and repeats nothing of the names.
func (u OwnUser) Validate() error {
	var errs []error
	if u.ID == "" || len(u.ID) > maxOwnID || !utf8.ValidString(u.ID) || strings.ContainsFunc(u.ID, isControl) {
		errs = append(errs, fmt.Errorf("an id has 1 to %d bytes of UTF-8 without control characters", maxOwnID))
	}
	if ValidateNameAndRoles(NormalUsername(u.Username), nil) != nil {
		errs = append(errs, fmt.Errorf("a username has 1 to %d bytes that people can see", MaxUsername))
	}
	if ValidateNameAndRoles("name", u.Roles) != nil {
		errs = append(errs, fmt.Errorf("there are at most %d roles, each of 1 to 128 printable ASCII characters without spaces, and none begins like a device", maxRoles))
	}
	return errors.Join(errs...)
}

// OwnUsersMode is when OwnUsers are asked. The zero value is never: fob alone has users, perhaps
// since a while ago.
type OwnUsersMode int

const (
	NeverAsked      OwnUsersMode = iota
	AskedAtEach                  // login
	AskedUntilFirst              // login that they prove, which keeps the user here with a hash of fob
)

// Owns reports whether the password and the roles of u are those of OwnUsers: changed here,
// they would not count at the next login.
func (m OwnUsersMode) Owns(u User) bool {
	switch m {
	case AskedAtEach: // also of those who were kept here before, under another mode
		return u.Origin != UserOfFob
	case AskedUntilFirst:
		return u.Origin == UserAsked
	}
	return false
}

// OwnUserID is the id, and so the sub, of the user whom the team's own system knows by id.
func OwnUserID(id string) string { return hashedID("fob own user 1", id) }
