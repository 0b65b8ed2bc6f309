package wire

import (
	"context"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

// Devices is the resource with which signed-in users look after their devices:
//
//	GET    .../devices            where they are signed in
//	DELETE .../devices/{device}   sign that device out
//	POST   .../devices/sign-out   sign out the others, all, or one by its name
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
		part, device, err := partOf(r)
		if err != nil {
			return answer{}, err
		}
		caller, err := callerOf(w, r, holderSource{verifier}, isSecretName)
		if err != nil {
			return answer{}, err
		}
		if err := needs(r.Context(), caller, devicesScope); err != nil {
			return answer{}, err
		}
		if caller.Subject.Kind != ledger.UserSubject {
			// Asking for another scope would not help, so none is named.
			return answer{}, refuseResource(oauth.InsufficientScope, "the token speaks for a client and not for a user")
		}
		switch part {
		case listPart:
			return d.list(r, caller)
		case devicePart:
			return d.end(r.Context(), caller, device)
		}
		return d.signOut(w, r, caller)
	})
}

// holderSource is the CallerSource of a resource that takes refresh tokens too.
type holderSource struct{ verifier *oauth.Verifier }

func (s holderSource) Caller(ctx context.Context, token bearer.Bearer, _ ...string) (oauth.Introspection, error) {
	return s.verifier.Holder(ctx, token)
}

// errNeedsRefreshToken is a 403 and not a 401, for which an app would refresh and then
// log out. insufficient_scope would make it ask for another scope.
func errNeedsRefreshToken() error {
	return refuseResource(oauth.UnsupportedTokenType, "an access token ends its own device alone: send the refresh token as the bearer to end others")
}

var devicesScope = func() scope.Set {
	set, _ := scope.Of(oauth.DevicesScope) // a constant
	return set
}()

const (
	devicesSegment = "devices"
	signOutSegment = "sign-out"

	defaultLimit = 100
	maxLimit     = 250
)

type devices struct{ signIns *oauth.SignIns }

// partOf finds what is asked for, and the device if it is one. The method
// distinguishes what the path alone does not, such as a device called sign-out.
func partOf(r *http.Request) (part, scope.Device, error) {
	part := partOfRoute(GatewayOf(r.Context()).Route)
	if part == noPart {
		part = partOfPath(r.Method, r.URL.Path)
	}
	switch {
	case part == listPart && isRead(r.Method):
		return listPart, "", nil
	case part == listPart:
		return noPart, "", errMethodNotIn(reads...)
	case part == noPart:
		return noPart, "", refuseResource(oauth.InvalidRequest, "there is nothing at this path")
	case r.Method == http.MethodDelete:
		_, last := lastSegments(r.URL.Path)
		device, err := parseDevice(last)
		return devicePart, device, err
	case part == signOutPart && r.Method == http.MethodPost:
		return signOutPart, "", nil
	case part == signOutPart:
		return noPart, "", errMethodNotIn(http.MethodDelete, http.MethodPost)
	}
	return noPart, "", errMethodNotIn(http.MethodDelete)
}

// parts of the resource, by path.
type part int

const (
	noPart part = iota
	listPart
	devicePart
	signOutPart
)

// partOfRoute knows what the gateway matched, however its API is mounted. Of a
// route such as /{proxy+} it knows nothing.
func partOfRoute(route string) part {
	_, path, _ := strings.Cut(route, " ")
	parent, last := lastSegments(path)
	switch within := parent == devicesSegment; {
	case within && last == signOutSegment:
		return signOutPart
	case within && strings.HasPrefix(last, "{") && !strings.HasSuffix(last, "+}"):
		return devicePart
	case !within && last == devicesSegment:
		return listPart
	}
	return noPart
}

// partOfPath looks at the last two segments. Before them may be a stage or a mapping,
// also one that is called devices.
func partOfPath(method, path string) part {
	parent, last := lastSegments(path)
	switch within := parent == devicesSegment; {
	case last == devicesSegment && (!within || isRead(method)):
		return listPart
	case within && last == signOutSegment:
		return signOutPart
	case within && last != "":
		return devicePart
	}
	return noPart
}

func lastSegments(path string) (parent, last string) {
	segments := strings.Split(path, "/")
	if n := len(segments); n > 1 {
		return segments[n-2], segments[n-1]
	}
	return "", path
}

func parseDevice(name string) (scope.Device, error) {
	device, err := scope.ParseDevice(name)
	if err != nil {
		return "", refuseResource(oauth.InvalidRequest, "that is not a device name of 1 to 64 of A-Z a-z 0-9 . _ -")
	}
	return device, nil
}

// devicesJSON is a page. Times are Unix seconds.
type devicesJSON struct {
	Devices []deviceJSON `json:"devices"`
	Next    string       `json:"next,omitempty"` // the after of the next page, if there is one
}

type deviceJSON struct {
	Device      string `json:"device,omitempty"` // none if the app named none
	ClientID    string `json:"client_id"`
	Scope       string `json:"scope,omitempty"`
	FirstIssued int64  `json:"first_issued"`
	LastIssued  int64  `json:"last_issued"`
	Expires     int64  `json:"expires"`
	Current     bool   `json:"current"`
}

