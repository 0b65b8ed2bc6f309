package wire

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/fob-oauth/fob/internal/jsonobject"
	"github.com/fob-oauth/fob/internal/oauth"
)

// SignOut ends all that a user has, everywhere, for an identity provider or a security
// team: draft-parecki-oauth-global-token-revocation. The subject is written as RFC 9493
// has it: in the format opaque with a sub of fob, or in the format iss_sub with a registered
// issuer and its own sub. It takes access tokens of clients that speak for themselves and
// have the scope [oauth.SignOutScope].
func SignOut(p UserResources, o Options) http.Handler {
	return newHandler("users", o, func(w http.ResponseWriter, r *http.Request) (answer, error) {
		if r.Method != http.MethodPost {
			return answer{}, errMethodNotIn(http.MethodPost)
		}
		if err := p.backEnd(w, r, oauth.SignOutScope); err != nil {
			return answer{}, err
		}
		var subject json.RawMessage
		if _, err := readObject(w, r, map[string]any{"sub_id": &subject}); err != nil {
			return answer{}, err
		}
		id, err := p.subjectID(r.Context(), subject)
		if err != nil {
			return answer{}, err
		}
		oauth.EventOf(r.Context()).Subject = id
		return p.signOutSubject(r.Context(), oauth.SubjectOf(id))
	})
}

// subjectID is the sub of fob that an identifier means.
func (p UserResources) subjectID(ctx context.Context, text json.RawMessage) (string, error) {
	if text == nil {
		return "", invalidRequest("sub_id is missing")
	}
	var format, id, iss, sub string
	read, err := jsonobject.Read("sub_id", text, map[string]any{"format": &format, "id": &id, "iss": &iss, "sub": &sub})
	if err != nil {
		return "", invalid(err)
	}
	switch {
	case format == "opaque" && id != "" && !read.Has("iss") && !read.Has("sub"): // RFC 9493 §3.2.7
		if !isUserID(id) {
			return "", errNoSuchUser
		}
		return id, nil
	case format == "iss_sub" && iss != "" && sub != "" && !read.Has("id"): // RFC 9493 §3.2.3
		id, found, err := p.Registrar.UserOfIssuer(ctx, p.Issuers, iss, sub)
		if err == nil && !found {
			err = errNoSuchUser
		}
		return id, err
	}
	return "", invalidRequest("sub_id has the format opaque and an id, or the format iss_sub, an iss and a sub")
}
