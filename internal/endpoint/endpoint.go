// Package endpoint is the client's side of /token, /introspect and /revoke: one form
// out, one answer in.
//
//	c := endpoint.New("https://login.example.com", "shop-app", secret.Text{}, nil)
//	tokens, err := c.Get(ctx, endpoint.Login{Username: "ann", Password: password})
//
// Look says what a token says about itself, and asks nobody. The package does not know
// flags or terminals. No error that it makes has a token, a password or a client's
// secret; a [RefusedError] has the words of the service, unless they repeat one that was
// sent.
package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

// requestTime bounds one request. The gateway gives up after 30 seconds.
const requestTime = 31 * time.Second

// maxAnswer bounds a body, in bytes.
const maxAnswer = 64 << 10

// Client asks the endpoints below one address, in the name of one registered client.
type Client struct {
	base, id string
	secret   secret.Text
	http     *http.Client
}

// New returns the client id of the deployment at base, which is the address before
// /token, without a slash at the end. Without a secret it is a public client. transport
// takes the requests; nil is the network.
func New(base, id string, clientSecret secret.Text, transport http.RoundTripper) *Client {
	return &Client{base, id, clientSecret, &http.Client{
		Transport: transport,
		Timeout:   requestTime,
		// A token endpoint that redirects would have the secrets sent on.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Answer is what came back, whatever its status. Its body may hold tokens.
type Answer struct {
	Status int

	retryAfter string
	body       secret.Text
	sent       []secret.Text
}

// secretMembers are those of the forms.
var secretMembers = []string{"password", "subject_token", "assertion", "refresh_token", "token"}

// NoAnswerError says that nobody knows what became of a request.
type NoAnswerError struct {
	Address string
	Err     error
}

func (e *NoAnswerError) Error() string { return fmt.Sprintf("no answer from %s: %v", e.Address, e.Err) }
func (e *NoAnswerError) Unwrap() error { return e.Err }

// Post sends a form to the path of an endpoint, with the client's credentials (RFC 6749
// §2.3.1). It returns a [NoAnswerError], or the error of an answer that no endpoint of
// fob gives.
func (c *Client) Post(ctx context.Context, path string, form url.Values) (Answer, error) {
	address := c.base + path
	if c.secret.Len() == 0 {
		form.Set("client_id", c.id)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return Answer{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c.secret.Len() > 0 {
		req.SetBasicAuth(url.QueryEscape(c.id), url.QueryEscape(c.secret.Reveal()))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return Answer{}, &NoAnswerError{address, errors.Unwrap(err)} // what is around it repeats the address
	}
	defer resp.Body.Close()
	_, basic, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	a := Answer{Status: resp.StatusCode, retryAfter: resp.Header.Get("Retry-After"), sent: []secret.Text{c.secret, secret.New(basic)}}
	for _, name := range secretMembers {
		a.sent = append(a.sent, secret.New(form.Get(name)))
	}
	if a.Status == http.StatusNotFound { // a gateway's is JSON too
		return a, errors.New("status 404: is it the address before /token?")
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return a, &NoAnswerError{address, err}
	}
	if len(body) > 0 && !json.Valid(body) {
		if a.Status == http.StatusOK {
			return a, fmt.Errorf("status %d, and a body that is not JSON", a.Status)
		}
		body = nil // of a proxy: the status says what happened
	}
	a.body = secret.New(string(body))
	return a, nil
}

// Decode reads the members of the body into a struct. An empty body has none.
func (a Answer) Decode(into any) error {
	if a.body.Len() == 0 {
		return nil
	}
	if json.Unmarshal([]byte(a.body.Reveal()), into) != nil {
		return fmt.Errorf("status %d, and JSON of another shape", a.Status) // the library's error may quote it
	}
	return nil
}

// RefusedError is an answer that is an error (RFC 6749 §5.2), in the words of the
// service as a terminal may show them. Words that repeat a secret of the request are left
// out.
type RefusedError struct {
	Status      int
	Code        string // such as invalid_grant, at most 40 characters; may be empty
	Description string // at most 200 characters; may be empty
	// RetryAfter is after how many seconds a try makes sense, at most an hour; zero if the
	// service did not say, or said more.
	RetryAfter int
}

func (e *RefusedError) Error() string {
	text := fmt.Sprintf("status %d", e.Status)
	if e.Code != "" {
		text += ", " + e.Code
	}
	if e.Description != "" {
		text += ": " + e.Description
	}
	return text
}

// Unavailable reports whether nobody knows, so that the request is to be sent again.
func (e *RefusedError) Unavailable() bool {
	return e.Status >= 500 || e.Status == http.StatusTooManyRequests
}

// Refused is the error of an answer, nil for 200.
func (a Answer) Refused() error {
	if a.Status == http.StatusOK {
		return nil
	}
	var body struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	_ = a.Decode(&body) // a gateway's has other members, and the status says enough
	after, err := strconv.Atoi(a.retryAfter)
	if err != nil || after < 0 || after > maxRetryAfter {
		after = 0
	}
	return &RefusedError{a.Status, a.words(body.Error, 40), a.words(body.Description, 200), after}
}

const maxRetryAfter = 3600 // seconds

// words are a text of the service as a terminal may show it, not longer than limit. They are
// empty if the text has a character that no error has (RFC 6749 §5.2), or repeats a secret
// that was sent.
func (a Answer) words(text string, limit int) string {
	foreign := func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }
	repeated := func(s secret.Text) bool {
		return s.Len() > 0 && (strings.Contains(text, s.Reveal()) || strings.Contains(text, url.QueryEscape(s.Reveal())))
	}
	if strings.ContainsFunc(text, foreign) || slices.ContainsFunc(a.sent, repeated) {
		return ""
	}
	return text[:min(len(text), limit)]
}

// errPromise is for a 200 that does not hold what the endpoint promises.
var errPromise = errors.New("status 200, but not the answer that was promised")

// ask posts and returns a refusal as an error.
func (c *Client) ask(ctx context.Context, path string, form url.Values, into any) error {
	a, err := c.Post(ctx, path, form)
	if err != nil {
		return err
	}
	if err := a.Refused(); err != nil {
		return err
	}
	return a.Decode(into)
}

// grant is the name of a grant type in a form.
func grant(g oauth.GrantType) []string { return []string{string(g)} }
