package dynamo_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/storetest"
)

// The budgets of the design, verb by verb, over the real domain: what a warm
// instance that has its client records costs in calls and in capacity units.
// TestCost holds the single calls of the stores to theirs.
func TestBudget(t *testing.T) {
	t.Run("dynoxide", func(t *testing.T) { testBudget(t, storetest.Engine(t), 1) })
	t.Run("local", func(t *testing.T) { testBudget(t, storetest.Local(t), 0) })
}

const (
	read, query     = "BatchGetItem", "Query"
	get             = "GetItem"
	put, update     = "PutItem", "UpdateItem"
	remove          = "DeleteItem"
	cap25, lifetime = oauth.DefaultMaxAuthorizations, oauth.DefaultAccessLifetime
)

// price is what one request may cost.
type price struct {
	calls map[string]int // requests on the wire, by operation
	found float64        // read units for items that are there
	none  float64        // read units for items that are not: AWS charges for these too
	write float64
}

// testBudget takes what the engine charges for an item that is not there: one
// unit as AWS does, or by mistake none.
func testBudget(t *testing.T, endpoint string, absent float64) {
	free := price{}
	for _, test := range []struct {
		name string
		// prepare returns the one request that is measured.
		prepare func(w *budgetWorld) func(context.Context) error
		outcome oauth.Outcome
		code    oauth.Code
		price   price
	}{
		// Issue.
		{"client_credentials, returned", func(w *budgetWorld) func(context.Context) error {
			w.mustIssue("backend", "")
			return w.issue("backend", "")
		}, oauth.Returned, "", price{calls: map[string]int{read: 1}, found: 1, none: 1}},
		{"client_credentials, returned, after a sign-out", func(w *budgetWorld) func(context.Context) error {
			w.must(w.f.Tokens.Raise(w.t.Context(), oauth.Subject{Kind: oauth.ClientSubject, ID: "backend"}, oauth.StateChange{}))
			w.mustIssue("backend", "")
			return w.issue("backend", "")
		}, oauth.Returned, "", price{calls: map[string]int{read: 1}, found: 2}},
		{"client_credentials, next generation", func(w *budgetWorld) func(context.Context) error {
			w.mustIssue("backend", "")
			w.now.Add(lifetime - 60)
			return w.issue("backend", "")
		}, oauth.Issued, "", price{calls: map[string]int{read: 1, put: 1}, found: 1, none: 1, write: 1}},
		{"client_credentials, no item yet", func(w *budgetWorld) func(context.Context) error {
			return w.issue("backend", "")
		}, oauth.Issued, "", price{calls: map[string]int{read: 1, query: 1, put: 1}, none: 3, write: 1}},
		// The query reads 25 items, here of some 450 bytes. At 1 KB each it would take
		// 7 units.
		{"client_credentials, no item yet and the cap is full", func(w *budgetWorld) func(context.Context) error {
			for i := range cap25 {
				w.mustIssue("backend", device(i))
			}
			return w.issue("backend", device(cap25))
		}, oauth.Issued, "", price{calls: map[string]int{read: 1, query: 1, remove: 1, put: 1}, found: 3, none: 2, write: 2}},
		{"password, returned", func(w *budgetWorld) func(context.Context) error {
			w.mustLogin("app", "")
			return w.login("app", budgetPassword, "")
		}, oauth.Returned, "", price{calls: map[string]int{read: 2}, found: 2, none: 3}},
		{"password, next generation", func(w *budgetWorld) func(context.Context) error {
			w.mustLogin("app", device(1))
			w.now.Add(lifetime - 60)
			return w.login("app", budgetPassword, device(1))
		}, oauth.Issued, "", price{calls: map[string]int{read: 2, put: 1}, found: 2, none: 3, write: 1}},
		{"password, no item yet", func(w *budgetWorld) func(context.Context) error {
			return w.login("app", budgetPassword, device(1))
		}, oauth.Issued, "", price{calls: map[string]int{read: 2, query: 1, put: 1}, found: 1, none: 5, write: 1}},
		{"password, no item yet and the cap is full", func(w *budgetWorld) func(context.Context) error {
			for i := range cap25 {
				w.mustLogin("app", device(i))
			}
			return w.login("app", budgetPassword, device(cap25))
		}, oauth.Issued, "", price{calls: map[string]int{read: 2, query: 1, remove: 1, put: 1}, found: 1 + 3, none: 4, write: 2}},
		{"wrong password", func(w *budgetWorld) func(context.Context) error {
			return w.login("app", "another", "")
		}, "", oauth.InvalidGrant, price{calls: map[string]int{read: 1, update: 2}, found: 1, none: 2, write: 2}},
		{"wrong password, delayed", func(w *budgetWorld) func(context.Context) error {
			for range 10 {
				w.refused(oauth.InvalidGrant, w.login("app", "another", ""))
			}
			return w.login("app", budgetPassword, "")
		}, "", oauth.InvalidGrant, price{calls: map[string]int{read: 1}, found: 3}},
		{"password, returned, after a wrong one", func(w *budgetWorld) func(context.Context) error {
			w.mustLogin("app", "")
			w.refused(oauth.InvalidGrant, w.login("app", "another", ""))
			return w.login("app", budgetPassword, "")
		}, oauth.Returned, "", price{calls: map[string]int{read: 2, remove: 1}, found: 4, none: 1, write: 1}},
		{"password, a scope that the client may not have", func(w *budgetWorld) func(context.Context) error {
			return w.login("app", budgetPassword, "other") // tells nothing about a disabled user
		}, "", oauth.InvalidScope, price{calls: map[string]int{read: 2}, found: 1, none: 4}},

		// Refresh.
		{"refresh, confidential, returned", func(w *budgetWorld) func(context.Context) error {
			return w.refresh("backend", w.mustLogin("backend", "").RefreshToken)
		}, oauth.Refreshed, "", price{calls: map[string]int{read: 1}, found: 1, none: 1}},
		{"refresh, confidential, next access token", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("backend", "")
			w.now.Add(lifetime/2 + 1)
			return w.refresh("backend", first.RefreshToken)
		}, oauth.Refreshed, "", price{calls: map[string]int{read: 1, put: 1}, found: 1, none: 1, write: 1}},
		{"refresh, public, rotation", func(w *budgetWorld) func(context.Context) error {
			return w.refresh("app", w.mustLogin("app", device(1)).RefreshToken)
		}, oauth.Refreshed, "", price{calls: map[string]int{read: 1, put: 1}, found: 1, none: 1, write: 1}},
		{"refresh, public, rotation and next access token", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.now.Add(lifetime/2 + 1)
			return w.refresh("app", first.RefreshToken) // all four slots are full then
		}, oauth.Refreshed, "", price{calls: map[string]int{read: 1, put: 1}, found: 1, none: 1, write: 1}},
		{"refresh, public, after a lost reply", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.must(w.refresh("app", first.RefreshToken)(w.t.Context()))
			return w.refresh("app", first.RefreshToken)
		}, oauth.Refreshed, "", price{calls: map[string]int{read: 1}, found: 1, none: 1}},
		{"refresh, public, replay", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.must(w.refresh("app", first.RefreshToken)(w.t.Context()))
			w.now.Add(31)
			return w.refresh("app", first.RefreshToken)
		}, oauth.Replayed, oauth.InvalidGrant, price{calls: map[string]int{read: 1, remove: 1}, found: 1, none: 1, write: 1}},
		{"refresh, revoked", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.must(w.revoke("app", first.RefreshToken)(w.t.Context()))
			return w.refresh("app", first.RefreshToken)
		}, "", oauth.InvalidGrant, price{calls: map[string]int{read: 1}, none: 2}},

		// Introspect.
		{"introspect", func(w *budgetWorld) func(context.Context) error {
			return w.introspect("api", w.mustLogin("app", device(1)).AccessToken)
		}, oauth.Active, "", price{calls: map[string]int{read: 1}, found: 1, none: 1}},
		{"introspect a refresh token", func(w *budgetWorld) func(context.Context) error {
			return w.introspect("backend", w.mustLogin("backend", "").RefreshToken)
		}, oauth.Active, "", price{calls: map[string]int{read: 1}, found: 1, none: 1}},
		{"introspect, revoked", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.must(w.revoke("app", first.RefreshToken)(w.t.Context()))
			return w.introspect("api", first.AccessToken)
		}, oauth.Inactive, "", price{calls: map[string]int{read: 1}, none: 2}},

		// Revoke. A delete that finds nothing, or something else, is answered without
		// the capacity that it consumed; AWS charges a write unit for it too.
		{"revoke an access token", func(w *budgetWorld) func(context.Context) error {
			return w.revoke("app", w.mustLogin("app", device(1)).AccessToken)
		}, oauth.Revoked, "", price{calls: map[string]int{remove: 1}, write: 1}},
		{"revoke a refresh token", func(w *budgetWorld) func(context.Context) error {
			return w.revoke("backend", w.mustLogin("backend", "").RefreshToken)
		}, oauth.Revoked, "", price{calls: map[string]int{remove: 1}, write: 1}},
		{"revoke, expired", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.now.Add(lifetime)
			return w.revoke("app", first.AccessToken)
		}, oauth.Revoked, "", price{calls: map[string]int{remove: 1}, write: 1}},
		{"revoke, revoked", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.must(w.revoke("app", first.AccessToken)(w.t.Context()))
			return w.revoke("app", first.AccessToken)
		}, oauth.Revoked, "", price{calls: map[string]int{remove: 1}}},
		{"revoke, from before another login", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.must(w.revoke("app", first.AccessToken)(w.t.Context()))
			w.mustLogin("app", device(1))
			return w.revoke("app", first.AccessToken)
		}, oauth.Revoked, "", price{calls: map[string]int{remove: 1}}},

		// Devices: the token is read first, like introspection, and then what it asks
		// for. A query reads all that the user has; see TestBudgetOfManyDevices.
		{"devices: list", func(w *budgetWorld) func(context.Context) error {
			return w.list(w.mustLogin("app", device(1)).AccessToken)
		}, oauth.Active, "", price{calls: map[string]int{read: 1, get: 1, query: 1}, found: 3, none: 1}},
		{"devices: end one", func(w *budgetWorld) func(context.Context) error {
			w.mustLogin("backend", device(2))
			w.mustLogin("app", device(2))
			return w.endDevice(w.mustLogin("app", device(1)).AccessToken, 2)
		}, oauth.Active, "", price{calls: map[string]int{read: 1, query: 1, remove: 2}, found: 2, none: 1, write: 2}},
		{"devices: end one that is gone", func(w *budgetWorld) func(context.Context) error {
			return w.endDevice(w.mustLogin("app", device(1)).AccessToken, 2)
		}, oauth.Active, "", price{calls: map[string]int{read: 1, query: 1}, found: 2, none: 1}},
		{"devices: sign out others", func(w *budgetWorld) func(context.Context) error {
			w.mustLogin("backend", device(1))
			w.mustLogin("app", device(2))
			return w.signOutOthers(w.mustLogin("app", device(1)).AccessToken)
		}, oauth.Active, "", price{calls: map[string]int{read: 1, query: 1, remove: 2}, found: 2, none: 1, write: 2}},
		{"devices: sign out all", func(w *budgetWorld) func(context.Context) error {
			w.mustLogin("backend", device(1))
			w.mustLogin("app", device(2))
			return w.signOutAll(w.mustLogin("app", device(1)).AccessToken)
		}, oauth.Active, "", price{calls: map[string]int{read: 1, update: 1}, found: 1, none: 1, write: 1}},
		{"devices: a token that was revoked", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.must(w.revoke("app", first.AccessToken)(w.t.Context()))
			return w.list(first.AccessToken)
		}, oauth.Inactive, "", price{calls: map[string]int{read: 1}, none: 2}},
		{"devices: a token that expired", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.now.Add(lifetime)
			return w.list(first.AccessToken)
		}, oauth.Inactive, "", free},

		// The authorizer and /me, which read a token like introspection, without a client
		// that asks.
		{"authorizer", func(w *budgetWorld) func(context.Context) error {
			return w.access(w.mustLogin("app", device(1)).AccessToken)
		}, oauth.Active, "", price{calls: map[string]int{read: 1}, found: 1, none: 1}},
		{"authorizer, after a sign-out", func(w *budgetWorld) func(context.Context) error {
			w.must(w.f.Tokens.Raise(w.t.Context(), oauth.Subject{Kind: oauth.UserSubject, ID: "u_abcdefghijklmnopqrstuvwxyz"}, oauth.StateChange{}))
			return w.access(w.mustLogin("app", device(1)).AccessToken)
		}, oauth.Active, "", price{calls: map[string]int{read: 1}, found: 2}},
		{"authorizer, revoked", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.must(w.revoke("app", first.RefreshToken)(w.t.Context()))
			return w.access(first.AccessToken)
		}, oauth.Inactive, "", price{calls: map[string]int{read: 1}, none: 2}},
		{"authorizer, expired", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.now.Add(lifetime)
			return w.access(first.AccessToken)
		}, oauth.Inactive, "", free},
		{"authorizer, a refresh token", func(w *budgetWorld) func(context.Context) error {
			return w.access(w.mustLogin("app", device(1)).RefreshToken)
		}, oauth.Inactive, "", free},

		// What is refused before the store is asked.
		{"refresh, expired", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("backend", "")
			w.now.Add(oauth.DefaultRefreshAbsolute)
			return w.refresh("backend", first.RefreshToken)
		}, "", oauth.InvalidGrant, free},
		{"introspect, expired", func(w *budgetWorld) func(context.Context) error {
			first := w.mustLogin("app", device(1))
			w.now.Add(lifetime)
			return w.introspect("api", first.AccessToken)
		}, oauth.Inactive, "", free},
		{"refresh by another client", func(w *budgetWorld) func(context.Context) error {
			return w.refresh("app", w.mustLogin("backend", "").RefreshToken)
		}, "", oauth.InvalidGrant, free},
		{"introspect by a stranger", func(w *budgetWorld) func(context.Context) error {
			return w.introspect("backend", w.mustLogin("app", device(1)).AccessToken)
		}, oauth.Inactive, "", free},
		{"revoke by another client", func(w *budgetWorld) func(context.Context) error {
			return w.revoke("backend", w.mustLogin("app", device(1)).AccessToken)
		}, oauth.Revoked, oauth.InvalidGrant, free},
		{"wrong client secret", func(w *budgetWorld) func(context.Context) error {
			return w.token("backend", "another", oauth.Form{"grant_type": "client_credentials"})
		}, "", oauth.InvalidClient, free},
		{"grant that the client may not use", func(w *budgetWorld) func(context.Context) error {
			return w.token("api", clientSecretOf("api"), oauth.Form{"grant_type": "client_credentials"})
		}, "", oauth.UnauthorizedClient, free},
		{"malformed scope", func(w *budgetWorld) func(context.Context) error {
			return w.token("backend", clientSecretOf("backend"), oauth.Form{"grant_type": "client_credentials", "scope": "device_"})
		}, "", oauth.InvalidScope, free},
		{"scope that the client may not have", func(w *budgetWorld) func(context.Context) error {
			return w.token("backend", clientSecretOf("backend"), oauth.Form{"grant_type": "client_credentials", "scope": "other"})
		}, "", oauth.InvalidScope, free},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newBudgetWorld(t, endpoint)
			request := test.prepare(w)
			w.meter.reset()
			var event oauth.Event
			err := request(oauth.WithEvent(t.Context(), &event))
			refused, _ := errors.AsType[*oauth.Error](err)
			switch {
			case test.code == "" && err != nil:
				t.Fatal(err)
			case test.code != "" && (refused == nil || refused.Code != test.code):
				t.Errorf("error %v, want %s", err, test.code)
			}
			if event.Outcome != test.outcome {
				t.Errorf("outcome %q, want %q", event.Outcome, test.outcome)
			}
			w.check(event, test.price, absent)
		})
	}

	// Anybody can send these, as often as they like.
	w := newBudgetWorld(t, endpoint)
	user, client := w.mustLogin("app", device(1)), w.mustLogin("backend", "")
	endpoints := map[string]struct {
		request func(bearer.Bearer) func(context.Context) error
		genuine bearer.Bearer
		outcome oauth.Outcome
		code    oauth.Code
	}{
		"refresh":                      {func(b bearer.Bearer) func(context.Context) error { return w.refresh("backend", b) }, client.RefreshToken, "", oauth.InvalidGrant},
		"introspect":                   {func(b bearer.Bearer) func(context.Context) error { return w.introspect("api", b) }, user.AccessToken, oauth.Inactive, ""},
		"introspect the refresh token": {func(b bearer.Bearer) func(context.Context) error { return w.introspect("backend", b) }, client.RefreshToken, oauth.Inactive, ""},
		"revoke":                       {func(b bearer.Bearer) func(context.Context) error { return w.revoke("app", b) }, user.AccessToken, oauth.Revoked, ""},
		"authorizer":                   {w.access, user.AccessToken, oauth.Inactive, ""},
		"devices":                      {w.list, user.AccessToken, oauth.Inactive, ""},
		"revoke the refresh token":     {func(b bearer.Bearer) func(context.Context) error { return w.revoke("app", b) }, user.RefreshToken, oauth.Revoked, ""},
	}
	for name, e := range endpoints {
		t.Run("forged: "+name, func(t *testing.T) {
			w.t = t
			for what, forged := range forgeries(t, e.genuine) {
				w.meter.reset()
				var event oauth.Event
				err := e.request(forged)(oauth.WithEvent(t.Context(), &event))
				refused, _ := errors.AsType[*oauth.Error](err)
				if (e.code == "") != (err == nil) || e.code != "" && (refused == nil || refused.Code != e.code) || event.Outcome != e.outcome {
					t.Errorf("%s: outcome %q and error %v, want %q and %q", what, event.Outcome, err, e.outcome, e.code)
				}
				w.check(event, free, absent)
			}
			// The control: what was forged after costs something.
			w.meter.reset()
			if err := e.request(e.genuine)(t.Context()); err != nil || w.meter.reset().total() == 0 {
				t.Errorf("the genuine token: no call, or %v", err)
			}
		})
	}
}

