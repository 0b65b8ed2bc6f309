package oauth

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
)

const (
	// MaxUsername is the most bytes of a username.
	MaxUsername = 256
	// MaxPassword is the most bytes of a password as it is hashed, so that hashing one
	// is bounded.
	MaxPassword = 1024
	maxRoles    = 100
)

// anyUserVersion is for what proves itself by something else than a user's
// password and roles.
const anyUserVersion = math.MaxUint64

// User is somebody who logs in with a password, or by name through an issuer that may
// log in everybody.
type User struct {
	Username     string      // for login alone, as NormalUsername returns it; compared byte for byte
	ID           string      // u_..., random or see [OwnUserID], never changed and never used again: the sub
	Version      uint64      // grows with every write, see NextVersion; zero is a user not saved yet
	PasswordHash secret.Text // as Passwords made it; empty is none, and no password logs in
	Roles        []string
	// Disabled is what the subject's state says too. Either of the two refuses logins: the
	// state also ends tokens, and this one is still there if the state gets lost.
	Disabled bool
	Created  int64         // Unix seconds
	Sources  []KnownSource // where the user signed in lately; see KnownSource
	Origin   UserOrigin
}

// UserOrigin is who added a user. It is written into the table.
type UserOrigin string

const (
	UserOfFob UserOrigin = ""      // somebody with the right to
	UserAsked UserOrigin = "asked" // a login that OwnUsers proved, who are asked each time
	UserKept  UserOrigin = "kept"  // such a login, with a hash of fob: see [AskedUntilFirst]
)

// NormalUsername is the spelling in which a username is stored and looked up: NFC, since
// keyboards send letters such as "ë" as one code point or as two (RFC 8265 §3.4.2). A name
// that is not UTF-8 stays as it is.
func NormalUsername(name string) string {
	if !utf8.ValidString(name) {
		return name
	}
	return norm.NFC.String(name)
}

// IsKnown reports an origin of this release.
func (o UserOrigin) IsKnown() bool { return o == UserOfFob || o == UserAsked || o == UserKept }

// NewUserID draws the id of a new user.
func NewUserID() string { return userIDPrefix + strings.ToLower(rand.Text()) }

// userIDPrefix is refused at the start of client ids, so that a sub is never
// both.
const userIDPrefix = "u_"

// userIDDigits are how many digits of base32 follow the prefix: 128 bits and more.
const userIDDigits = 26

// SubjectOf is the subject of a sub: no client id begins as a user's id does.
func SubjectOf(sub string) ledger.Subject {
	if strings.HasPrefix(sub, userIDPrefix) {
		return ledger.Subject{Kind: ledger.UserSubject, ID: sub}
	}
	return ledger.Subject{Kind: ledger.ClientSubject, ID: sub}
}

// subject is who the user is in tokens: never a client, whatever the id.
func (u User) subject() ledger.Subject { return ledger.Subject{Kind: ledger.UserSubject, ID: u.ID} }

// Validate reports every fault of a user that is about to be saved.
func (u User) Validate() error {
	errs := []error{ValidateNameAndRoles(u.Username, u.Roles)}
	if !strings.HasPrefix(u.ID, userIDPrefix) || len(u.ID) <= len(userIDPrefix) {
		errs = append(errs, errors.New("a user id begins with "+userIDPrefix))
	}
	return errors.Join(errs...)
}

// ValidateNameAndRoles reports every fault of what an operator chooses for a user.
func ValidateNameAndRoles(username string, roles []string) error {
	errs := []error{validateShown("username", MaxUsername, username)}
	if len(roles) > maxRoles {
		errs = append(errs, fmt.Errorf("a user has at most %d roles", maxRoles))
	}
	for _, role := range roles {
		errs = append(errs, validateRole(role))
	}
	return errors.Join(errs...)
}

// validateShown reports a fault of a text that people read and compare, which errors call what.
func validateShown(what string, most int, text string) error {
	switch {
	case text == "" || len(text) > most:
		return fmt.Errorf("a %s has 1 to %d bytes", what, most)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, isControl):
		return fmt.Errorf("a %s is UTF-8 without control characters", what)
	case strings.TrimSpace(text) != text:
		return fmt.Errorf("a %s does not begin or end with a space", what)
	}
	i := strings.IndexFunc(text, isUnseen)
	if i < 0 {
		return nil
	}
	c, _ := utf8.DecodeRuneInString(text[i:])
	if c == utf8.RuneError {
		return fmt.Errorf("a character of the %s is lost: it was written in another charset", what)
	}
	return fmt.Errorf("a %s must not have %U, which people cannot see or tell apart", what, c)
}

func validateRole(role string) error {
	if role == "" || len(role) > 128 || strings.ContainsFunc(role, notPrintableASCII) {
		return fmt.Errorf("role %q: 1 to 128 printable ASCII characters without spaces", role)
	}
	if strings.HasPrefix(role, scope.DevicePrefix) {
		return fmt.Errorf("role %q: the prefix %s is reserved", role, scope.DevicePrefix)
	}
	return nil
}

// ValidatePassword holds a password to what a login can send: 1 to MaxPassword
// bytes of UTF-8 without NUL, counted as [secret.Text.Prepared] returns it.
func ValidatePassword(p secret.Text) error {
	switch s := p.Prepared().Reveal(); {
	case s == "" || len(s) > MaxPassword:
		return fmt.Errorf("a password has 1 to %d bytes", MaxPassword)
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return errors.New("a password is UTF-8 without NUL")
	}
	return nil
}

// isUnseen reports a character that makes two names look alike: one without a shape,
// such as U+FEFF, U+202E or a filler of Hangul, a space other than the usual one, what
// selects a variant of the character before it, and U+FFFD, which takes the place of a
// character that was lost.
func isUnseen(c rune) bool {
	return c == utf8.RuneError || c == brailleBlank || c != ' ' && !unicode.IsPrint(c) ||
		unicode.In(c, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// brailleBlank is a symbol of no dots, and so printable for Unicode.
const brailleBlank = '\u2800'

func isControl(c rune) bool { return c < ' ' || c == 0x7f }
