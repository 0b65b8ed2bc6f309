package userimport

import (
	"errors"
	"maps"
	"slices"

	"github.com/fob-oauth/fob/internal/jsonobject"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/password"
	"github.com/fob-oauth/fob/internal/secret"
)

// entry is a user as JSON has it. It may hold what was read before a fault.
type entry struct {
	username string
	roles    []string
	disabled bool
	hash     password.Foreign
}

// parseEntry reads one JSON object, in which more members than those of a line may be. read
// are those that are there.
func parseEntry(what string, text []byte, more map[string]any) (e entry, read jsonobject.Members, err error) {
	var hash, salt string
	members := map[string]any{
		"username":      &e.username,
		"password_hash": &hash,
		"salt":          &salt,
		"digest":        &e.hash.Digest,
		"prf":           &e.hash.PRF,
		"iterations":    &e.hash.Iterations,
		"dk_length":     &e.hash.KeyBits,
		"roles":         &e.roles,
		"disabled":      &e.disabled,
	}
	maps.Copy(members, more)
	read, err = jsonobject.Read(what, text, members)
	e.hash.Hash, e.hash.Salt = secret.New(hash), secret.New(salt)
	return e, read, err
}

// parseLine is parseEntry for a line of a file.
func parseLine(text []byte) (entry, error) {
	e, _, err := parseEntry("the line", text, nil)
	if errors.Is(err, jsonobject.ErrList) {
		err = errors.New("the line is a JSON list; one object a line is wanted, as jq -c '.[]' makes them")
	}
	return e, err
}

// ParseUser reads the user of a request: the members of a line, of which password_hash may
// be absent, or password, which then must not come with what belongs to a hash. Somebody
// with neither has no password. Its error has every fault, and repeats no value but the
// names of roles.
func ParseUser(body []byte) (oauth.NewUser, error) {
	var plain string
	e, read, err := parseEntry("the body", body, map[string]any{"password": &plain})
	if err != nil {
		return oauth.NewUser{}, err
	}
	if read["disabled"] != nil && !read.Has("disabled") { // null would let in a user by a slip
		return oauth.NewUser{}, errors.New("disabled must be true or false")
	}
	u := oauth.NewUser{Username: e.username, Roles: e.roles, Disabled: e.disabled, Password: secret.New(plain)}
	hashed := slices.ContainsFunc(hashMembers, read.Has)
	switch {
	case hashed && read.Has("password"):
		return oauth.NewUser{}, errors.New("there is a password, and a hash or what belongs to one")
	case hashed:
		hash, err := e.hash.Check()
		if err != nil {
			return oauth.NewUser{}, err
		}
		u.Hash = hash.Stored
	default:
		u.WithoutPassword = !read.Has("password")
	}
	return u, nil
}

// hashMembers are those of a hash.
var hashMembers = []string{"password_hash", "salt", "digest", "prf", "iterations", "dk_length"}