// forgeries are near and far misses of a genuine bearer.
func forgeries(t *testing.T, genuine bearer.Bearer) map[string]bearer.Bearer {
	t.Helper()
	text := genuine.Reveal()
	prefix, body := text[:7], text[7:]
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		t.Fatal(err)
	}
	otherPrefix := map[string]string{"fob_at_": "fob_rt_", "fob_rt_": "fob_at_"}[prefix]
	all := map[string]string{
		"a word":            "token",
		"10 kB":             strings.Repeat("A", 10_000),
		"the prefix":        prefix,
		"cut":               text[:len(text)-1],
		"grown":             text + "A",
		"padded":            text + "=",
		"with a line break": text[:50] + "\n" + text[50:],
		"upper prefix":      strings.ToUpper(prefix) + body,
		"the other kind":    otherPrefix + body,
		"another scheme":    "Bearer " + text,
	}
	flipped := func(at int) string {
		changed := bytes.Clone(raw)
		changed[at] ^= 1
		return prefix + base64.RawURLEncoding.EncodeToString(changed)
	}
	for at := range raw {
		all[fmt.Sprintf("byte %d changed", at)] = flipped(at) // byte 1 names an unknown key
	}
	forged := map[string]bearer.Bearer{}
	for what, text := range all {
		forged[what] = bearer.FromClient(text)
	}
	// Whoever knows all about the token but the keys.
	ring := budgetRing(t, "another")
	token, err := budgetRing(t, "").Open(genuine)
	if err != nil {
		t.Fatal(err)
	}
	sealed, _, ok := ring.Seal(token.Name, bearer.RID{})
	if !ok {
		t.Fatal("cannot seal with other keys")
	}
	forged["sealed with other keys"] = sealed
	return forged
}

