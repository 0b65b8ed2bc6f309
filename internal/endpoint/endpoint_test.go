package endpoint_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/endpoint"
	"github.com/fob-oauth/fob/internal/secret"
)

// answering serves one answer to everything.
func answering(t *testing.T, status int, body string, header ...string) *endpoint.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return endpoint.New(server.URL, "shop-app", secret.New("example-secret"), nil)
}

func TestRefused(t *testing.T) {
	for _, test := range []struct {
		status      int
		body        string
		retryAfter  string
		want        string
		unavailable bool
	}{
		{400, `{"error":"invalid_grant","error_description":"the password is wrong"}`, "", "status 400, invalid_grant: the password is wrong", false},
		{401, `{"error":"invalid_client"}`, "", "status 401, invalid_client", false},
		{403, `{"message":"Forbidden"}`, "", "status 403", false},
		{400, `["invalid_grant"]`, "", "status 400", false},
		{429, `{"message":"Too Many Requests"}`, "", "status 429", true},
		{503, `{"error":"temporarily_unavailable"}`, "2", "status 503, temporarily_unavailable", true},
		{500, ``, "-1", "status 500", true},
		{503, ``, "99999999999999999999", "status 503", true},
		{503, ``, "999999999999", "status 503", true}, // nobody waits for that
		{503, ``, "3600", "status 503", true},
		{302, ``, "", "status 302", false},
		{204, ``, "", "status 204", false},      // nothing was said
		{503, `<html>`, "", "status 503", true}, // of a proxy

		// An error must not move the cursor, nor fill the terminal.
		{400, `{"error":"\u202e\u001b[31m"}`, "", "status 400", false},
		{400, `{"error":"x","error_description":"a\nb"}`, "", "status 400, x", false},
		{400, `{"error":"x\"y","error_description":"a\\b"}`, "", "status 400", false},
		{400, `{"error":"` + strings.Repeat("x", 41) + `secret"}`, "", "status 400, " + strings.Repeat("x", 40), false},
		{400, `{"error_description":"` + strings.Repeat("x", 201) + `"}`, "", "status 400: " + strings.Repeat("x", 200), false},
	} {
		err := answering(t, test.status, test.body, "Retry-After", test.retryAfter).Revoke(t.Context(), secret.New("fob_rt_y"))
		refused, ok := errors.AsType[*endpoint.RefusedError](err)
		if !ok {
			t.Errorf("%d %s: %v", test.status, test.body, err)
			continue
		}
		if refused.Error() != test.want || refused.Unavailable() != test.unavailable {
			t.Errorf("%d %s: %q, unavailable %v", test.status, test.body, refused, refused.Unavailable())
		}
		if want := map[string]int{"2": 2, "3600": 3600}[test.retryAfter]; refused.RetryAfter != want {
			t.Errorf("%d %s: after %d s", test.status, test.body, refused.RetryAfter)
		}
	}
}

// An answer that is not fob's is an error, and the error repeats nothing of the body.
func TestAnswerOfSomethingElse(t *testing.T) {
	const token = "fob_at_secret"
	for _, test := range []struct {
		status int
		body   string
		want   string
	}{
		{404, `{"message":"Not Found"}`, "status 404: is it the address before /token?"},
		{200, "<html>" + token, "status 200, and a body that is not JSON"},
		{200, `{"active":"` + token + `","access_token":["` + token + `"]}`, "status 200, and JSON of another shape"},
		{200, `{}`, "status 200, but not the answer that was promised"},
		{200, ``, "status 200, but not the answer that was promised"},
		{200, `{"access_token":"","active":null}`, "status 200, but not the answer that was promised"},
		{200, `{"a":"` + strings.Repeat("x", 64<<10) + `"}`, "status 200, and a body that is not JSON"},
	} {
		c := answering(t, test.status, test.body)
		_, introspected := c.Introspect(t.Context(), secret.New(token))
		_, got := c.Get(t.Context(), endpoint.Login{})
		_, refreshed := c.Refresh(t.Context(), secret.New(token))
		for _, err := range []error{introspected, got, refreshed} {
			if err == nil || err.Error() != test.want {
				t.Errorf("%d %.40s: %v, want %s", test.status, test.body, err, test.want)
			}
		}
	}
}

func TestNoAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("{")) // and the rest is missing
	}))
	defer server.Close()
	for name, base := range map[string]string{"nobody listens": "http://127.0.0.1:1", "a body that ends early": server.URL} {
		_, err := endpoint.New(base, "shop-app", secret.Text{}, nil).Get(t.Context(), endpoint.Login{})
		none, ok := errors.AsType[*endpoint.NoAnswerError](err)
		if !ok || none.Address != base+"/token" || strings.Count(err.Error(), base) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A service that repeats a secret in its error does not bring it into a log or a terminal.
func TestRefusedRepeatsNoSecret(t *testing.T) {
	const password, clientSecret, token, other = "pass word 1", "client-secret-2", "fob_rt_3", "header.payload.signature"
	var code, description string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": description})
	}))
	defer server.Close()
	c := endpoint.New(server.URL, "shop-app", secret.New(clientSecret), nil)
	for name, test := range map[string]struct {
		secret string
		ask    func() error
	}{
		"password": {password, func() error {
			_, err := c.Get(t.Context(), endpoint.Login{Username: "ann", Password: secret.New(password)})
			return err
		}},
		"client secret": {clientSecret, func() error {
			_, err := c.Get(t.Context(), endpoint.Login{})
			return err
		}},
		"ID token": {other, func() error {
			_, err := c.Get(t.Context(), endpoint.Login{IDToken: secret.New(other)})
			return err
		}},
		"assertion": {other, func() error {
			_, err := c.Get(t.Context(), endpoint.Login{Assertion: secret.New(other)})
			return err
		}},
		"refresh token": {token, func() error {
			_, err := c.Refresh(t.Context(), secret.New(token))
			return err
		}},
		"token": {token, func() error { return c.Revoke(t.Context(), secret.New(token)) }},
	} {
		const without = "status 400, invalid_grant"
		code = "invalid_grant"
		description = "I know no " + test.secret + " of ann"
		if err := test.ask(); err == nil || err.Error() != without {
			t.Errorf("%s: %v", name, err)
		}
		description = strings.Repeat("x", 200-len(test.secret)/2) + test.secret // cut in the middle
		if err := test.ask(); err == nil || err.Error() != without {
			t.Errorf("%s, at the end: %v", name, err)
		}
		description = "I do not understand username=ann&password=" + url.QueryEscape(test.secret) // the form, as it was sent
		if err := test.ask(); err == nil || err.Error() != without {
			t.Errorf("%s, as it was sent: %v", name, err)
		}
		description = "I do not understand " + base64.StdEncoding.EncodeToString([]byte("shop-app:"+clientSecret))
		if err := test.ask(); err == nil || err.Error() != without {
			t.Errorf("%s, with the header of the client: %v", name, err)
		}
		description = "not for ann"
		if err := test.ask(); err == nil || err.Error() != without+": not for ann" {
			t.Errorf("%s is not repeated: %v", name, err)
		}
		code = "no " + test.secret
		if err := test.ask(); err == nil || err.Error() != "status 400: not for ann" {
			t.Errorf("%s, as the code: %v", name, err)
		}
	}
}

// Secrets stay with the address that they were meant for.
func TestRedirectIsNotFollowed(t *testing.T) {
	followed := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	defer other.Close()
	err := answering(t, http.StatusTemporaryRedirect, "", "Location", other.URL).Revoke(t.Context(), secret.New("x"))
	if refused, ok := errors.AsType[*endpoint.RefusedError](err); !ok || refused.Status != http.StatusTemporaryRedirect || followed {
		t.Errorf("%v, followed %v", err, followed)
	}
}

// RFC 6749 §2.3.1: id and secret are form-encoded before the header is made.
func TestCredentials(t *testing.T) {
	var header http.Header
	var form url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		header, form = r.Header, r.PostForm
		_, _ = w.Write([]byte("{}"))
	}))
	defer server.Close()
	revoke := func(clientSecret string) {
		t.Helper()
		if err := endpoint.New(server.URL, "a b", secret.New(clientSecret), nil).Revoke(t.Context(), secret.New("x")); err != nil {
			t.Fatal(err)
		}
	}
	revoke("50%+1:2")
	r := http.Request{Header: header}
	if id, password, ok := r.BasicAuth(); !ok || id != "a+b" || password != "50%25%2B1%3A2" || form.Has("client_id") || form.Has("client_secret") {
		t.Errorf("confidential: %q, %q, %v", id, password, form)
	}
	revoke("")
	if header.Get("Authorization") != "" || form.Get("client_id") != "a b" {
		t.Errorf("public: %v, %v", header, form)
	}
}
