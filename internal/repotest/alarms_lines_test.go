package repotest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/storetest"
	"github.com/fob-oauth/fob/internal/wire"
)

const began = 1_700_000_000

// printer prints the lines that alarms count, by the endpoints of the functions over memory
// stores. A function without a name has that of its endpoint, as the folder.
type printer struct {
	t          *testing.T
	log        *slog.Logger
	lines      bytes.Buffer
	now        oauthtest.Clock
	tokens     *storetest.Faulty
	edited     *editing
	assertions *oauthtest.Assertions
	handlers   map[string]http.Handler
	devices    int // names that were used
}

// editing is a table in which somebody gave each item another scope, while on is true.
type editing struct {
	oauth.Tokens
	on bool
}

func (e *editing) Read(ctx context.Context, loc bearer.Locator) (oauth.Reading, error) {
	reading, err := e.Tokens.Read(ctx, loc)
	if e.on {
		reading.Record.Authorization.Scope = scope.Set{}
	}
	return reading, err
}

func newPrinter(t *testing.T) *printer {
	t.Helper()
	p := &printer{t: t, assertions: new(oauthtest.Assertions)}
	p.log = slog.New(slog.NewJSONHandler(&p.lines, nil))
	p.now.Store(began)
	ring, stored, clients, users := oauthtest.Ring(t, ""), memory.NewTokens(), memory.NewClients(), memory.NewUsers()
	p.tokens = storetest.NewFaulty(storetest.Stores{Tokens: stored, Subjects: stored})
	p.edited = &editing{Tokens: p.tokens}
	oauthtest.SaveClient(t, clients, oauth.Client{ID: "app", Public: true, Grants: []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant}, MaxAuthorizations: 1}, began)
	oauthtest.SaveClient(t, clients, oauth.Client{ID: "api", Introspects: []string{"app"}}, began)
	oauthtest.SaveUser(t, users, oauth.User{Username: "ada", ID: "u_ada", Created: began}, oauthtest.Password("ada"))

	cache := oauth.NewClientCache(clients, p.now.Now)
	issuers := oauth.NewIssuerCache(memory.NewIssuers(), p.now.Now)
	verifier := &oauth.Verifier{Tokens: p.edited, Clients: cache, Keys: oauthtest.Keys[*bearer.CheckRing]{Always: ring.CheckRing}, Now: p.now.Now}
	options := wire.Options{Log: p.log}
	authorizer := wire.NewAuthorizer(verifier, wire.Policy{}, options)
	p.handlers = map[string]http.Handler{
		"token": wire.Token(&oauth.Issuer{
			Tokens: p.tokens, Clients: cache, Users: users, Passwords: new(oauthtest.Passwords), Issuers: issuers, Assertions: p.assertions,
			Keys: oauthtest.Keys[*bearer.MintRing]{Always: ring}, Now: p.now.Now,
		}, options),
		"revoke":     wire.Revoke(verifier, options),
		"introspect": wire.Introspect(verifier, options),
		"events":     wire.Events(&oauth.Receiver{Issuers: issuers, Assertions: p.assertions, Subjects: p.tokens}, options),
		"authorizer": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(authorizer.Judge(r).Status) }),
	}
	return p
}

// points are the metrics of the lines that do prints.
func (p *printer) points(do func()) datapoints {
	p.t.Helper()
	p.lines.Reset()
	do()
	return counted(p.t, p.lines.Bytes())
}

func (p *printer) times(n int, do func()) datapoints {
	p.t.Helper()
	return p.points(func() {
		for range n {
			do()
		}
	})
}