const budgetPassword = "correct horse"

func clientSecretOf(id oauth.ClientID) string { return "secret-of-" + string(id) }

// device is a name of usual length.
func device(n int) string { return fmt.Sprintf("device_123e4567-e89b-12d3-a456-%012d", n) }

// budgetWorld is the domain of one warm instance on fresh tables.
type budgetWorld struct {
	t        *testing.T
	f        *dynamotest.Fixture
	meter    *meter
	now      atomic.Int64 // Unix seconds
	issuer   *oauth.Issuer
	verifier *oauth.Verifier
}

func newBudgetWorld(t *testing.T, endpoint string) *budgetWorld {
	t.Helper()
	w := &budgetWorld{t: t, f: dynamotest.New(t, endpoint), meter: &meter{}}
	w.now.Store(1_800_000_000)

	both, err := scope.Of("calendar.read", "calendar.write", "contacts.read", "mail.read", "mail.send")
	w.must(err)
	roles := map[string][]string{"other": nil}
	for _, name := range both.Ordinary() {
		roles[name] = nil
	}
	w.must(w.f.Clients.SaveResourceScopes(t.Context(), oauth.ResourceScopes{Roles: roles}))
	audiences := []string{"https://api.mobile.example.com/v1"}
	hash := func(id oauth.ClientID) []oauth.ClientSecret {
		return []oauth.ClientSecret{{Hash: oauth.HashClientSecret(secret.New(clientSecretOf(id)))}}
	}
	for _, c := range []oauth.Client{
		{ID: "backend", Secrets: hash("backend"), Grants: oauth.GrantTypes(), Scopes: both, DefaultScopes: both, Audiences: audiences},
		{ID: "app", Public: true, Grants: []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant}, Scopes: both, DefaultScopes: both, Audiences: audiences},
		{ID: "api", Secrets: hash("api"), Introspects: audiences},
	} {
		c.Created, c.Epoch = w.now.Load(), uint64(w.now.Load())
		w.must(c.Validate())
		_, err := w.f.Clients.SaveClient(t.Context(), c)
		w.must(err)
	}
	hashed, err := (plain{}).Hash(secret.New(budgetPassword))
	w.must(err)
	_, err = w.f.Users.SaveUser(t.Context(), oauth.User{Username: budgetUser, ID: "u_abcdefghijklmnopqrstuvwxyz", PasswordHash: hashed, Created: w.now.Load()})
	w.must(err)

	w.issuer, w.verifier = w.instance(endpoint)
	return w
}

