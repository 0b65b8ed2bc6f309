package functions_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

// post sends a form as API Gateway does. It panics on an odd number of texts.
func (i *instance) post(t *testing.T, nameValues ...string) answer {
	t.Helper()
	return i.send(t, formEvent(t, i.name, form(nameValues...)))
}

func form(nameValues ...string) string {
	values := url.Values{}
	for pair := range slices.Chunk(nameValues, 2) {
		values.Add(pair[0], pair[1])
	}
	return values.Encode()
}

// formEvent is the event of a form without an Authorization header: a sample,
// with another body.
func formEvent(t *testing.T, function, body string) []byte {
	t.Helper()
	files := map[string]string{"token": "password", "revoke": "revoke", "introspect": "introspect", "devices": "sign-out", "events": "set", "metadata": "metadata", "users": "list", "account": "password"}
	e := readSample(t, filepath.Join(function, "events", files[function]+".json"))
	e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(body)), true
	e.Headers["content-length"] = strconv.Itoa(len(body))
	delete(e.Headers, "authorization")
	e.RequestContext.HTTP.Method = http.MethodPost
	return encode(t, e)
}

func readSample(t *testing.T, path string) events.APIGatewayV2HTTPRequest {
	t.Helper()
	return readEvent[events.APIGatewayV2HTTPRequest](t, path)
}

// readEvent reads an event that has nothing but what there is in an E.
func readEvent[E any](t *testing.T, path string) (e E) {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&e); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return e
}

func encode(t *testing.T, e any) []byte {
	t.Helper()
	text, err := json.Marshal(e)
	must(t, err)
	return text
}

// login is a password grant by the demo's confidential client.
func (i *instance) login(t *testing.T, scopes string) answer {
	t.Helper()
	a := i.post(t, "grant_type", "password", "username", demoUser, "password", demoPassword, "scope", scopes,
		"client_id", demoClient, "client_secret", demoClientSecret)
	if a.status != http.StatusOK || a.text(t, "access_token") == "" {
		t.Fatalf("login: status %d, %v", a.status, a.line)
	}
	return a
}

func (i *instance) revokeToken(t *testing.T, token string) answer {
	t.Helper()
	return i.post(t, "token", token, "client_id", demoClient, "client_secret", demoClientSecret)
}

func (i *instance) introspectToken(t *testing.T, token string) answer {
	t.Helper()
	return i.post(t, "token", token, "client_id", demoAPI, "client_secret", demoAPISecret)
}