// send wants the status, and returns the members of the answer.
func (p *printer) send(endpoint string, status int, header, body string, form ...string) map[string]any {
	p.t.Helper()
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	r := httptest.NewRequestWithContext(p.t.Context(), http.MethodPost, "https://fob.example/"+endpoint, strings.NewReader(body+values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if name, value, ok := strings.Cut(header, ": "); ok {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	p.handlers[endpoint].ServeHTTP(w, r)
	if w.Code != status {
		p.t.Fatalf("/%s: status %d, want %d: %s", endpoint, w.Code, status, w.Body)
	}
	members := map[string]any{}
	_ = json.Unmarshal(w.Body.Bytes(), &members)
	return members
}

func (p *printer) text(members map[string]any, name string) string { return fmt.Sprint(members[name]) }

// login is one on a new device, which ends the login before.
func (p *printer) login() map[string]any {
	p.t.Helper()
	p.devices++
	p.now.Add(1)
	return p.send("token", http.StatusOK, "", "", "grant_type", "password", "client_id", "app", "username", "ada", "password", oauthtest.Password("ada"), "scope", fmt.Sprintf("device_%d", p.devices))
}

func (p *printer) deny() {
	p.t.Helper()
	p.send("token", http.StatusUnauthorized, "", "", "grant_type", "password", "client_id", "nobody", "username", "ada", "password", "wrong")
}

// fail is a judgement that the authorizer cannot make; the store is down.
func (p *printer) fail(endpoint string) datapoints {
	p.t.Helper()
	token := p.text(p.login(), "access_token")
	return p.points(func() {
		p.down(func() { p.send(endpoint, http.StatusServiceUnavailable, "Authorization: Bearer "+token, "") })
	})
}

// start is a start that failed.
func (p *printer) start(function string) datapoints {
	return p.points(func() {
		wire.Options{Function: function, Log: p.log}.LogFailure(p.t.Context(), "start", errors.New("no configuration"))
	})
}

func (p *printer) down(do func()) {
	p.tokens.Break(storetest.Before)
	defer p.tokens.Repair()
	do()
}

func (p *printer) revokeDown() {
	p.t.Helper()
	token := p.text(p.login(), "access_token")
	p.down(func() { p.send("revoke", http.StatusServiceUnavailable, "", "", "token", token, "client_id", "app") })
}

func (p *printer) introspectDown() {
	p.t.Helper()
	token := p.text(p.login(), "access_token")
	p.lines.Reset()
	p.down(func() {
		p.send("introspect", http.StatusServiceUnavailable, "", "", "token", token, "client_id", "api", "client_secret", oauthtest.Secret("api"))
	})
}

func (p *printer) eventsDown() {
	p.t.Helper()
	p.assertions.Err = oauth.Unavailable("fetch keys", errors.New("down"))
	defer func() { p.assertions.Err = nil }()
	p.send("events", http.StatusServiceUnavailable, "Content-Type: application/secevent+jwt", "e30.e30.e30")
}

func (p *printer) introspect(edited bool) datapoints {
	p.t.Helper()
	token := p.text(p.login(), "access_token")
	p.edited.on = edited
	defer func() { p.edited.on = false }()
	return p.points(func() {
		got := p.send("introspect", http.StatusOK, "", "", "token", token, "client_id", "api", "client_secret", oauthtest.Secret("api"))
		if got["active"] == edited {
			p.t.Errorf("edited %v, active %v", edited, got["active"])
		}
	})
}

// refreshWith uses a refresh token, and returns the next one.
func (p *printer) refreshWith(token string, status int) string {
	p.t.Helper()
	return p.text(p.send("token", status, "", "", "grant_type", "refresh_token", "client_id", "app", "refresh_token", token), "refresh_token")
}

// refresh are so many refreshes, of which some are repeated within the grace.
func (p *printer) refresh(refreshed, repeated int) datapoints {
	p.t.Helper()
	token := p.text(p.login(), "refresh_token")
	return p.points(func() {
		for range refreshed {
			p.now.Add(1)
			token = p.refreshWith(token, http.StatusOK)
		}
		if repeated > 0 {
			if refreshed == 0 { // the first one is of the period before
				p.refreshWith(token, http.StatusOK)
				p.lines.Reset()
			} else {
				p.refreshWith(token, http.StatusOK)
			}
			for range repeated {
				p.refreshWith(token, http.StatusOK)
			}
		}
	})
}

func (p *printer) replay() datapoints {
	p.t.Helper()
	token := p.text(p.login(), "refresh_token")
	p.refreshWith(token, http.StatusOK)
	p.now.Add(3600)
	return p.points(func() { p.refreshWith(token, http.StatusBadRequest) })
}

// evict are logins that each end another.
func (p *printer) evict(n int) datapoints {
	p.t.Helper()
	p.login()
	return p.times(n, func() { p.login() })
}
