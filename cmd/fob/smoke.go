package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/wire"
)

const smokeHelp = `Try a deployment from outside, as its users do, and clean up: for the end of a
pipeline, and for the question at night whether it works at all.

It adds a client and a user of its own to the tables, both named fob-smoke-... and
a random word. Then it asks URL for tokens: the same one twice for a device, another
one for another device; it refreshes, introspects, is refused with a wrong password,
revokes the first device's token, and sees that this one is inactive, the other one
active, and the next one new. Where there is no password grant the client asks for
itself, and what only users can do is left out. At the end, also of a run that failed or was
interrupted, it removes the client, the user and their tokens.

URL is the address before /token. With --stack it may be left out: then it is the
stack's own. Secrets are sent to it, so it is https, but on this machine.`

// smokeTest is fob smoke.
type smokeTest struct{ *program }

func smokeCommand(program *program) *cobra.Command {
	p := smokeTest{program}
	return p.tells(&cobra.Command{
		Use:   "smoke [URL]",
		Short: "Issue, ask again, revoke and introspect against a deployment, then clean up",
		Long:  smokeHelp,
		Example: `  fob smoke --stack fob-prod
  fob smoke --stack fob-prod https://login.example.com
  fob smoke --dynamodb http://localhost:8000 http://localhost:8080`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return fmt.Errorf("%s takes one argument, the address before /token", cmd.CommandPath())
			case len(args) == 0 && p.tables.stack == "":
				return fmt.Errorf("%s needs the address before /token, or --%s", cmd.CommandPath(), stackFlag)
			}
			return nil
		},
		PreRunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			_, err := parseBase(args[0])
			return err
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.open(cmd.Context())
			if err != nil {
				return err
			}
			base := ""
			if len(args) == 1 {
				base = args[0]
			} else if base, err = p.tables.stackOutput(cmd.Context(), "ApiUrl"); err != nil {
				return err
			}
			if base, err = parseBase(base); err != nil {
				return err
			}
			return p.smoke(cmd.Context(), s, base)
		},
	}, smokeView{})
}

