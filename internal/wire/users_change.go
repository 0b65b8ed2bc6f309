package wire

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

// mergePatch is RFC 7396.
const mergePatch = "application/merge-patch+json"

// change sets what the body has, and ends all tokens of the user: also those of before a
// change that was done by half, so that a back end may ask again.
func (u users) change(w http.ResponseWriter, r *http.Request, at usersPlace) (answer, error) {
	var password string
	var roles []string
	var disabled bool
	read, err := readObject(w, r, map[string]any{"password": &password, "roles": &roles, "disabled": &disabled}, mergePatch)
	if err != nil {
		return answer{}, err
	}
	if len(read) == 0 {
		return answer{}, invalidRequest("the body has nothing to change")
	}
	c := oauth.UserChange{}
	if read["password"] != nil {
		text := secret.New(password)
		if read.Has("password") && password == "" { // a slip; null takes it away
			return answer{}, invalidRequest("the password is empty")
		}
		c.Password = &text
	}
	if read["roles"] != nil {
		c.Roles = &roles
	}
	if read["disabled"] != nil {
		if !read.Has("disabled") { // null would let in a user by a slip
			return answer{}, invalidRequest("disabled must be true or false")
		}
		c.Disabled = &disabled
	}
	user, err := u.Registrar.UserByID(r.Context(), at.id)
	if err != nil {
		return answer{}, ofChange(err)
	}
	if c.Version, err = ifMatch(r.Header, user.Version); err != nil {
		return answer{}, err
	}
	if user, err = u.Registrar.ChangeUser(r.Context(), user, c); err != nil {
		return answer{}, ofChange(err)
	}
	oauth.EventOf(r.Context()).Outcome = oauth.Changed
	return userAnswer(user)
}

// ifMatch returns the version that a change is for (RFC 9110 §13.1.1), zero for any. now is
// the one that is there.
func ifMatch(header http.Header, now uint64) (version uint64, err error) {
	values := header.Values("If-Match")
	value := strings.TrimSpace(strings.Join(values, ","))
	// An empty one is a tag that got lost, and no tag of fob.
	if len(values) == 0 || value == "*" {
		return 0, nil
	}
	tag := `"` + strconv.FormatUint(now, 10) + `"`
	// No tag of fob has a comma in it.
	if !slices.ContainsFunc(strings.Split(value, ","), func(t string) bool { return strings.TrimSpace(t) == tag }) {
		return 0, errChanged
	}
	return now, nil
}

var errChanged = &oauth.Error{Code: oauth.PreconditionFailed, Description: "the user was changed since that ETag: read it again"}
