package oauth_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/storetest"
)

const day = 24 * 3600

// Settings that contradict each other are refused, of a new client and at a change.
func TestSettingsThatMakeNoSense(t *testing.T) {
	onEveryStore(t, []storeTest{{"a client that makes no sense", func(t *testing.T, s storetest.Stores) {
		r := newRegistrar(s)
		app := oauth.Client{ID: "app", Public: true, Grants: []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant}}
		addClient(t, r, app, secret.Text{})
		api := oauth.Client{ID: "api", Introspects: []string{"app"}}
		addClient(t, r, api, secret.New("example-secret-of-api"))
		for _, test := range []struct {
			name string
			of   oauth.Client
			edit func(c *oauth.Client)
			says string // empty: it is allowed
		}{
			{"idle above the default lifetime", app, func(c *oauth.Client) { c.RefreshIdle = 91 * day }, "idle time, 91d, must not be longer than the refresh token lifetime, 90d"},
			{"idle above the lifetime", app, func(c *oauth.Client) { c.RefreshIdle, c.RefreshAbsolute = 8*day, 7*day }, "idle time, 8d, must not be longer than the refresh token lifetime, 7d"},
			{"default idle above the lifetime", app, func(c *oauth.Client) { c.RefreshAbsolute = 7 * day }, "idle time, 30d, must not be longer than the refresh token lifetime, 7d"},
			{"idle as long as the lifetime", app, func(c *oauth.Client) { c.RefreshIdle, c.RefreshAbsolute = 7*day, 7*day }, ""},
			{"refresh_token alone", app, func(c *oauth.Client) { c.Grants = []oauth.GrantType{oauth.RefreshTokenGrant} }, "the grant refresh_token needs one that gives refresh tokens, such as password"},
			{"refresh_token of an API", api, func(c *oauth.Client) {
				c.Grants = []oauth.GrantType{oauth.ClientCredentialsGrant, oauth.RefreshTokenGrant}
			}, "the grant refresh_token needs one"},
			{"no grants", app, func(c *oauth.Client) { c.Grants = nil }, oauth.ErrNoUse.Error()},
			{"a grant twice", app, func(c *oauth.Client) { c.Grants = append(c.Grants, oauth.PasswordGrant) }, `grant "password" is there twice`},
			{"an audience twice", app, func(c *oauth.Client) { c.Audiences = []string{"a", "b", "a"} }, `audience "a" is there twice`},
			{"an audience to introspect twice", api, func(c *oauth.Client) { c.Introspects = []string{"a", "a"} }, `audience to introspect "a" is there twice`},
			{"an audience of both kinds", api, func(c *oauth.Client) {
				c.Grants, c.Audiences = []oauth.GrantType{oauth.ClientCredentialsGrant}, []string{"app"}
			}, ""},
		} {
			c := test.of
			test.edit(&c)
			var text secret.Text
			if !c.Public {
				text = secret.New("example-secret-of-api")
			}
			_, changed := r.EditClient(t.Context(), c.ID, func(stored *oauth.Client) error {
				c.Version, c.Created, c.Epoch, c.Secrets = stored.Version, stored.Created, stored.Epoch, stored.Secrets
				*stored = c
				return nil
			})
			_, err := r.EditClient(t.Context(), c.ID, func(stored *oauth.Client) error {
				c := test.of
				c.Version, c.Created, c.Epoch, c.Secrets, c.LongestLife = stored.Version, stored.Created, stored.Epoch, stored.Secrets, stored.LongestLife
				*stored = c
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for doing, err := range map[string]error{"add": r.CheckClient(t.Context(), c, text), "change": changed} {
				if test.says == "" && err != nil || test.says != "" && (!oauth.IsChange(err, oauth.InvalidEntry) || !strings.Contains(err.Error(), test.says)) {
					t.Errorf("%s, %s: %v, want %q", test.name, doing, err, test.says)
				}
			}
		}
	}}})
}

// With a grace of more than half of a cycle, a thief and a phone take turns at any time.
func TestGraceOfShortTokens(t *testing.T) {
	onEveryStore(t, []storeTest{{"a grace longer than half of the access tokens' life", func(t *testing.T, s storetest.Stores) {
		r := newRegistrar(s)
		for grace, ok := range map[int64]bool{0: true, 150: true, 151: false} {
			c := oauth.Client{ID: "app", Public: true, Grants: []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant}, AccessLifetime: 300, RefreshGrace: grace}
			if err := r.CheckClient(t.Context(), c, secret.Text{}); (err == nil) != ok {
				t.Errorf("a grace of %d s with access tokens of 5 minutes: %v", grace, err)
			}
		}
	}}})
}

