package wire

import (
	"strings"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

const maxUserID = 64 // bytes; fob's own have 28

// usersPlace is what a path names.
type usersPlace struct {
	part       usersPart
	id, device string
}

type usersPart int

const (
	allUsers usersPart = iota + 1
	oneUser
	userDevices
	userDevice
	userSignOut
)

// usersPath reads the end of a path: before it may be a stage or a mapping, also one that
// is called users. The first users with the id of a user behind it is the resource, and all
// that follows belongs to it: a gateway decodes the path, so a back end that lets somebody
// choose the name of a device would otherwise let users/u_eve in that name remove u_eve.
func usersPath(path string) (usersPlace, error) {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if segment != usersSegment {
			continue
		}
		switch rest := segments[i+1:]; {
		case len(rest) == 0:
			return usersPlace{part: allUsers}, nil
		case isUserID(rest[0]):
			return userPath(rest[0], rest[1:])
		}
	}
	return usersPlace{}, errNothingHere
}

// userPath reads what follows the id of a user.
func userPath(id string, rest []string) (usersPlace, error) {
	switch {
	case len(rest) == 0:
		return usersPlace{part: oneUser, id: id}, nil
	case rest[0] != devicesSegment || len(rest) > 2:
		return usersPlace{}, errNothingHere
	case len(rest) == 1:
		return usersPlace{part: userDevices, id: id}, nil
	case rest[1] == signOutSegment:
		return usersPlace{userSignOut, id, rest[1]}, nil
	case rest[1] == "":
		return usersPlace{}, errNothingHere
	}
	return usersPlace{userDevice, id, rest[1]}, nil
}

var errNoSuchUser = &oauth.Error{Code: oauth.NotFound, Description: "there is no such user"}

// isUserID reports what could be the id of a user. It is written to the log.
func isUserID(id string) bool {
	return len(id) <= maxUserID && oauth.SubjectOf(id).Kind == ledger.UserSubject && !strings.ContainsFunc(id, func(c rune) bool {
		return c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z')
	})
}
