package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/smithy-go"

	"github.com/fob-oauth/fob/internal/laptop"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/smoke"
	"github.com/fob-oauth/fob/internal/wire"
)

// smokeAgainst runs fob smoke --json against a service over stores of its own,
// which broken may spoil. Whatever happens nothing may be left.
func smokeAgainst(t *testing.T, broken func(next http.Handler) http.Handler, flags ...string) (code int, view smoke.View, said string) {
	t.Helper()
	s := newMemoryStores()
	fetch, _, err := keySource(t.Context(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(broken(laptop.Handler(s.ofLaptop(), fetch, wire.Options{})))
	t.Cleanup(server.Close)
	var stdout, stderr output
	p := program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, getenv: noEnv, open: opens(&s)}
	code = p.run(t.Context(), append([]string{"smoke", server.URL, "--json"}, flags...))
	if err := json.Unmarshal([]byte(stdout.String()), &view); err != nil {
		t.Fatalf("exit code %d, %q: %v", code, stderr.String(), err)
	}
	if users, err := oauth.AllUsers(t.Context(), s.users); len(users) > 0 || err != nil {
		t.Errorf("%d users are left, %v", len(users), err)
	}
	if clients, err := s.clients.ListClients(t.Context()); len(clients) > 0 || err != nil {
		t.Errorf("%d clients are left, %v", len(clients), err)
	}
	if err := s.registry.Each(t.Context(), func(r ledger.Record) error { return fmt.Errorf("a token is left: %v", r.Authorization.Subject) }); err != nil {
		t.Error(err)
	}
	if text := stdout.String() + stderr.String(); strings.Contains(text, "fob_at_") || strings.Contains(text, "fob_rt_") {
		t.Error("it shows a token")
	}
	return code, view, stderr.String()
}

func stepNames(v smoke.View) []string {
	var names []string
	for _, s := range v.Steps {
		names = append(names, s.Step)
	}
	return names
}

// A deployment without a password grant works, too.
func TestSmokeWithoutPasswords(t *testing.T) {
	code, view, said := smokeAgainst(t, func(next http.Handler) http.Handler { return next })
	if code != 0 || len(view.Steps) != 10 {
		t.Fatalf("with passwords: exit code %d, %s, %q", code, said, stepNames(view))
	}
	code, view, said = smokeAgainst(t, refusingGrant(oauth.PasswordGrant, `{"error":"unsupported_grant_type"}`))
	if code != 0 || !view.Passed || !view.CleanedUp || len(view.Steps) != 8 {
		t.Errorf("without: exit code %d, %s, %q", code, said, stepNames(view))
	}
}

// Own users that are asked at each login do not know the user of the walk.
func TestSmokeWithoutALogin(t *testing.T) {
	nobody := refusingGrant(oauth.PasswordGrant, `{"error":"invalid_grant"}`)
	if code, view, said := smokeAgainst(t, nobody); code == 0 || view.Passed {
		t.Errorf("with a login: exit code %d, %s, %q", code, said, stepNames(view))
	}
	if code, view, said := smokeAgainst(t, nobody, "--client-only"); code != 0 || !view.Passed || !view.CleanedUp || len(view.Steps) != 8 {
		t.Errorf("without: exit code %d, %s, %q", code, said, stepNames(view))
	}
}

// refusingGrant answers one grant_type by itself.
func refusingGrant(grant oauth.GrantType, body string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			form, err := io.ReadAll(r.Body)
			if err != nil || strings.Contains(string(form), "grant_type="+string(grant)) {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(body))
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(form))
			next.ServeHTTP(w, r)
		})
	}
}