const budgetUser = "annabel.longname@mobile.example.com"

// instance is another one on the same tables, with connections and caches of its
// own. The caches are warm and stay it: their clock stands still.
func (w *budgetWorld) instance(endpoint string) (*oauth.Issuer, *oauth.Verifier) {
	w.t.Helper()
	cfg := dynamotest.Config(endpoint)
	cfg.HTTPClient = &http.Client{Transport: w.meter}
	db := dynamo.NewClient(cfg)
	tokens := dynamo.NewTokens(db, w.f.Tables.Tokens)
	clients := oauth.NewClientCache(dynamo.NewClients(db, w.f.Tables.Clients), func() time.Time { return time.Unix(0, 0) })
	for _, id := range []oauth.ClientID{"backend", "app", "api"} {
		_, found, err := clients.Client(w.t.Context(), id)
		w.must(err)
		if !found {
			w.t.Fatalf("no client %s", id)
		}
	}
	_, err := clients.ResourceScopes(w.t.Context())
	w.must(err)
	ring := budgetRing(w.t, "")
	now := func() time.Time { return time.Unix(w.now.Load(), 0) }
	return &oauth.Issuer{
			Tokens: tokens, Clients: clients, Users: dynamo.NewUsers(db, w.f.Tables.Users),
			Passwords: plain{}, Keys: always[*bearer.MintRing]{ring}, Now: now,
		}, &oauth.Verifier{
			Tokens: tokens, Clients: clients, Keys: always[*bearer.CheckRing]{ring.CheckRing}, Now: now,
		}
}

