package wire

import (
	"strings"

	"github.com/fob-oauth/fob/internal/oauth"
)

// Where the endpoints are below the base address, as a gateway spells it. The template and
// `fob serve` put them there.
const (
	TokenPath      = "/token"
	RevokePath     = "/revoke"
	IntrospectPath = "/introspect"
	EventsPath     = "/events"
	MePath         = "/me"

	DevicesPath = "/devices"
	DevicePath  = DevicesPath + "/{device}"
	SignOutPath = DevicesPath + "/sign-out"

	AccountPath  = "/account"
	PasswordPath = AccountPath + "/password"

	UsersPath       = "/users"
	UserPath        = UsersPath + "/{id}"
	UserDevicesPath = UserPath + "/devices"
	UserDevicePath  = UserDevicesPath + "/{device}"
	UserSignOutPath = UserDevicesPath + "/sign-out"
	// GlobalSignOutPath is one path: a user's own is [SignOutPath].
	GlobalSignOutPath = "/sign-out"

	MetadataPath = "/.well-known/oauth-authorization-server" // RFC 8414 §3
	// OpenIDMetadataPath is that document once more: API Gateway and OpenID libraries look for
	// it there (RFC 8414 §5). fob is not an OpenID provider.
	OpenIDMetadataPath = "/.well-known/openid-configuration"
	KeySetPath         = "/.well-known/jwks.json"
	// Of the resources (RFC 9728 §3.1).
	MeMetadataPath       = resourceMetadataPath + MePath
	DevicesMetadataPath  = resourceMetadataPath + DevicesPath
	resourceMetadataPath = "/.well-known/oauth-protected-resource"
)

// The segments by which handlers know a path, which may be below a stage or a mapping.
const (
	devicesSegment  = "devices"
	signOutSegment  = "sign-out"
	accountSegment  = "account"
	passwordSegment = "password"
	usersSegment    = "users"
)

func lastSegments(path string) (parent, last string) {
	segments := strings.Split(path, "/")
	if n := len(segments); n > 1 {
		return segments[n-2], segments[n-1]
	}
	return "", path
}

var errNothingHere = &oauth.Error{Code: oauth.NotFound, Description: "there is nothing at this path"}