func (d devices) list(r *http.Request, caller oauth.Introspection) (answer, error) {
	after, limit, err := parsePage(r.URL.RawQuery)
	if err != nil {
		return answer{}, err
	}
	page, more, err := d.signIns.Places(r.Context(), caller.Subject, after, limit)
	if err != nil {
		return answer{}, err
	}
	here := placeOf(caller)
	out := devicesJSON{Devices: []deviceJSON{}}
	for _, in := range page {
		out.Devices = append(out.Devices, deviceJSON{
			Device:      string(in.Device),
			ClientID:    string(in.Client),
			Scope:       strings.Join(in.Scopes, " "),
			FirstIssued: in.FirstIssued,
			LastIssued:  in.LastIssued,
			Expires:     in.Expiry,
			Current:     in.Place == here,
		})
	}
	if more {
		out.Next = formatCursor(page[len(page)-1].Place)
	}
	oauth.EventOf(r.Context()).Outcome = oauth.Listed
	return jsonAnswer(out)
}

// end answers 204 also when nothing was to end: a phone that lost the first answer
// asks again. It does not where the scope of a device was sent in place of its name.
func (d devices) end(ctx context.Context, caller oauth.Introspection, device scope.Device) (answer, error) {
	if caller.Kind != bearer.Refresh && device != caller.Scope.Device() {
		return answer{}, errNeedsRefreshToken()
	}
	ended, err := d.signIns.EndDevice(ctx, caller.Subject, device, caller.Locator)
	if err == nil && ended == 0 && strings.HasPrefix(string(device), scope.DevicePrefix) {
		return answer{}, refuseResource(oauth.InvalidRequest, "there is no such device: the name is the part behind device_")
	}
	return done(ctx, err)
}

func (d devices) signOut(w http.ResponseWriter, r *http.Request, caller oauth.Introspection) (answer, error) {
	form, err := readForm(w, r, func(name string) bool { return name == "which" || name == "device" })
	if err != nil {
		return answer{}, ofResource(err)
	}
	name, named := form["device"]
	which := form["which"]
	if named && which != "device" {
		// A client that names a device does not mean all of them.
		return answer{}, refuseResource(oauth.InvalidRequest, "device goes with which=device alone")
	}
	switch which {
	case "device":
		// For names of dots alone, which clients take out of a path (RFC 3986 §5.2.4).
		device, err := parseDevice(name)
		if err != nil {
			return answer{}, err
		}
		return d.end(r.Context(), caller, device)
	case "others", "all":
		if caller.Kind != bearer.Refresh {
			return answer{}, errNeedsRefreshToken()
		}
		if which == "all" {
			return done(r.Context(), d.signIns.SignOut(r.Context(), caller.Subject))
		}
		return done(r.Context(), d.signIns.EndOthers(r.Context(), caller.Subject, placeOf(caller)))
	}
	return answer{}, refuseResource(oauth.InvalidRequest, "which must be others, all or device")
}

func done(ctx context.Context, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	oauth.EventOf(ctx).Outcome = oauth.Revoked
	return answer{noContent: true}, nil
}

func placeOf(caller oauth.Introspection) oauth.Place {
	return oauth.Place{Device: caller.Scope.Device(), Client: caller.ClientID}
}

// parsePage reads which page is asked for. Without a cursor it is the first.
func parsePage(query string) (after oauth.Place, limit int, err error) {
	form, err := parseForm(query, func(name string) bool { return name == "limit" || name == "after" })
	if err != nil {
		return oauth.Place{}, 0, refuseResource(oauth.InvalidRequest, "the query is malformed or repeats a parameter")
	}
	limit = defaultLimit
	if text := form["limit"]; text != "" {
		limit, err = strconv.Atoi(text)
		if err != nil || limit < 1 || limit > maxLimit || strconv.Itoa(limit) != text {
			return oauth.Place{}, 0, refuseResource(oauth.InvalidRequest, "limit must be a whole number from 1 to 250")
		}
	}
	if text := form["after"]; text != "" {
		var ok bool
		if after, ok = parseCursor(text); !ok {
			return oauth.Place{}, 0, refuseResource(oauth.InvalidRequest, "after is nothing that an answer gave as next")
		}
	}
	return after, limit, nil
}

// A cursor is the place at the end of a page, all of which the client has seen: a
// version, the length of the device's name, the name and the client. It is no
// secret and no permission; a forged one begins the page elsewhere in the caller's
// own list.
const cursorVersion = 1

func formatCursor(p oauth.Place) string {
	b := append([]byte{cursorVersion, byte(len(p.Device))}, p.Device...) //nolint:gosec // at most 64
	return base64.RawURLEncoding.EncodeToString(append(b, p.Client...))
}

// parseCursor accepts exactly what formatCursor makes of a place that there can be.
func parseCursor(text string) (oauth.Place, bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 2 || b[0] != cursorVersion || len(b) < 2+int(b[1]) {
		return oauth.Place{}, false
	}
	name, client := string(b[2:2+int(b[1])]), ledger.ClientID(b[2+int(b[1]):])
	p := oauth.Place{Client: client}
	if name != "" {
		if p.Device, err = scope.ParseDevice(name); err != nil {
			return oauth.Place{}, false
		}
	}
	if !oauth.PlausibleClientID(client) || formatCursor(p) != text { // the decoder skips line breaks
		return oauth.Place{}, false
	}
	return p, true
}
