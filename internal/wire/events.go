package wire

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

// Events takes security event tokens that are pushed (RFC 8935) and the notifications of
// Sign in with Apple. Nobody authenticates: the signature of the token decides. An answer
// of 2xx means that what the event asks for is done, and 503 that it has to be sent again.
func Events(receiver *oauth.Receiver, o Options) http.Handler {
	e := newHandler("events", o, func(w http.ResponseWriter, r *http.Request) (answer, error) {
		if r.Method != http.MethodPost {
			return answer{}, errMethod
		}
		body, err := readBody(w, r)
		if err != nil {
			return answer{}, err
		}
		token, done, err := eventToken(body)
		if err != nil {
			return answer{}, err
		}
		if err := timeLeft(r.Context()); err != nil {
			return answer{}, err
		}
		return answer{status: done}, receiver.Receive(r.Context(), secret.New(token))
	})
	e.eventErrors = true
	return e
}

// eventToken is the token of a body, and the status that says that it was taken. The body
// of RFC 8935 §2 is the token. Apple wraps it into JSON, and takes 200 alone for success.
// The content type is not looked at, since the signature leaves nothing to guess.
func eventToken(body string) (token string, done int, err error) {
	if !strings.HasPrefix(body, "{") {
		return body, http.StatusAccepted, nil
	}
	var apple struct {
		Payload string `json:"payload"`
	}
	if json.Unmarshal([]byte(body), &apple) != nil || apple.Payload == "" {
		return "", 0, invalidRequest("the body is neither a token nor an object with one as its payload")
	}
	return apple.Payload, http.StatusOK, nil
}

// eventErrorJSON is the body of RFC 8935 §2.3.
type eventErrorJSON struct {
	Error       oauth.Code `json:"err"`
	Description string     `json:"description"`
}