func budgetRing(t *testing.T, more string) *bearer.MintRing {
	t.Helper()
	ring, err := bearer.ParseMintRing(
		[]byte(`{"1": "not a real mint key of the budget tests`+more+`"}`),
		[]byte(`{"issuer_epoch": 0, "states": {"1": "active"}, "1": "not a real check key of the budget tests`+more+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// always is oauth.Keys with one ring.
type always[R any] struct{ ring R }

func (k always[R]) Ring(context.Context) (R, error)                { return k.ring, nil }
func (k always[R]) Reload(context.Context) (R, error)              { return k.ring, nil }
func (k always[R]) ReloadForUnknownKey(context.Context) (R, error) { return k.ring, nil }

// plain is oauth.Passwords without the slowness.
type plain struct{}

func (plain) Hash(p secret.Text) (secret.Text, error) {
	return secret.New("hash of " + p.Reveal()), nil
}

func (plain) Verify(p, hash secret.Text) (ok, outdated bool, err error) {
	return hash.Equal(secret.New("hash of " + p.Reveal())), false, nil
}

func (w *budgetWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *budgetWorld) refused(want oauth.Code, request func(context.Context) error) {
	w.t.Helper()
	err := request(w.t.Context())
	if refused, ok := errors.AsType[*oauth.Error](err); !ok || refused.Code != want {
		w.t.Fatalf("error %v, want %s", err, want)
	}
}

func credentials(id oauth.ClientID, clientSecret string) oauth.Credentials {
	if id == "app" {
		return oauth.Credentials{Method: oauth.ClientIDOnly, ID: id}
	}
	return oauth.Credentials{Method: oauth.SecretBasic, ID: id, Secret: secret.New(clientSecret)}
}

func (w *budgetWorld) token(id oauth.ClientID, clientSecret string, form oauth.Form) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := w.issuer.Token(ctx, oauth.TokenRequest{Credentials: credentials(id, clientSecret), Form: form, Source: "192.0.2.1"})
		return err
	}
}

func clientCredentialsForm(device string) oauth.Form {
	return withScope(oauth.Form{"grant_type": "client_credentials"}, device)
}

func passwordForm(password, device string) oauth.Form {
	return withScope(oauth.Form{"grant_type": "password", "username": budgetUser, "password": password}, device)
}

// withScope leaves an empty scope out.
func withScope(form oauth.Form, scope string) oauth.Form {
	if scope != "" {
		form["scope"] = scope
	}
	return form
}

func (w *budgetWorld) issue(id oauth.ClientID, device string) func(context.Context) error {
	return w.token(id, clientSecretOf(id), clientCredentialsForm(device))
}

func (w *budgetWorld) mustIssue(id oauth.ClientID, device string) {
	w.t.Helper()
	w.must(w.issue(id, device)(w.t.Context()))
}

func (w *budgetWorld) login(id oauth.ClientID, password, device string) func(context.Context) error {
	return w.token(id, clientSecretOf(id), passwordForm(password, device))
}

func (w *budgetWorld) mustLogin(id oauth.ClientID, device string) oauth.TokenResponse {
	w.t.Helper()
	r, err := w.issuer.Token(w.t.Context(), oauth.TokenRequest{Credentials: credentials(id, clientSecretOf(id)), Form: passwordForm(budgetPassword, device), Source: "192.0.2.1"})
	w.must(err)
	return r
}

func (w *budgetWorld) refresh(id oauth.ClientID, b bearer.Bearer) func(context.Context) error {
	return w.token(id, clientSecretOf(id), oauth.Form{"grant_type": "refresh_token", "refresh_token": b.Reveal()})
}

func (w *budgetWorld) introspect(id oauth.ClientID, b bearer.Bearer) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := w.verifier.Introspect(ctx, oauth.IntrospectRequest{Credentials: credentials(id, clientSecretOf(id)), Token: b})
		return err
	}
}

