package wire

import (
	"encoding/base64"
	"net/http"

	"github.com/fob-oauth/fob/internal/oauth"
)

// usersJSON is a page.
type usersJSON struct {
	Users []userJSON `json:"users"`
	Next  string     `json:"next,omitempty"` // the after of the next page, if there is one
}

func (u users) list(_ http.ResponseWriter, r *http.Request, _ usersPlace) (answer, error) {
	asked := false // for a name
	form, err := parseForm(r.URL.RawQuery, func(name string) bool {
		asked = asked || name == "username"
		return name == "username" || name == "limit" || name == "after"
	})
	if err != nil {
		return answer{}, invalidRequest("the query is malformed or repeats a parameter")
	}
	out := usersJSON{Users: []userJSON{}}
	switch name := form["username"]; {
	case asked && name == "":
		// A page of everybody would begin with somebody else.
		return answer{}, invalidRequest("username is empty")
	case asked && len(form) > 1:
		return answer{}, invalidRequest("username goes with no other parameter")
	case asked:
		user, err := u.Registrar.User(r.Context(), name)
		if err != nil && !oauth.IsChange(err, oauth.NoSuchEntry) {
			return answer{}, ofChange(err)
		}
		if err == nil {
			out.Users = append(out.Users, newUserJSON(user))
		}
	default:
		limit, err := parseLimit(form)
		if err != nil {
			return answer{}, err
		}
		after, ok := parseUsersCursor(form["after"])
		if !ok {
			return answer{}, invalidRequest("after is nothing that an answer gave as next")
		}
		page, next, err := u.Registrar.Users.UsersAfter(r.Context(), after, limit)
		if err != nil {
			return answer{}, err
		}
		for _, user := range page {
			out.Users = append(out.Users, newUserJSON(user))
		}
		if next != "" {
			out.Next = usersCursor.EncodeToString([]byte(next))
		}
	}
	oauth.EventOf(r.Context()).Outcome = oauth.Listed
	return jsonAnswer(out)
}

// A cursor is the store's position. It is neither a secret nor a permission; a forged one begins
// the page elsewhere.
var usersCursor = base64.RawURLEncoding.Strict()

func parseUsersCursor(text string) (after string, ok bool) {
	b, err := usersCursor.DecodeString(text)
	// The decoder skips line breaks.
	return string(b), err == nil && len(b) <= oauth.MaxUsername && usersCursor.EncodeToString(b) == text
}
