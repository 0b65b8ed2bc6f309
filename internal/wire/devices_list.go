package wire

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

const (
	defaultLimit = 100
	maxLimit     = 250
)

// devicesJSON is a page. Times are Unix seconds.
type devicesJSON struct {
	Devices []deviceJSON `json:"devices"`
	Next    string       `json:"next,omitempty"` // the after of the next page, if there is one
}

// deviceJSON is a line. Its device has a handle if the app gave it a name. The name is
// only in the line of the token that asks: somebody who knows it and the password gets
// the tokens of that device.
type deviceJSON struct {
	Handle      string `json:"handle,omitempty"`
	Device      string `json:"device,omitempty"`
	Label       string `json:"label,omitempty"`
	ClientID    string `json:"client_id"`
	Scope       string `json:"scope,omitempty"`
	FirstIssued int64  `json:"first_issued"`
	LastIssued  int64  `json:"last_issued"`
	Expires     int64  `json:"expires"`
	Current     bool   `json:"current"`
}

// list has the devices of subject. here is the place of the token that asks, and empty for
// a back end, which is at none.
func (d devices) list(r *http.Request, subject ledger.Subject, here oauth.Place) (answer, error) {
	after, limit, err := parsePage(r.URL.RawQuery)
	if err != nil {
		return answer{}, err
	}
	page, more, err := d.signIns.Places(r.Context(), subject, after, limit)
	if err != nil {
		return answer{}, err
	}
	out := devicesJSON{Devices: []deviceJSON{}}
	for _, in := range page {
		line := deviceJSON{
			Handle:      string(in.Position.Handle),
			Label:       in.Label,
			ClientID:    string(in.Client),
			Scope:       strings.Join(in.Scopes, " "),
			FirstIssued: in.FirstIssued,
			LastIssued:  in.LastIssued,
			Expires:     in.Expiry,
			Current:     in.Place == here,
		}
		if line.Current {
			line.Device = string(in.Device)
		}
		out.Devices = append(out.Devices, line)
	}
	if more {
		out.Next = formatCursor(page[len(page)-1].Position)
	}
	oauth.EventOf(r.Context()).Outcome = oauth.Listed
	return jsonAnswer(out)
}

// parsePage reads which page is asked for. Without a cursor it is the first.
func parsePage(query string) (after oauth.Position, limit int, err error) {
	form, err := parseForm(query, func(name string) bool { return name == "limit" || name == "after" })
	if err != nil {
		return oauth.Position{}, 0, refuseResource(oauth.InvalidRequest, "the query is malformed or repeats a parameter")
	}
	if limit, err = parseLimit(form); err != nil {
		return oauth.Position{}, 0, err
	}
	if text := form["after"]; text != "" {
		var ok bool
		if after, ok = parseCursor(text); !ok {
			return oauth.Position{}, 0, refuseResource(oauth.InvalidRequest, "after is nothing that an answer gave as next")
		}
	}
	return after, limit, nil
}

// parseLimit reads how many lines a page may have.
func parseLimit(form oauth.Form) (int, error) {
	text := form["limit"]
	if text == "" {
		return defaultLimit, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > maxLimit || strconv.Itoa(limit) != text {
		return 0, refuseResource(oauth.InvalidRequest, "limit must be a whole number from 1 to 250")
	}
	return limit, nil
}

// A cursor is the position at the end of a page, all of which the client has seen: a
// version, the length of the handle, the handle and the client. It is not a secret and not a
// permission; a forged one begins the page elsewhere in the caller's own list.
const cursorVersion = 2

func formatCursor(p oauth.Position) string {
	b := append([]byte{cursorVersion, byte(len(p.Handle))}, p.Handle...) //nolint:gosec // 0 or 23
	return base64.RawURLEncoding.EncodeToString(append(b, p.Client...))
}

// parseCursor accepts exactly what formatCursor makes of a position that there can be.
func parseCursor(text string) (oauth.Position, bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 2 || b[0] != cursorVersion || len(b) < 2+int(b[1]) {
		return oauth.Position{}, false
	}
	handle, client := string(b[2:2+int(b[1])]), ledger.ClientID(b[2+int(b[1]):])
	p := oauth.Position{Client: client}
	if handle != "" {
		var ok bool
		if p.Handle, ok = oauth.ParseHandle(handle); !ok {
			return oauth.Position{}, false
		}
	}
	if !oauth.PlausibleClientID(client) || formatCursor(p) != text { // the decoder skips line breaks
		return oauth.Position{}, false
	}
	return p, true
}
