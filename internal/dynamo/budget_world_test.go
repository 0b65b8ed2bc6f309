package dynamo_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/assertion"
	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/scope"
)

const budgetPassword = "correct horse"

// device is a name of usual length.
func device(n int) string { return fmt.Sprintf("device_123e4567-e89b-12d3-a456-%012d", n) }

// budgetWorld is the domain of one warm instance on fresh tables.
type budgetWorld struct {
	t        *testing.T
	f        *dynamotest.Fixture
	meter    *meter
	now      oauthtest.Clock
	source   string            // where logins come from
	key      assertiontest.Key // of the issuers, and of the client signer
	ring     *bearer.MintRing
	issuer   *oauth.Issuer
	verifier *oauth.Verifier
}

func newBudgetWorld(t *testing.T, endpoint string) *budgetWorld {
	t.Helper()
	w := &budgetWorld{t: t, f: dynamotest.New(t, endpoint), meter: &meter{}, source: "192.0.2.1", key: assertiontest.NewKey(t, "ES256"), ring: oauthtest.Ring(t, "")}
	w.now.Store(1_800_000_000)

	both, err := scope.Of("calendar.read", "calendar.write", "contacts.read", "mail.read", "mail.send")
	w.must(err)
	roles := map[string][]string{"other": nil}
	for _, name := range both.Ordinary() {
		roles[name] = nil
	}
	w.must(w.f.Clients.SaveResourceScopes(t.Context(), oauth.ResourceScopes{Roles: roles}))
	audiences := []string{"https://api.mobile.example.com/v1"}
	keys := assertiontest.JWKS(t, w.key)
	for _, c := range []oauth.Client{
		{ID: "backend", Grants: oauth.GrantTypes(), Scopes: both, DefaultScopes: both, Audiences: audiences},
		{ID: "app", Public: true, Grants: []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant, oauth.TokenExchangeGrant, oauth.JWTBearerGrant}, Scopes: both, DefaultScopes: both, Audiences: audiences},
		{ID: "signer", Secrets: []oauth.ClientSecret{}, JWKS: keys, Grants: oauth.GrantTypes(), Scopes: both, DefaultScopes: both, Audiences: append(audiences, budgetResource)},
		{ID: "robot", Secrets: []oauth.ClientSecret{}, Trusts: oauth.Trust{Issuer: budgetPlatform, Subject: budgetRole}, Grants: oauth.GrantTypes(), Scopes: both, DefaultScopes: both, Audiences: audiences},
		{ID: "api", Introspects: audiences},
	} {
		oauthtest.SaveClient(t, w.f.Clients, c, w.now.Load())
	}
	for _, i := range []oauth.TrustedIssuer{
		{Signer: oauth.Signer{Name: budgetIssuer, Audiences: []string{"com.example.app"}, Algorithms: oauth.Algorithms(), JWKS: keys}, UsernameClaim: "email", Events: true},
		{Signer: oauth.Signer{Name: budgetBackEnd, Audiences: []string{"com.example.app"}, Algorithms: oauth.Algorithms(), JWKS: keys}, Subjects: oauth.NamedSubjects},
		{Signer: oauth.Signer{Name: budgetPlatform, Algorithms: oauth.Algorithms(), JWKS: keys}, Subjects: oauth.ClientSubjects},
	} {
		_, err := w.f.Issuers.SaveIssuer(t.Context(), i)
		w.must(err)
	}
	oauthtest.SaveUser(t, w.f.Users, oauth.User{Username: budgetUser, ID: "u_abcdefghijklmnopqrstuvwxyz", Created: w.now.Load()}, budgetPassword)

	w.issuer, w.verifier = w.instance(endpoint)
	// From now on the source is known. A login that is granted nothing leaves no token.
	w.refused(oauth.InvalidScope, w.login("app", budgetPassword, "other"))
	return w
}

const (
	budgetUser = "annabel.longname@mobile.example.com"
	// Issuers of users of their own, and of users of fob.
	budgetIssuer  = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI"
	budgetBackEnd = "https://login.example.com"
	// A platform that signs for the client robot, and what it calls that.
	budgetPlatform = "https://0123abcd-45ef-67ab-89cd-0123456789ab.tokens.sts.global.api.aws"
	budgetRole     = "arn:aws:iam::123456789012:role/nightly"
	// fob as clients name it in what they sign, and a second audience of the client signer.
	budgetFob      = "https://fob.example.com"
	budgetResource = "https://billing.mobile.example.com/v2"
)

