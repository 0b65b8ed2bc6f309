package main

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
)

// The demo: what there is to play with in a store that is on this machine. Its
// names are not those that anybody's own clients and users have there.
const (
	demoClient   = "demo-client" // confidential
	demoApp      = "demo-app"    // public
	demoAPI      = "demo-api"    // the resource server, and the audience of both
	demoUsername = "demo-user"
)

type demo struct {
	clientSecret, apiSecret, password secret.Text
	accessLifetime                    int64 // seconds; zero is the default
}

// deriveDemo makes the demo's secrets from the key ring: instances that share
// the ring agree on them without a word, and they are nowhere else.
func deriveDemo(ring *bearer.MintRing, accessLifetime int64) demo {
	derive := func(label string) secret.Text {
		b := ring.Derive(label)
		return secret.New(base64.RawURLEncoding.EncodeToString(b[:12])) // short enough for a line of curl
	}
	return demo{
		clientSecret:   derive("demo client secret 1"),
		apiSecret:      derive("demo api secret 1"),
		password:       derive("demo password 1"),
		accessLifetime: accessLifetime,
	}
}

// seed adds the demo's scopes, clients and user, or brings them up to date. Instances
// that start together may all do it: one that loses a write reads again, and finds
// what it was about to write.
func (d demo) seed(ctx context.Context, r *oauth.Registrar) error {
	scopes := []string{"read", "write", oauth.DevicesScope}
	err := r.EditScopes(ctx, func(roles map[string][]string) error {
		for _, name := range scopes {
			if _, exists := roles[name]; !exists {
				roles[name] = nil
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("add the demo's scopes: %w", err)
	}
	all, err := scope.Of(scopes...)
	if err != nil {
		return err
	}
	read, err := scope.Of("read")
	if err != nil {
		return err
	}
	app := oauth.Client{
		ID:             demoApp,
		Public:         true,
		Grants:         []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant},
		Scopes:         all,
		DefaultScopes:  read,
		Audiences:      []string{demoAPI},
		AccessLifetime: d.accessLifetime,
	}
	client := app
	client.ID, client.Public, client.Grants = demoClient, false, oauth.GrantTypes()
	for _, c := range []struct {
		client oauth.Client
		secret secret.Text
	}{
		{client, d.clientSecret},
		{app, secret.Text{}},
		{oauth.Client{ID: demoAPI, Introspects: []string{demoAPI}}, d.apiSecret},
	} {
		if err := seedClient(ctx, r, c.client, c.secret); err != nil {
			return fmt.Errorf("add %s: %w", c.client.ID, err)
		}
	}
	if err := d.seedUser(ctx, r); err != nil {
		return fmt.Errorf("add %s: %w", demoUsername, err)
	}
	return nil
}

// seedClient adds a client, or gives it these settings and this secret. Another
// secret is from another key ring, whose tokens nobody knows any more.
func seedClient(ctx context.Context, r *oauth.Registrar, want oauth.Client, s secret.Text) error {
	_, err := r.AddClient(ctx, want, s)
	if !oauth.IsChange(err, oauth.EntryExists) {
		return err
	}
	c, err := r.EditClient(ctx, want.ID, func(c *oauth.Client) error {
		settings := want
		settings.Version, settings.Created, settings.Epoch, settings.Secrets = c.Version, c.Created, c.Epoch, c.Secrets
		*c = settings
		return nil
	})
	if err != nil || c.Public || c.HasSecret(s) {
		return err
	}
	// The epoch first: after a fault in between, both are done again.
	if _, err = r.EndClientTokens(ctx, want.ID); err != nil {
		return err
	}
	_, err = r.AddSecret(ctx, want.ID, s, true)
	if oauth.IsChange(err, oauth.SecretKnown) {
		return nil // from an instance that was faster
	}
	return err
}

func (d demo) seedUser(ctx context.Context, r *oauth.Registrar) error {
	u, err := r.User(ctx, demoUsername)
	if oauth.IsChange(err, oauth.NoSuchEntry) {
		_, err = r.AddUser(ctx, oauth.NewUser{Username: demoUsername, Password: d.password})
		if !oauth.IsChange(err, oauth.EntryExists) {
			return err
		}
		u, err = r.User(ctx, demoUsername) // from an instance that was faster
	}
	if err != nil {
		return err
	}
	if ok, outdated, err := r.Passwords.Verify(d.password, u.PasswordHash); err == nil && ok && !outdated {
		return nil
	}
	_, err = r.SetPassword(ctx, u, d.password)
	return err
}

// demoJSON is the demo in the first line of --json. Here its secrets leave on
// purpose, as in the transcript.
type demoJSON struct {
	ClientID             string `json:"client_id"`
	ClientSecret         string `json:"client_secret"`
	PublicClientID       string `json:"public_client_id"`
	ResourceClientID     string `json:"resource_client_id"`
	ResourceClientSecret string `json:"resource_client_secret"`
	Username             string `json:"username"`
	Password             string `json:"password"`
}

func (d demo) json() *demoJSON {
	return &demoJSON{
		ClientID:             demoClient,
		ClientSecret:         d.clientSecret.Reveal(),
		PublicClientID:       demoApp,
		ResourceClientID:     demoAPI,
		ResourceClientSecret: d.apiSecret.Reveal(),
		Username:             demoUsername,
		Password:             d.password.Reveal(),
	}
}