// A setting without effect is a slip where a client is added. A change may take a grant away
// and give it back.
func TestSettingsWithoutEffect(t *testing.T) {
	onEveryStore(t, []storeTest{{"a client with settings that have no effect", func(t *testing.T, s storetest.Stores) {
		r := newRegistrar(s)
		for name, c := range map[string]oauth.Client{
			"scopes":             {Scopes: oauthtest.Scopes(t, "read")},
			"audiences":          {Audiences: []string{"a"}},
			"an access lifetime": {AccessLifetime: 60},
			"a maximum":          {MaxAuthorizations: 3},
			"a refresh lifetime": {RefreshAbsolute: 60 * day},
		} {
			c.ID, c.Introspects = "api", []string{"app"}
			if err := r.CheckClient(t.Context(), c, secret.New("example-secret-of-api")); err == nil || !strings.Contains(err.Error(), "without a grant it gets no tokens") {
				t.Errorf("%s of a client without grants: %v", name, err)
			}
		}
		app := oauth.Client{ID: "app", Public: true, Grants: []oauth.GrantType{oauth.PasswordGrant}, RefreshAbsolute: 60 * day}
		if err := r.CheckClient(t.Context(), app, secret.Text{}); err == nil || !strings.Contains(err.Error(), "without the grant refresh_token the idle time, lifetime and grace") {
			t.Errorf("a refresh lifetime without the grant: %v", err)
		}
		app.Grants = append(app.Grants, oauth.RefreshTokenGrant)
		addClient(t, r, app, secret.Text{})
		saved, err := r.EditClient(t.Context(), "app", func(c *oauth.Client) error { c.Grants = c.Grants[:1]; return nil })
		if c := wantClientNow(t, r, saved, err); c.RefreshAbsolute != 60*day {
			t.Errorf("a client that lost the grant: %+v", c)
		}
	}}})
}

// Most clients send Basic without form-encoding, and such an id is then another one. A
// client that has one goes on.
func TestIDsThatBasicChanges(t *testing.T) {
	onEveryStore(t, []storeTest{{"an id that Basic changes", func(t *testing.T, s storetest.Stores) {
		r := newRegistrar(s)
		for id, ok := range map[ledger.ClientID]bool{"a:b": false, "a+b": false, "a%41": false, ":": false, "a.b-c_d~e/f=g&h;i@j": true} {
			c := oauth.Client{ID: id, Public: true, Grants: []oauth.GrantType{oauth.PasswordGrant}}
			err := r.CheckClient(t.Context(), c, secret.Text{})
			if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "a client id must not have") {
				t.Errorf("%s: %v", id, err)
			}
			c.Created, c.Epoch = 1, 1
			if _, err := s.Clients.SaveClient(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if _, err := r.EditClient(t.Context(), id, func(c *oauth.Client) error { c.AccessLifetime = 60; return nil }); err != nil {
				t.Errorf("%s from before: %v", id, err)
			}
		}
	}}})
}

// A client from before a rule can be paused, signed out and repaired.
func TestSenselessClientCanBeDisabled(t *testing.T) {
	onEveryStore(t, []storeTest{{"a client from before", func(t *testing.T, s storetest.Stores) {
		r := newRegistrar(s)
		before := oauth.Client{ID: "app", Public: true, Grants: []oauth.GrantType{oauth.RefreshTokenGrant}, RefreshAbsolute: 7 * day, Created: 1, Epoch: 1}
		if _, err := s.Clients.SaveClient(t.Context(), before); err != nil {
			t.Fatal(err)
		}
		_, disabled := r.SetClientDisabled(t.Context(), "app", true)
		_, ended := r.EndClientTokens(t.Context(), "app")
		if err := errors.Join(disabled, ended); err != nil {
			t.Error(err)
		}
		_, err := r.EditClient(t.Context(), "app", func(c *oauth.Client) error { c.AccessLifetime = 60; return nil })
		wantChange(t, "change what is not wrong", err, oauth.InvalidEntry)
		saved, err := r.EditClient(t.Context(), "app", func(c *oauth.Client) error {
			c.Grants, c.RefreshIdle = append(c.Grants, oauth.PasswordGrant), day
			return nil
		})
		wantClientNow(t, r, saved, err)
	}}})
}