// instance is another one on the same tables, with connections and caches of its
// own. The caches are warm and stay it: their clock stands still.
func (w *budgetWorld) instance(endpoint string) (*oauth.Issuer, *oauth.Verifier) {
	w.t.Helper()
	cfg := dynamotest.Config(endpoint)
	cfg.HTTPClient = &http.Client{Transport: w.meter}
	db := dynamo.NewClient(cfg)
	tokens := dynamo.NewTokens(db, w.f.Tables.Tokens)
	clients := oauth.NewClientCache(dynamo.NewClients(db, w.f.Tables.Clients), func() time.Time { return time.Unix(0, 0) })
	for _, id := range []ledger.ClientID{"backend", "app", "signer", "robot", "api"} {
		_, found, err := clients.Client(w.t.Context(), id)
		w.must(err)
		if !found {
			w.t.Fatalf("no client %s", id)
		}
	}
	_, err := clients.ResourceScopes(w.t.Context())
	w.must(err)
	issuers := oauth.NewIssuerCache(dynamo.NewIssuers(db, w.f.Tables.Clients), func() time.Time { return time.Unix(0, 0) })
	for _, name := range []string{budgetIssuer, budgetBackEnd, budgetPlatform} {
		_, found, err := issuers.TrustedIssuer(w.t.Context(), name)
		w.must(err)
		if !found {
			w.t.Fatalf("no issuer %s", name)
		}
	}
	return &oauth.Issuer{
			Tokens: tokens, Clients: clients, Users: dynamo.NewUsers(db, w.f.Tables.Users),
			Issuers: issuers, Assertions: assertion.New(w.now.Now, nil), Passwords: new(oauthtest.Passwords), Keys: oauthtest.Keys[*bearer.MintRing]{Always: w.ring}, Now: w.now.Now,
		}, &oauth.Verifier{
			Tokens: tokens, Clients: clients, Keys: oauthtest.Keys[*bearer.CheckRing]{Always: w.ring.CheckRing}, Now: w.now.Now,
		}
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

// at is a request to fob under its name.
func (w *budgetWorld) at(id ledger.ClientID, form oauth.Form) oauth.TokenRequest {
	return oauth.TokenRequest{Credentials: oauthtest.Credentials(id), Form: form, Issuer: budgetFob, Source: w.source}
}

func (w *budgetWorld) token(id ledger.ClientID, form oauth.Form) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := w.issuer.Token(ctx, w.at(id, form))
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

func (w *budgetWorld) issue(id ledger.ClientID, device string) func(context.Context) error {
	return w.token(id, clientCredentialsForm(device))
}

func (w *budgetWorld) mustIssue(id ledger.ClientID, device string) {
	w.t.Helper()
	w.must(w.issue(id, device)(w.t.Context()))
}

func (w *budgetWorld) login(id ledger.ClientID, password, device string) func(context.Context) error {
	return w.token(id, passwordForm(password, device))
}

func (w *budgetWorld) mustLogin(id ledger.ClientID, device string) ledger.Answer {
	w.t.Helper()
	r, err := w.issuer.Token(w.t.Context(), w.at(id, passwordForm(budgetPassword, device)))
	w.must(err)
	return r
}

func (w *budgetWorld) refresh(id ledger.ClientID, b bearer.Bearer) func(context.Context) error {
	return w.token(id, oauth.Form{"grant_type": "refresh_token", "refresh_token": b.Reveal()})
}

func (w *budgetWorld) introspect(id ledger.ClientID, b bearer.Bearer) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := w.verifier.Introspect(ctx, oauthtest.Credentials(id), b)
		return err
	}
}

func (w *budgetWorld) revoke(id ledger.ClientID, b bearer.Bearer) func(context.Context) error {
	return func(ctx context.Context) error {
		return w.verifier.Revoke(ctx, oauthtest.Credentials(id), b)
	}
}

// devices is a request of /devices: what comes of the token decides whether
// anything else is done.
func (w *budgetWorld) devices(b bearer.Bearer, do func(context.Context, *oauth.SignIns, oauth.Introspection) error) func(context.Context) error {
	v := w.verifier
	signIns := v.SignIns(v.Tokens.(*dynamo.Tokens))
	return func(ctx context.Context) error {
		me, err := v.Holder(ctx, b)
		if err != nil || !me.Active {
			return err
		}
		return do(ctx, signIns, me)
	}
}

// access is what the authorizer and /me do.
func (w *budgetWorld) access(b bearer.Bearer) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := w.verifier.Caller(ctx, b)
		return err
	}
}

func (w *budgetWorld) list(b bearer.Bearer) func(context.Context) error {
	return w.devices(b, func(ctx context.Context, d *oauth.SignIns, me oauth.Introspection) error {
		_, _, err := d.Places(ctx, me.Subject, oauth.Position{}, 100)
		return err
	})
}

func (w *budgetWorld) endDevice(b bearer.Bearer, n int) func(context.Context) error {
	return w.devices(b, func(ctx context.Context, d *oauth.SignIns, me oauth.Introspection) error {
		name, err := scope.ParseDevice(strings.TrimPrefix(device(n), scope.DevicePrefix))
		w.must(err)
		_, err = d.EndDevice(ctx, me.Subject, oauth.HandleOf(me.Subject, name), me.Locator)
		return err
	})
}

func (w *budgetWorld) signOutOthers(b bearer.Bearer) func(context.Context) error {
	return w.devices(b, func(ctx context.Context, d *oauth.SignIns, me oauth.Introspection) error {
		return d.EndOthers(ctx, me.Subject, oauth.Place{Device: me.Scope.Device(), Client: me.ClientID})
	})
}

func (w *budgetWorld) signOutAll(b bearer.Bearer) func(context.Context) error {
	return w.devices(b, func(ctx context.Context, d *oauth.SignIns, me oauth.Introspection) error {
		return d.SignOut(ctx, me.Subject)
	})
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
	// A forger knows all about the token but the keys.
	ring := oauthtest.Ring(t, "another")
	token, err := oauthtest.Ring(t, "").Open(genuine)
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
