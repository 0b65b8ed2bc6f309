package wire

import (
	"context"
	"net/http"
	"strings"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

// Devices is the resource with which signed-in users look after their devices:
//
//	GET    .../devices            where they are signed in
//	DELETE .../devices/{device}   sign that device out, by its name or its handle
//	POST   .../devices/sign-out   sign out the others, all, or one
//
// [DeviceLabels] serves PATCH.
//
// With an access token one may list, and end the device that the token is of.
// Everything else takes the refresh token in its place: each API that the user calls
// sees access tokens, and only the token service sees refresh tokens (RFC 6749 §1.5).
// The refresh token is not exchanged by that.
//
// It takes a Verifier and no gateway's word: an authorizer's answer is kept for a
// while, and a phone that was signed out could go on.
func Devices(verifier *oauth.Verifier, signIns *oauth.SignIns, o Options) http.Handler {
	d := devices{signIns}
	return newHandler("devices", o, func(w http.ResponseWriter, r *http.Request) (answer, error) {
		part, named, err := partOf(r)
		if err != nil {
			return answer{}, err
		}
		caller, err := holderOf(w, r, verifier, oauth.DevicesScope)
		if err != nil {
			return answer{}, o.describedAt(DevicesMetadataPath, err)
		}
		switch part {
		case listPart:
			return d.list(r, caller.Subject, placeOf(caller))
		case devicePart:
			return d.end(r.Context(), caller, named)
		}
		return d.signOut(w, r, caller)
	})
}

// holderOf is the user who asks, with a token of either kind that has the scopes.
func holderOf(w http.ResponseWriter, r *http.Request, verifier *oauth.Verifier, scopes ...string) (oauth.Introspection, error) {
	caller, err := callerOf(w, r, holderSource{verifier}, isSecretName)
	if err == nil {
		err = needs(r.Context(), caller, scopes...)
	}
	if err == nil && caller.Subject.Kind != ledger.UserSubject {
		// Asking for another scope would not help, so none is named.
		err = refuseResource(oauth.InsufficientScope, "the token speaks for a client and not for a user")
	}
	return caller, err
}

// holderSource is the CallerSource of a resource that takes refresh tokens too.
type holderSource struct{ verifier *oauth.Verifier }

func (s holderSource) Caller(ctx context.Context, token bearer.Bearer, _ ...string) (oauth.Introspection, error) {
	return s.verifier.Holder(ctx, token)
}

// errNeedsRefreshToken is a 403 and not a 401, for which an app would refresh and then
// log out. insufficient_scope would make it ask for another scope.
var errNeedsRefreshToken = refuseResource(oauth.UnsupportedTokenType, "an access token ends its own device alone: send the refresh token as the bearer to end others")

type devices struct{ signIns *oauth.SignIns }

// end ends the device that the caller named, if the token may.
func (d devices) end(ctx context.Context, caller oauth.Introspection, named device) (answer, error) {
	handle := named.handleFor(caller.Subject)
	if caller.Kind != bearer.Refresh && handle != oauth.HandleOf(caller.Subject, caller.Scope.Device()) {
		return answer{}, errNeedsRefreshToken
	}
	return d.endDevice(ctx, caller.Subject, named, caller.Locator)
}

// endDevice answers 204 also when nothing was to end: a phone that lost the first answer
// asks again. It does not where the scope of a device was sent in place of its name.
func (d devices) endDevice(ctx context.Context, subject ledger.Subject, named device, own bearer.Locator) (answer, error) {
	ended, err := d.signIns.EndDevice(ctx, subject, named.handleFor(subject), own)
	if err == nil && ended == 0 && strings.HasPrefix(string(named.name), scope.DevicePrefix) {
		return answer{}, refuseResource(oauth.InvalidRequest, "there is no such device: the name is the part behind device_")
	}
	return done(ctx, oauth.Revoked, err)
}

func (d devices) signOut(w http.ResponseWriter, r *http.Request, caller oauth.Introspection) (answer, error) {
	form, err := readForm(w, r, func(name string) bool { return name == "which" || name == "device" })
	if err != nil {
		return answer{}, ofResource(err)
	}
	text, names := form["device"]
	which := form["which"]
	if names && which != "device" {
		// A client that names a device does not mean all of them.
		return answer{}, refuseResource(oauth.InvalidRequest, "device goes with which=device alone")
	}
	switch which {
	case "device":
		// For names of dots alone, which clients take out of a path (RFC 3986 §5.2.4).
		named, err := parseDevice(text)
		if err != nil {
			return answer{}, err
		}
		return d.end(r.Context(), caller, named)
	case "others", "all":
		if caller.Kind != bearer.Refresh {
			return answer{}, errNeedsRefreshToken
		}
		if which == "all" {
			return done(r.Context(), oauth.Revoked, d.signIns.SignOut(r.Context(), caller.Subject))
		}
		return done(r.Context(), oauth.Revoked, d.signIns.EndOthers(r.Context(), caller.Subject, placeOf(caller)))
	}
	return answer{}, refuseResource(oauth.InvalidRequest, "which must be others, all or device")
}

func done(ctx context.Context, outcome oauth.Outcome, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	oauth.EventOf(ctx).Outcome = outcome
	return answer{status: http.StatusNoContent}, nil
}

func placeOf(caller oauth.Introspection) oauth.Place {
	return oauth.Place{Device: caller.Scope.Device(), Client: caller.ClientID}
}