func (w *budgetWorld) revoke(id oauth.ClientID, b bearer.Bearer) func(context.Context) error {
	return func(ctx context.Context) error {
		return w.verifier.Revoke(ctx, oauth.RevokeRequest{Credentials: credentials(id, clientSecretOf(id)), Token: b})
	}
}

// devices is a request of /devices: what comes of the token decides whether
// anything else is done.
func (w *budgetWorld) devices(b bearer.Bearer, do func(context.Context, *oauth.Directory, oauth.Introspection) error) func(context.Context) error {
	v := w.verifier
	directory := &oauth.Directory{Tokens: v.Tokens, Subjects: v.Tokens.(*dynamo.Tokens), Clients: v.Clients, Keys: v.Keys, Now: v.Now}
	return func(ctx context.Context) error {
		me, err := v.Access(ctx, b)
		if err != nil || !me.Active {
			return err
		}
		return do(ctx, directory, me)
	}
}

// access is what the authorizer and /me do.
func (w *budgetWorld) access(b bearer.Bearer) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := w.verifier.Access(ctx, b)
		return err
	}
}

func (w *budgetWorld) list(b bearer.Bearer) func(context.Context) error {
	return w.devices(b, func(ctx context.Context, d *oauth.Directory, me oauth.Introspection) error {
		_, _, err := d.Places(ctx, me.Subject, oauth.Place{}, 100)
		return err
	})
}