func parseBase(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return "", fail(exitUsage, "the address must be like https://login.example.com, without a query")
	}
	if u.Scheme == "http" && !isLoopback(u) {
		return "", fail(exitUsage, "the address must be https: secrets are sent to it")
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// smokeView is what --json tells. Programs rely on the names.
type smokeView struct {
	URL       string          `json:"url"`
	Passed    bool            `json:"passed"`
	CleanedUp bool            `json:"cleaned_up"`
	Steps     []smokeStepView `json:"steps"`
}

type smokeStepView struct {
	Step         string `json:"step"`
	Passed       bool   `json:"passed"`
	Milliseconds int64  `json:"milliseconds"`
	Fault        string `json:"fault,omitempty"`
}

// smokeTime bounds one request, and smokeCleanup the cleaning up. The gateway
// gives up after 30 seconds.
const (
	smokeTime    = 31 * time.Second
	smokeCleanup = time.Minute
)

func (p smokeTest) smoke(ctx context.Context, s stores, base string) error {
	name := "fob-smoke-" + strings.ToLower(rand.Text())
	run := smokeRun{
		base: base, clientSecret: oauth.NewClientSecret(), password: oauth.NewClientSecret(),
		client: oauth.Client{ID: oauth.ClientID(name), Grants: oauth.GrantTypes(), AccessLifetime: 300},
		http: &http.Client{
			Timeout: smokeTime,
			// A token endpoint that redirects would have the secrets sent on.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	err := p.registerSmoke(ctx, s, &run)
	if err == nil {
		run.walk(ctx)
	}
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), smokeCleanup)
	defer cancel()
	left := p.cleanUpSmoke(cleanup, s, &run)
	if err != nil {
		return errors.Join(err, left)
	}
	view := smokeView{URL: base, Passed: run.fault() == "", CleanedUp: left == nil, Steps: run.steps}
	err = p.print(view, func(w io.Writer) { run.table(w) })
	if fault := run.fault(); fault != "" {
		err = errors.Join(fail(exitFailure, "%s does not work: %s", base, fault), err)
	}
	return errors.Join(err, left)
}

// registerSmoke adds the client and the user. What may be there afterwards has to be
// cleaned up, also after an error.
func (p smokeTest) registerSmoke(ctx context.Context, s stores, r *smokeRun) error {
	reg := s.registrar()
	mayBeThere := func(err error) bool {
		cause := p.cause(err)
		return err == nil || oauth.IsChange(err, oauth.InDoubt) && (exitCode(cause) == exitUnavailable || isInterrupted(cause))
	}
	_, err := reg.AddClient(ctx, r.client, r.clientSecret)
	if r.hasClient = mayBeThere(err); err != nil {
		return p.cause(err)
	}
	r.user, err = reg.AddUser(ctx, oauth.NewUser{Username: string(r.client.ID), Password: r.password})
	r.hasUser = mayBeThere(err)
	return p.cause(err)
}

// cleanUpSmoke removes what may be there, and names what it could not remove.
func (p smokeTest) cleanUpSmoke(ctx context.Context, s stores, r *smokeRun) error {
	var left []error
	note := func(what string, err error) {
		if err != nil {
			left = append(left, fail(exitFailure, "not cleaned up, remove it by hand: %s (%v)", what, p.cause(err)))
		}
	}
	reg := s.registrar()
	if r.alone {
		d, subject := s.directory(), oauth.SubjectOf(string(r.client.ID))
		_, err := d.End(ctx, subject, oauth.Filter{})
		if r.unanswered && err == nil {
			// What is still under way must not leave a token that lives.
			err = d.SignOut(ctx, subject)
		}
		note("the tokens of "+subject.ID, err)
	}
	if r.hasUser {
		err := reg.RemoveUser(ctx, r.user)
		if !r.unanswered && err == nil {
			err = reg.ForgetUser(ctx, r.user) // no login is under way
		}
		note("the user "+r.user.Username, err)
	}
	if r.hasClient {
		if err := reg.RemoveClient(ctx, r.client.ID); !oauth.IsChange(err, oauth.NoSuchEntry) {
			note("the client "+string(r.client.ID), err)
		}
	}
	return errors.Join(left...)
}

// smokeRun is one walk through the endpoints.
type smokeRun struct {
	base                   string
	client                 oauth.Client
	user                   oauth.User
	clientSecret, password secret.Text
	http                   *http.Client

	hasClient, hasUser bool // they are there, or may be
	steps              []smokeStepView
	// alone: the deployment has no password grant, so the client speaks for itself.
	alone bool
	// unanswered: a request may still be under way when the walk is over.
	unanswered bool
}

// answer is what the walk looks at in an answer.
type answer struct {
	status int

	AccessToken  secretJSON `json:"access_token"`
	RefreshToken secretJSON `json:"refresh_token"`
	Active       *bool      `json:"active"`
	Device       string     `json:"device"`
	Username     string     `json:"username"`
	Error        string     `json:"error"`
}

// secretJSON is a member that must not be shown.
type secretJSON struct{ secret.Text }

func (s *secretJSON) UnmarshalJSON(b []byte) error {
	var text string
	err := json.Unmarshal(b, &text)
	s.Text = secret.New(text)
	return err
}

// post sends a form with the client's credentials.
func (r *smokeRun) post(ctx context.Context, path string, form url.Values) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(string(r.client.ID), r.clientSecret.Reveal())
	resp, err := r.http.Do(req)
	if err != nil {
		r.unanswered = true
		return answer{}, fmt.Errorf("no answer from %s: %w", r.base+path, errors.Unwrap(err)) // what is around it repeats the address
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		r.unanswered = true
		return a, err
	}
	if len(body) > 0 && json.Unmarshal(body, &a) != nil {
		return a, fmt.Errorf("status %d, and a body that is not JSON: is it the address before /token?", a.status)
	}
	return a, nil
}

func (r *smokeRun) login(ctx context.Context, device string, password secret.Text) (answer, error) {
	if r.alone {
		return r.post(ctx, wire.TokenPath, url.Values{"grant_type": {string(oauth.ClientCredentialsGrant)}, "scope": {"device_" + device}})
	}
	return r.post(ctx, wire.TokenPath, url.Values{
		"grant_type": {string(oauth.PasswordGrant)}, "username": {r.user.Username}, "password": {password.Reveal()}, "scope": {"device_" + device},
	})
}