// Each promise that a service breaks is found, and what smoke says of it repeats
// nothing of the answer.
func TestSmokeFindsBrokenPromises(t *testing.T) {
	answers := func(path, body string, status int) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != path {
					next.ServeHTTP(w, r)
					return
				}
				w.WriteHeader(status)
				_, _ = w.Write([]byte(body))
			})
		}
	}
	for name, test := range map[string]struct {
		broken func(http.Handler) http.Handler
		says   string
	}{
		"revocation that does nothing": {answers(wire.RevokePath, "", 200), "introspect the first: inactive: status 200, but not the answer that was promised"},
		"everything active":            {answers(wire.IntrospectPath, `{"active":true,"username":"x","device":"smoke-x"}`, 200), "introspect the first: active"},
		"nothing active":               {answers(wire.IntrospectPath, `{"active":false}`, 200), "introspect the first: active"},
		"an outage":                    {answers(wire.TokenPath, `{"error":"temporarily_unavailable"}`, 503), "issue a token for a device: status 503, temporarily_unavailable"},
		"another site":                 {answers(wire.TokenPath, "<html>fob_at_secret", 200), "a body that is not JSON"},
		"one token for all":            {answers(wire.TokenPath, `{"access_token":"fob_at_x","refresh_token":"fob_rt_x"}`, 200), "issue another for another device"},
		"no refresh":                   {refusingGrant(oauth.RefreshTokenGrant, `{"error":"invalid_grant"}`), "refresh: status 400, invalid_grant"},
		"an error that is not a code":  {answers(wire.TokenPath, `{"error":"\u001b[31m`+strings.Repeat("x", 99)+`"}`, 400), "issue a token for a device: status 400, but not the answer that was promised"},
		"a redirect": {func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://127.0.0.1:1/elsewhere", http.StatusTemporaryRedirect)
			})
		}, "issue a token for a device: status 307"},
	} {
		t.Run(name, func(t *testing.T) {
			code, view, said := smokeAgainst(t, test.broken)
			if code != exitFailure || view.Passed || !view.CleanedUp || !strings.Contains(said, test.says) || strings.Count(said, "\n") != 1 {
				t.Errorf("exit code %d, %+v, %q; want %q", code, view, said, test.says)
			}
		})
	}
}

// An interrupted run cleans up as well.
func TestSmokeInterrupted(t *testing.T) {
	s := newMemoryStores()
	ctx, interrupt := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { interrupt() }))
	defer server.Close()
	var stdout, stderr output
	p := program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, getenv: noEnv, open: opens(&s)}
	if code := p.run(ctx, []string{"smoke", server.URL}); code != exitFailure {
		t.Errorf("exit code %d, %s", code, &stderr)
	}
	users, err1 := oauth.AllUsers(t.Context(), s.users)
	clients, err2 := s.clients.ListClients(t.Context())
	if err := errors.Join(err1, err2); err != nil || len(users)+len(clients) > 0 {
		t.Errorf("left: %d users and %d clients, %v", len(users), len(clients), err)
	}
}

// stubborn is a store that does not take a user, or does not let go of anything.
type stubborn struct {
	users
	saves, removes error
}

func (s stubborn) SaveUser(ctx context.Context, u oauth.User) (oauth.User, error) {
	if _, refused := errors.AsType[smithy.APIError](s.saves); refused {
		return oauth.User{}, s.saves
	}
	saved, err := s.users.SaveUser(ctx, u)
	return saved, cmp.Or(err, s.saves) // whose reply is lost
}

func (s stubborn) RemoveUser(context.Context, oauth.User) (bool, error) { return false, s.removes }

// Smoke names each thing that it could not clean up, with the table that it is in: a
// client that stays has a secret that works.
func TestSmokeNamesWhatIsLeft(t *testing.T) {
	forbidden := oauth.Unavailable("remove", &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not authorized"})
	for name, saves := range map[string]error{
		"a walk":          nil,
		"no user":         oauth.Unavailable("save", &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not authorized"}),
		"perhaps no user": oauth.Unavailable("save", errors.New("oops")),
	} {
		t.Run(name, func(t *testing.T) {
			s := newMemoryStores()
			fetch, _, err := keySource(t.Context(), "", false)
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(laptop.Handler(s.ofLaptop(), fetch, wire.Options{}))
			defer server.Close()
			bad := s
			bad.users = stubborn{users: s.users, saves: saves, removes: forbidden}
			bad.clients = stubbornClients{s.clients, forbidden}
			var stdout, stderr output
			p := program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, getenv: noEnv, open: opens(&bad)}
			code := p.run(t.Context(), []string{"smoke", server.URL})
			said := stderr.String()
			if code == 0 || strings.Count(said, "\n") != 1 || !strings.Contains(said, "not cleaned up, remove it by hand: the client fob-smoke-") {
				t.Errorf("exit code %d, %q", code, said)
			}
			// A user that was surely not added is not looked for.
			if got, want := strings.Contains(said, "the user fob-smoke-"), name != "no user"; got != want {
				t.Errorf("it names the user: %v, want %v: %q", got, want, said)
			}
		})
	}
}

type stubbornClients struct {
	oauth.ClientRegistry
	removes error
}

func (s stubbornClients) RemoveClient(context.Context, ledger.ClientID) (bool, error) {
	return false, s.removes
}
