package wire

import (
	"strings"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Paths of [Users] and [SignOut].
const (
	UsersPath       = "/users"
	UserPath        = UsersPath + "/{id}"
	UserDevicesPath = UserPath + "/devices"
	UserDevicePath  = UserDevicesPath + "/{device}"
	UserSignOutPath = UserDevicesPath + "/sign-out"
	// GlobalSignOutPath is one path: a user's own is [SignOutPath].
	GlobalSignOutPath = "/sign-out"

	usersSegment = "users"
	maxUserID    = 64 // bytes; fob's own have 28
)

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

// usersPath reads the end of a path: before it may be a stage or a mapping. The id of a
// user and the name of a device may be users as well, so the longest end that fits counts.
func usersPath(path string) (usersPlace, error) {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if segment != usersSegment {
			continue
		}
		rest := segments[i+1:]
		if len(rest) > 0 && !isUserID(rest[0]) || len(rest) > 1 && rest[1] != devicesSegment || len(rest) > 3 || len(rest) == 3 && rest[2] == "" {
			continue
		}
		switch len(rest) {
		case 0:
			return usersPlace{part: allUsers}, nil
		case 1:
			return usersPlace{part: oneUser, id: rest[0]}, nil
		case 2:
			return usersPlace{part: userDevices, id: rest[0]}, nil
		}
		if rest[2] == signOutSegment {
			return usersPlace{userSignOut, rest[0], rest[2]}, nil
		}
		return usersPlace{userDevice, rest[0], rest[2]}, nil
	}
	return usersPlace{}, errNothingHere()
}

func errNothingHere() error {
	return &oauth.Error{Code: oauth.NotFound, Description: "there is nothing at this path"}
}

func errNoSuchUser() error {
	return &oauth.Error{Code: oauth.NotFound, Description: "there is no such user"}
}

// isUserID reports what could be the id of a user. It is written to the log.
func isUserID(id string) bool {
	return len(id) <= maxUserID && oauth.SubjectOf(id).Kind == ledger.UserSubject && !strings.ContainsFunc(id, func(c rune) bool {
		return c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z')
	})
}
