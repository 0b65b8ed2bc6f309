package wire_test

import (
	"cmp"
	"maps"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/openapitest"
	"github.com/fob-oauth/fob/internal/wire"
)

// documented is the path of docs/openapi.yaml. Empty is a path without a route, or another
// mount than the template's.
func (c call) documented() string {
	switch route := c.matched(); {
	case c.endpoint == "users" && !slices.Contains([]string{wire.UsersPath, wire.UserPath, wire.UserDevicesPath, wire.UserDevicePath, wire.UserSignOutPath}, route):
		return ""
	case c.endpoint == "account" && route == "$default":
		return ""
	case c.endpoint == "metadata":
		return cmp.Or(c.path, wire.MetadataPath)
	case (c.endpoint == "devices" || c.endpoint == "labels") && route != wire.DevicesPath && route != wire.DevicePath && route != wire.SignOutPath:
		return ""
	default:
		return route
	}
}

// The document has each parameter that the token endpoint reads, and no other.
func TestOpenAPIParameters(t *testing.T) {
	want := append(slices.Collect(maps.Keys(oauth.TokenParameters())), "client_id", "client_secret", "client_assertion", "client_assertion_type")
	slices.Sort(want)
	if diff := gocmp.Diff(openapitest.Parameters(t, wire.TokenPath), want); diff != "" {
		t.Errorf("parameters (-documented +read):\n%s", diff)
	}
}