func (w *budgetWorld) endDevice(b bearer.Bearer, n int) func(context.Context) error {
	return w.devices(b, func(ctx context.Context, d *oauth.Directory, me oauth.Introspection) error {
		name, err := scope.ParseDevice(strings.TrimPrefix(device(n), scope.DevicePrefix))
		w.must(err)
		return d.EndDevice(ctx, me.Subject, name, me.Locator)
	})
}

func (w *budgetWorld) signOutOthers(b bearer.Bearer) func(context.Context) error {
	return w.devices(b, func(ctx context.Context, d *oauth.Directory, me oauth.Introspection) error {
		return d.EndOthers(ctx, me.Subject, oauth.Place{Device: me.Scope.Device(), Client: me.ClientID})
	})
}

func (w *budgetWorld) signOutAll(b bearer.Bearer) func(context.Context) error {
	return w.devices(b, func(ctx context.Context, d *oauth.Directory, me oauth.Introspection) error {
		return d.SignOut(ctx, me.Subject)
	})
}

// A user with 25 devices on each of 10 clients: a page costs one query over all 250,
// whatever its size; signing out of all but one is a delete each, and of all is one
// write. At 1 KB an item the query would take 62 units; here they have some 450
// bytes.
func TestBudgetOfManyDevices(t *testing.T) {
	t.Run("dynoxide", func(t *testing.T) { testBudgetOfManyDevices(t, storetest.Engine(t), 1) })
	t.Run("local", func(t *testing.T) { testBudgetOfManyDevices(t, storetest.Local(t), 0) })
}

func testBudgetOfManyDevices(t *testing.T, endpoint string, absent float64) {
	const clients = 10
	w := newBudgetWorld(t, endpoint)
	app, found, err := w.f.Clients.Client(t.Context(), "app")
	if err != nil || !found {
		t.Fatal(found, err)
	}
	var mine bearer.Bearer
	for c := range clients {
		app.ID, app.Version = oauth.ClientID(fmt.Sprintf("app-%d", c)), 0
		_, err := w.f.Clients.SaveClient(t.Context(), app)
		w.must(err)
		for n := range cap25 {
			credentials := oauth.Credentials{Method: oauth.ClientIDOnly, ID: app.ID}
			r, err := w.issuer.Token(t.Context(), oauth.TokenRequest{Credentials: credentials, Form: passwordForm(budgetPassword, device(n)), Source: "192.0.2.1"})
			w.must(err)
			mine = r.AccessToken
		}
	}
	for _, step := range []struct {
		name    string
		request func(context.Context) error
		price   price
	}{
		{"list", w.list(mine), price{calls: map[string]int{read: 1, get: 1, query: 1}, found: 1 + 1 + 30, none: 1}},
		{"end one", w.endDevice(mine, 0), price{calls: map[string]int{read: 1, query: 1, remove: clients}, found: 1 + 30, none: 1, write: clients}},
		{"sign out others", w.signOutOthers(mine), price{calls: map[string]int{read: 1, query: 1, remove: clients*(cap25-1) - 1}, found: 1 + 29, none: 1, write: clients*(cap25-1) - 1}},
		{"sign out all", w.signOutAll(mine), price{calls: map[string]int{read: 1, update: 1}, found: 1, none: 1, write: 1}},
	} {
		w.meter.reset()
		var event oauth.Event
		if err := step.request(oauth.WithEvent(t.Context(), &event)); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		w.check(event, step.price, absent)
	}
}

