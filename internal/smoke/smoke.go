// Package smoke tries a deployment from outside, as its users do, and cleans up.
//
//	view, err := smoke.Try(ctx, smoke.Deployment{...}, "https://login.example.com")
//
// It does not know flags or terminals.
package smoke

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fob-oauth/fob/internal/endpoint"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/wire"
)

// Deployment is where Try adds a client and a user of its own, and removes them.
type Deployment struct {
	Registrar *oauth.Registrar
	// Users is nil where the client alone is to be tried: then it asks for itself. SignIns
	// may be nil with it: what is left of the tokens is dead without the client.
	Users   *oauth.UserRegistrar
	SignIns *oauth.SignIns

	// Transport, if not nil, takes the requests to the deployment in the place of the
	// network.
	Transport http.RoundTripper

	// Explain, if not nil, says what an error of the stores means.
	Explain func(error) error
	// Reached, if not nil, reports whether a write that failed with err may have
	// reached the store. Nil means yes.
	Reached func(err error) bool
}

// View is what a run found. It is what --json prints: programs rely on the names.
type View struct {
	URL       string `json:"url"`
	Passed    bool   `json:"passed"`
	CleanedUp bool   `json:"cleaned_up"`
	Steps     []Step `json:"steps"`
}

type Step struct {
	Step         string `json:"step"`
	Passed       bool   `json:"passed"`
	Milliseconds int64  `json:"milliseconds"`
	Fault        string `json:"fault,omitempty"`
}

// cleanupTime bounds the cleaning up.
const cleanupTime = time.Minute

// Try walks through the endpoints below base and cleans up, also after an error or an
// interruption. The view is of the walk, and has no steps if there was none. err joins
// what could not be added and what could not be removed.
func Try(ctx context.Context, d Deployment, base string) (View, error) {
	name := "fob-smoke-" + strings.ToLower(rand.Text())
	r := run{
		clientSecret: oauth.NewClientSecret(), password: oauth.NewClientSecret(),
		client: oauth.Client{ID: ledger.ClientID(name), Grants: []oauth.GrantType{oauth.PasswordGrant, oauth.ClientCredentialsGrant, oauth.RefreshTokenGrant}, AccessLifetime: 300},
	}
	r.endpoint = endpoint.New(base, name, r.clientSecret, d.Transport)
	if r.alone = d.Users == nil; r.alone {
		r.client.Grants = []oauth.GrantType{oauth.ClientCredentialsGrant}
	}
	err := d.register(ctx, &r)
	if err == nil {
		r.walk(ctx)
	}
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	left := d.cleanUp(cleanup, &r)
	view := View{URL: base, CleanedUp: left == nil, Steps: r.steps}
	view.Passed = err == nil && view.Fault() == ""
	return view, errors.Join(err, left)
}

// Fault is what went wrong on the walk, empty if nothing did.
func (v View) Fault() string {
	for _, s := range v.Steps {
		if !s.Passed {
			return s.Step + ": " + s.Fault
		}
	}
	return ""
}

func (d Deployment) explain(err error) error {
	if err == nil || d.Explain == nil {
		return err
	}
	return d.Explain(err)
}

// register adds the client and the user. It notes each that may be there afterwards, also
// after an error, so that cleaning up removes it.
func (d Deployment) register(ctx context.Context, r *run) error {
	mayBeThere := func(err error) bool {
		return err == nil || oauth.IsChange(err, oauth.InDoubt) && (d.Reached == nil || d.Reached(err))
	}
	_, err := d.Registrar.AddClient(ctx, r.client, r.clientSecret)
	if r.hasClient = mayBeThere(err); err != nil || d.Users == nil {
		return d.explain(err)
	}
	r.user, err = d.Users.AddUser(ctx, oauth.NewUser{Username: string(r.client.ID), Password: r.password})
	r.hasUser = mayBeThere(err)
	return d.explain(err)
}

// cleanUp removes what may be there, and names what it could not remove.
func (d Deployment) cleanUp(ctx context.Context, r *run) error {
	var left []error
	note := func(what string, err error) {
		if err != nil {
			left = append(left, &LeftError{what, d.explain(err)})
		}
	}
	if r.alone && d.SignIns != nil {
		subject := oauth.SubjectOf(string(r.client.ID))
		_, err := d.SignIns.End(ctx, subject, oauth.Filter{})
		if r.unanswered && err == nil {
			// A request that is under way may still make a token: end that too.
			err = d.SignIns.SignOut(ctx, subject)
		}
		note("the tokens of "+subject.ID, err)
	}
	if r.hasUser {
		err := d.Users.RemoveUser(ctx, r.user)
		if !r.unanswered && err == nil {
			err = d.Users.ForgetUser(ctx, r.user) // no login is under way
		}
		note("the user "+r.user.Username, err)
	}
	if r.hasClient {
		if err := d.Registrar.RemoveClient(ctx, r.client.ID); !oauth.IsChange(err, oauth.NoSuchEntry) {
			note("the client "+string(r.client.ID), err)
		}
	}
	return errors.Join(left...)
}

// LeftError says what Try could not remove.
type LeftError struct {
	What string
	Err  error
}

func (e *LeftError) Error() string {
	return fmt.Sprintf("not cleaned up, remove it by hand: %s (%v)", e.What, e.Err)
}

