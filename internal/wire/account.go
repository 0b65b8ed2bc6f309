package wire

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

// Account is the resource with which signed-in users change their password and leave:
//
//	POST   .../account/password   {"password": the present one, "new_password": ...}
//	DELETE .../account            {"password": ...}, or no body just after a sign-in
//
// It takes refresh tokens alone, see [Devices], with the scope [oauth.AccountScope].
func Account(verifier *oauth.Verifier, account *oauth.Account, o Options) http.Handler {
	return newHandler("account", o, func(w http.ResponseWriter, r *http.Request) (answer, error) {
		serve, method := changePassword, http.MethodPost
		switch parent, last := lastSegments(r.URL.Path); {
		case last == accountSegment:
			serve, method = leave, http.MethodDelete
		case parent != accountSegment || last != passwordSegment:
			return answer{}, errNothingHere
		}
		if r.Method != method {
			return answer{}, errMethodNotIn(method)
		}
		caller, err := holderOf(w, r, verifier, oauth.AccountScope)
		if err != nil {
			return answer{}, err
		}
		if caller.Kind != bearer.Refresh {
			return answer{}, refuseResource(oauth.UnsupportedTokenType, "an access token changes no account: send the refresh token as the bearer")
		}
		oauth.EventOf(r.Context()).Subject = caller.Subject.ID
		a, err := serve(w, r, account, caller, o.sourceOf(r).counted)
		return a, ofAccount(err)
	})
}

// passwordChangedJSON says whether the device that asked is still signed in.
type passwordChangedJSON struct {
	SignedIn bool `json:"signed_in"`
}

func changePassword(w http.ResponseWriter, r *http.Request, account *oauth.Account, caller oauth.Introspection, source string) (answer, error) {
	var present, next string
	if _, err := readObject(w, r, map[string]any{"password": &present, "new_password": &next}); err != nil {
		return answer{}, err
	}
	if present == "" || next == "" {
		return answer{}, invalidRequest("password or new_password is missing")
	}
	stays, err := account.ChangePassword(r.Context(), caller, source, secret.New(present), secret.New(next))
	if err != nil {
		return answer{}, err
	}
	oauth.EventOf(r.Context()).Outcome = oauth.Changed
	return jsonAnswer(passwordChangedJSON{stays})
}

func leave(w http.ResponseWriter, r *http.Request, account *oauth.Account, caller oauth.Introspection, source string) (answer, error) {
	var password string
	if r.ContentLength != 0 {
		read, err := readObject(w, r, map[string]any{"password": &password})
		if err != nil {
			return answer{}, err
		}
		if read["password"] != nil && password == "" { // a slip, or null; it must not count as none
			return answer{}, invalidRequest("the password is empty")
		}
	}
	err := account.Delete(r.Context(), caller, source, secret.New(password))
	return done(r.Context(), oauth.Removed, err)
}

// ofAccount makes an error of [oauth.Account] one of this resource.
func ofAccount(err error) error {
	if oauth.IsChange(err, oauth.NoSuchEntry) { // removed since the token was read
		return errInvalidToken
	}
	if e, ok := errors.AsType[*oauth.Error](err); ok && e.Code == oauth.InsufficientAuthentication {
		return &resourceError{refused: e, maxAge: strconv.Itoa(oauth.FreshSignIn)}
	}
	return ofChange(err)
}