// walk stops at the first step that is not as it should be.
func (r *smokeRun) walk(ctx context.Context) {
	const ipad, iphone = "smoke-ipad", "smoke-iphone"
	var a, b answer
	issued := func(got answer) bool { return got.status == http.StatusOK && got.AccessToken.Len() > 0 }
	introspected := func(token secretJSON, want bool) func() (answer, error, bool) {
		return func() (answer, error, bool) {
			got, err := r.post(ctx, wire.IntrospectPath, url.Values{"token": {token.Reveal()}})
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
			if err == nil && a.Error == string(oauth.UnsupportedGrantType) {
				r.alone = true
				a, err = r.login(ctx, ipad, r.password)
			}
			return a, err, issued(a) && (r.alone || a.RefreshToken.Len() > 0)
		}, false},
		{"ask again and get the same", func() (answer, error, bool) {
			got, err := r.login(ctx, ipad, r.password)
			return got, err, issued(got) && got.AccessToken.Equal(a.AccessToken.Text)
		}, false},
		{"issue another for another device", func() (answer, error, bool) {
			var err error
			b, err = r.login(ctx, iphone, r.password)
			return b, err, issued(b) && !b.AccessToken.Equal(a.AccessToken.Text)
		}, false},
		{"refresh", func() (answer, error, bool) {
			got, err := r.post(ctx, wire.TokenPath, url.Values{"grant_type": {string(oauth.RefreshTokenGrant)}, "refresh_token": {b.RefreshToken.Reveal()}})
			return got, err, issued(got)
		}, true},
		{"introspect the first: active", func() (answer, error, bool) { return introspected(a.AccessToken, true)() }, false},
		{"be refused with a wrong password", func() (answer, error, bool) {
			got, err := r.login(ctx, ipad, secret.New("not the password"))
			return got, err, got.status == http.StatusBadRequest && got.Error == string(oauth.InvalidGrant)
		}, true},
		{"revoke the first", func() (answer, error, bool) {
			got, err := r.post(ctx, wire.RevokePath, url.Values{"token": {a.AccessToken.Reveal()}})
			return got, err, got.status == http.StatusOK
		}, false},
		{"introspect the first: inactive", func() (answer, error, bool) { return introspected(a.AccessToken, false)() }, false},
		{"introspect the other: active", func() (answer, error, bool) { return introspected(b.AccessToken, true)() }, false},
		{"ask once more and get a new one", func() (answer, error, bool) {
			got, err := r.login(ctx, ipad, r.password)
			return got, err, issued(got) && !got.AccessToken.Equal(a.AccessToken.Text)
		}, false},
	} {
		if step.ofUsers && r.alone {
			continue
		}
		began := time.Now()
		got, err, ok := step.do()
		view := smokeStepView{Step: step.name, Passed: err == nil && ok, Milliseconds: time.Since(began).Milliseconds()}
		if !view.Passed {
			view.Fault = smokeFault(got, err)
		}
		r.steps = append(r.steps, view)
		if !view.Passed {
			return
		}
	}
}

// smokeFault never repeats a body: it could hold a token.
func smokeFault(got answer, err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case err != nil:
		return oneLine(err.Error())
	case got.Error != "":
		return fmt.Sprintf("status %d, %s", got.status, shown(truncated(got.Error, 40)))
	}
	return fmt.Sprintf("status %d, but not the answer that was promised", got.status)
}

func truncated(s string, n int) string { return s[:min(len(s), n)] }

// fault is what went wrong, empty if nothing did.
func (r *smokeRun) fault() string {
	for _, s := range r.steps {
		if !s.Passed {
			return s.Step + ": " + s.Fault
		}
	}
	return ""
}

func (r *smokeRun) table(w io.Writer) {
	rows := make([][]string, len(r.steps))
	for i, s := range r.steps {
		outcome := "ok"
		if !s.Passed {
			outcome = "FAILED"
		}
		rows[i] = []string{outcome, s.Step, fmt.Sprintf("%d ms", s.Milliseconds)}
	}
	columns(w, rows...)
}