// run is one walk through the endpoints.
type run struct {
	client                 oauth.Client
	user                   oauth.User
	clientSecret, password secret.Text
	endpoint               *endpoint.Client

	hasClient, hasUser bool // they are there, or may be
	steps              []Step
	// alone: the client speaks for itself, because there is no password grant or no user.
	alone bool
	// unanswered: a request may still be under way when the walk is over.
	unanswered bool
}

// answer is what the walk looks at in an answer.
type answer struct {
	status int

	AccessToken  secret.Text `json:"access_token"`
	RefreshToken secret.Text `json:"refresh_token"`
	Active       *bool       `json:"active"`
	Device       string      `json:"device"`
	Username     string      `json:"username"`

	code string // of an error, as a terminal may show it
}

// post sends a form with the client's credentials.
func (r *run) post(ctx context.Context, path string, form url.Values) (answer, error) {
	said, err := r.endpoint.Post(ctx, path, form)
	if _, none := errors.AsType[*endpoint.NoAnswerError](err); none {
		r.unanswered = true
	}
	a := answer{status: said.Status}
	if refused, ok := errors.AsType[*endpoint.RefusedError](said.Refused()); ok {
		a.code = refused.Code
	}
	return a, errors.Join(err, said.Decode(&a))
}

func (r *run) login(ctx context.Context, device string, password secret.Text) (answer, error) {
	if r.alone {
		return r.post(ctx, wire.TokenPath, url.Values{"grant_type": {string(oauth.ClientCredentialsGrant)}, "scope": {"device_" + device}})
	}
	return r.post(ctx, wire.TokenPath, url.Values{
		"grant_type": {string(oauth.PasswordGrant)}, "username": {r.user.Username}, "password": {password.Reveal()}, "scope": {"device_" + device},
	})
}

// walk stops at the first step that is not as it should be.
func (r *run) walk(ctx context.Context) {
	const ipad, iphone = "smoke-ipad", "smoke-iphone"
	var a, b answer
	issued := func(got answer) bool { return got.status == http.StatusOK && got.AccessToken.Len() > 0 }
	introspected := func(of *answer, want bool) func() (answer, error, bool) {
		return func() (answer, error, bool) {
			got, err := r.post(ctx, wire.IntrospectPath, url.Values{"token": {of.AccessToken.Reveal()}})
			ok := got.status == http.StatusOK && got.Active != nil && *got.Active == want
			return got, err, ok && (!want || (r.alone || got.Username == r.user.Username) && strings.HasPrefix(got.Device, "smoke-"))
		}
	}
	for _, step := range []struct {
		name string
		do   func() (answer, error, bool)
		// ofUsers: without a password grant there is nothing to try.
		ofUsers bool
	}{
		{"issue a token for a device", func() (answer, error, bool) {
			var err error
			a, err = r.login(ctx, ipad, r.password)
			if err == nil && a.code == string(oauth.UnsupportedGrantType) {
				r.alone = true
				a, err = r.login(ctx, ipad, r.password)
			}
			return a, err, issued(a) && (r.alone || a.RefreshToken.Len() > 0)
		}, false},
		{"ask again and get the same", func() (answer, error, bool) {
			got, err := r.login(ctx, ipad, r.password)
			return got, err, issued(got) && got.AccessToken.Equal(a.AccessToken)
		}, false},
		{"issue another for another device", func() (answer, error, bool) {
			var err error
			b, err = r.login(ctx, iphone, r.password)
			return b, err, issued(b) && !b.AccessToken.Equal(a.AccessToken)
		}, false},
		{"refresh", func() (answer, error, bool) {
			got, err := r.post(ctx, wire.TokenPath, url.Values{"grant_type": {string(oauth.RefreshTokenGrant)}, "refresh_token": {b.RefreshToken.Reveal()}})
			return got, err, issued(got)
		}, true},
		{"introspect the first: active", introspected(&a, true), false},
		{"be refused with a wrong password", func() (answer, error, bool) {
			got, err := r.login(ctx, ipad, secret.New("not the password"))
			return got, err, got.status == http.StatusBadRequest && got.code == string(oauth.InvalidGrant)
		}, true},
		{"revoke the first", func() (answer, error, bool) {
			got, err := r.post(ctx, wire.RevokePath, url.Values{"token": {a.AccessToken.Reveal()}})
			return got, err, got.status == http.StatusOK
		}, false},
		{"introspect the first: inactive", introspected(&a, false), false},
		{"introspect the other: active", introspected(&b, true), false},
		{"ask once more and get a new one", func() (answer, error, bool) {
			got, err := r.login(ctx, ipad, r.password)
			return got, err, issued(got) && !got.AccessToken.Equal(a.AccessToken)
		}, false},
	} {
		if step.ofUsers && r.alone {
			continue
		}
		began := time.Now()
		got, err, ok := step.do()
		found := Step{Step: step.name, Passed: err == nil && ok, Milliseconds: time.Since(began).Milliseconds()}
		if !found.Passed {
			found.Fault = faultOf(got, err)
		}
		r.steps = append(r.steps, found)
		if !found.Passed {
			return
		}
	}
}

// faultOf never repeats a body: it could hold a token.
func faultOf(got answer, err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case err != nil:
		return strings.ReplaceAll(err.Error(), "\n", "; ")
	case got.code != "":
		return fmt.Sprintf("status %d, %s", got.status, got.code)
	}
	return fmt.Sprintf("status %d, but not the answer that was promised", got.status)
}
