package wire

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

// errInvalidClient carries no description: respond gives all of its code the
// same, so that they cannot be told apart.
func errInvalidClient() error { return &oauth.Error{Code: oauth.InvalidClient} }

// takeCredentials reads what the request shows to authenticate its client (RFC
// 6749 §2.3) and takes it out of the form, so that a client secret goes on only
// as a secret.Text. It judges the form of the credentials; whether they are true
// is the domain's business.
func takeCredentials(header http.Header, form oauth.Form) (oauth.Credentials, error) {
	bodyID, bodySecret := form[paramClientID], form[paramClientSecret]
	asserts := form[paramClientAssertion] != "" || form[paramClientAssertionType] != ""
	for _, name := range []string{paramClientID, paramClientSecret, paramClientAssertion, paramClientAssertionType} {
		delete(form, name)
	}

	// Some clients send the header blank beside credentials in the body.
	authorization := slices.DeleteFunc(slices.Clone(header.Values("Authorization")), func(v string) bool { return strings.TrimSpace(v) == "" })
	mechanisms := len(authorization)
	if bodySecret != "" {
		mechanisms++
	}
	if asserts {
		mechanisms++
	}
	// A gateway joins repeated headers with commas, which base64 does not have.
	joined := len(authorization) == 1 && strings.Contains(authorization[0], ",")
	switch {
	case mechanisms > 1 || joined:
		return oauth.Credentials{}, invalidRequest("the client must authenticate in one way only") // RFC 6749 §2.3
	case asserts:
		return oauth.Credentials{}, errInvalidClient() // private_key_jwt is not supported yet
	case len(authorization) == 1:
		id, password, ok := parseBasic(authorization[0])
		if !ok {
			return oauth.Credentials{}, errInvalidClient()
		}
		if bodyID != "" && bodyID != id {
			return oauth.Credentials{}, invalidRequest("client_id is not the client that authenticates")
		}
		return oauth.Credentials{Method: oauth.SecretBasic, ID: oauth.ClientID(id), Secret: password}, nil
	case bodySecret != "":
		return oauth.Credentials{Method: oauth.SecretPost, ID: oauth.ClientID(bodyID), Secret: secret.New(bodySecret)}, nil
	case bodyID != "":
		return oauth.Credentials{Method: oauth.ClientIDOnly, ID: oauth.ClientID(bodyID)}, nil
	}
	return oauth.Credentials{}, nil
}

// basicEncoding is strict: two headers that differ are two credentials.
var basicEncoding = base64.StdEncoding.Strict()

// parseBasic reads a header of the Basic scheme (RFC 7617 §2), whose user-id and
// password are form-encoded before base64 (RFC 6749 §2.3.1).
func parseBasic(header string) (id string, password secret.Text, ok bool) {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", secret.Text{}, false
	}
	encoded = strings.TrimLeft(encoded, " ") // RFC 9110 §11.4: 1*SP
	pair, err := basicEncoding.DecodeString(encoded)
	// The decoder skips line breaks.
	if err != nil || basicEncoding.EncodeToString(pair) != encoded {
		return "", secret.Text{}, false
	}
	rawID, rawPassword, found := strings.Cut(string(pair), ":")
	if !found {
		return "", secret.Text{}, false
	}
	id, idOK := unescape(rawID)
	text, textOK := unescape(rawPassword)
	if !idOK || !textOK {
		return "", secret.Text{}, false
	}
	return id, secret.New(text), true
}