// check holds a request to its price, by what the event says and by what the
// meter saw, and the items that it left to their size.
func (w *budgetWorld) check(event oauth.Event, want price, absent float64) {
	w.t.Helper()
	seen := w.meter.reset()
	if diff := cmp.Diff(maps.Clone(want.calls), seen.calls); diff != "" && len(want.calls)+len(seen.calls) > 0 {
		w.t.Errorf("calls (-want +got):\n%s", diff)
	}
	if event.StoreCalls != seen.total() {
		w.t.Errorf("the event counts %d calls, and %d were made", event.StoreCalls, seen.total())
	}
	reads := want.found + want.none*absent
	if event.ReadUnits != reads || seen.reads != reads {
		w.t.Errorf("read units: %v by the event, %v by the engine's answers, want %v", event.ReadUnits, seen.reads, reads)
	}
	if event.WriteUnits != want.write || seen.writes != want.write {
		w.t.Errorf("write units: %v by the event, %v by the engine's answers, want %v", event.WriteUnits, seen.writes, want.write)
	}
	if len(want.calls) == 0 {
		return
	}
	for _, item := range w.f.Items(w.t, w.f.Tables.Tokens) {
		if size := sizeOf(item); size >= 1024 {
			w.t.Errorf("an item of %d bytes, which is two write units", size)
		}
	}
}

// sizeOf is the size of an item by DynamoDB's published rules.
func sizeOf(item map[string]types.AttributeValue) (size int) {
	for name, value := range item {
		size += len(name) + sizeOfValue(value)
	}
	return size
}

func sizeOfValue(value types.AttributeValue) int {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return (len(v.Value)+1)/2 + 1
	case *types.AttributeValueMemberL:
		size := 3
		for _, value := range v.Value {
			size += 1 + sizeOfValue(value)
		}
		return size
	case *types.AttributeValueMemberM:
		return 3 + len(v.Value) + sizeOf(v.Value)
	}
	return 1 // a flag
}

// meter counts the requests that leave, whoever believes to have made them, and
// adds up the capacity that the engine says they consumed.
type meter struct {
	mu   sync.Mutex
	seen reading
}

type reading struct {
	calls         map[string]int // by operation
	reads, writes float64
}

func (r reading) total() (n int) {
	for _, calls := range r.calls {
		n += calls
	}
	return n
}

func (m *meter) reset() reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := m.seen
	m.seen = reading{}
	return seen
}

func (m *meter) RoundTrip(r *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	resp, err := http.DefaultTransport.RoundTrip(r)
	var answer struct{ ConsumedCapacity json.RawMessage }
	if err == nil {
		var body []byte
		body, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(body))
		_ = json.Unmarshal(body, &answer) // what is no JSON has no capacity
	}
	type capacity struct{ CapacityUnits float64 }
	var one capacity
	var many []capacity
	_, _ = json.Unmarshal(answer.ConsumedCapacity, &one), json.Unmarshal(answer.ConsumedCapacity, &many)
	units := one.CapacityUnits
	for _, c := range many {
		units += c.CapacityUnits
	}

	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen.calls == nil {
		m.seen.calls = map[string]int{}
	}
	m.seen.calls[operation]++
	switch operation {
	case put, update, remove:
		m.seen.writes += units
	default:
		m.seen.reads += units
	}
	return resp, err
}

// Two instances that know nothing of each other get 64 first requests at once:
// one token pair comes out, and one item is there.
func TestInstancesRace(t *testing.T) {
	onEngines(t, func(t *testing.T, endpoint string) {
		const requests = 64
		w := newBudgetWorld(t, endpoint)
		second, _ := w.instance(endpoint)
		issuers := []*oauth.Issuer{w.issuer, second}
		type pair struct{ access, refresh string }
		var (
			mu       sync.Mutex
			pairs    = map[pair]int{}
			outcomes = map[oauth.Outcome]int{}
			wg       sync.WaitGroup
			gun      = make(chan struct{})
		)
		for i := range requests {
			wg.Go(func() {
				<-gun
				var event oauth.Event
				r, err := issuers[i%2].Token(oauth.WithEvent(t.Context(), &event), oauth.TokenRequest{
					Credentials: credentials("backend", clientSecretOf("backend")), Form: passwordForm(budgetPassword, device(1)), Source: "192.0.2.1",
				})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				pairs[pair{r.AccessToken.Reveal(), r.RefreshToken.Reveal()}]++
				outcomes[event.Outcome]++
			})
		}
		close(gun)
		wg.Wait()
		for p, n := range pairs {
			if n != requests || p.access == "" || p.refresh == "" {
				t.Errorf("%d of %d requests got one pair of tokens, and others another", n, requests)
			}
		}
		if diff := cmp.Diff(map[oauth.Outcome]int{oauth.Issued: 1, oauth.Returned: requests - 1}, outcomes); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if items := w.f.Items(t, w.f.Tables.Tokens); len(items) != 1 {
			t.Errorf("%d items, want one", len(items))
		}
	})
}
