package oauth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/fob-oauth/fob/internal/secret"
)

// MaxOwnID is the most bytes of an [OwnUser].ID.
const MaxOwnID = 256

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
	if u.ID == "" || len(u.ID) > MaxOwnID || !utf8.ValidString(u.ID) || strings.ContainsFunc(u.ID, isControl) {
		errs = append(errs, fmt.Errorf("an id has 1 to %d bytes of UTF-8 without control characters", MaxOwnID))
	}
	if ValidateNameAndRoles(NormalUsername(u.Username), nil) != nil {
		errs = append(errs, fmt.Errorf("a username has 1 to %d bytes that people can see", MaxUsername))
	}
	if ValidateNameAndRoles("name", u.Roles) != nil {
		errs = append(errs, fmt.Errorf("there are at most %d roles, each of 1 to 128 printable ASCII characters without spaces, and none begins like a device", maxRoles))
	}
	return errors.Join(errs...)
}

// OwnUserID is the id, and so the sub, of the user whom the team's own system knows by id.
func OwnUserID(id string) string { return hashedID("fob own user 1", id) }
