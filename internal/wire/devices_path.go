package wire

import (
	"net/http"
	"strings"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

// partOf finds what is asked for, and the device if it is one. The method
// distinguishes what the path alone does not, such as a device called sign-out.
func partOf(r *http.Request) (part, device, error) {
	part := partOfRoute(GatewayOf(r.Context()).Route)
	if part == noPart {
		part = partOfPath(r.Method, r.URL.Path)
	}
	switch {
	case part == listPart && isRead(r.Method):
		return listPart, device{}, nil
	case part == listPart:
		return noPart, device{}, errMethodNotIn(reads...)
	case part == noPart:
		return noPart, device{}, refuseResource(oauth.InvalidRequest, "there is nothing at this path")
	case r.Method == http.MethodDelete:
		parent, last := lastSegments(r.URL.Path)
		if parent != devicesSegment { // a slash in the name, which the gateway decoded
			last = ""
		}
		named, err := parseDevice(last)
		return devicePart, named, err
	case part == signOutPart && r.Method == http.MethodPost:
		return signOutPart, device{}, nil
	case part == signOutPart:
		return noPart, device{}, errMethodNotIn(http.MethodDelete, http.MethodPatch, http.MethodPost)
	}
	return noPart, device{}, errMethodNotIn(http.MethodDelete, http.MethodPatch)
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

// device is one that a request names: by the name that the app made, or by the handle
// that the list has.
type device struct {
	name   scope.Device
	handle oauth.Handle
}

// handleFor is the handle of the device, if it is one of subject.
func (d device) handleFor(subject ledger.Subject) oauth.Handle {
	if d.handle != "" {
		return d.handle
	}
	return oauth.HandleOf(subject, d.name)
}

func parseDevice(text string) (device, error) {
	if handle, ok := oauth.ParseHandle(text); ok {
		return device{handle: handle}, nil
	}
	name, err := scope.ParseDevice(text)
	if err != nil {
		return device{}, refuseResource(oauth.InvalidRequest, "that is neither a device name of 1 to 64 of A-Z a-z 0-9 . _ - nor a handle of the list")
	}
	return device{name: name}, nil
}
