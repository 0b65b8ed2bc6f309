package wire

import (
	"errors"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/fob-oauth/fob/internal/jsonobject"
	"github.com/fob-oauth/fob/internal/oauth"
)

// readJSON reads a body of JSON in UTF-8, of at most 16 KiB. others are content types
// that it may have as well.
func readJSON(w http.ResponseWriter, r *http.Request, others ...string) ([]byte, error) {
	mediaType, params, err := mime.ParseMediaType(strings.Join(r.Header.Values("Content-Type"), ","))
	if charset := params["charset"]; err != nil || mediaType != "application/json" && !slices.Contains(others, mediaType) || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, invalidRequest("the content type must be application/json in UTF-8")
	}
	body, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	return []byte(body), timeLeft(r.Context())
}

// readObject reads a body that is one JSON object; see [jsonobject.Read].
func readObject(w http.ResponseWriter, r *http.Request, to map[string]any, others ...string) (jsonobject.Members, error) {
	body, err := readJSON(w, r, others...)
	if err != nil {
		return nil, err
	}
	read, err := jsonobject.Read("the body", body, to)
	if err != nil {
		return nil, invalid(err)
	}
	return read, nil
}

// quoted is what faults repeat of the input. It is compiled for the first fault and not
// at each start.
var quoted = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(` ?"(\\.|[^"\\])*"`) })

// invalid is a refusal with every fault of a body, without what they quote.
func invalid(faults error) error {
	return invalidRequest(strings.ReplaceAll(quoted().ReplaceAllString(faults.Error(), ""), "\n", "; "))
}

// ofChange makes an error of the Registrar one of a resource. The error of a change has the
// name of the user, which belongs into no log.
func ofChange(err error) error {
	e, ok := errors.AsType[*oauth.ChangeError](err)
	if !ok {
		if errors.Is(err, oauth.ErrConflict) {
			return oauth.Unavailable("change a user", err) // others were faster again and again
		}
		return err
	}
	switch e.Kind {
	case oauth.InvalidEntry:
		return invalid(e.Err)
	case oauth.NoSuchEntry:
		return errNoSuchUser
	case oauth.EntryChanged:
		return errChanged
	case oauth.InDoubt, oauth.HalfDone:
		return oauth.Unavailable(string(e.Kind), e.Err)
	}
	return errors.New("an unexpected change of a user: " + string(e.Kind))
}

// existsError is for a name that somebody has. The answer says who: a back end whose
// answer got lost goes on with that id.
type existsError struct{ id string }

func (e *existsError) Error() string { return "a user of that name exists" }
