package laptop

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
)

// The names of the demo, which real clients and users are unlikely to have.
const (
	DemoClient   = "demo-client" // confidential
	DemoApp      = "demo-app"    // public
	DemoAPI      = "demo-api"    // the resource server, and the audience of both
	DemoUsername = "demo-user"
)

// Demo has the secrets of the demo and its setting.
type Demo struct {
	clientSecret, apiSecret, password secret.Text
	AccessLifetime                    int64 // seconds; zero is the default
}

// DeriveDemo makes the demo's secrets from the key ring, so that instances that share
// the ring agree on them. They are stored nowhere else. accessLifetime is in seconds;
// zero is the default.
func DeriveDemo(ring *bearer.MintRing, accessLifetime int64) Demo {
	derive := func(label string) secret.Text {
		b := ring.Derive(label)
		return secret.New(base64.RawURLEncoding.EncodeToString(b[:12])) // short enough for a line of curl
	}
	return Demo{
		clientSecret:   derive("demo client secret 1"),
		apiSecret:      derive("demo api secret 1"),
		password:       derive("demo password 1"),
		AccessLifetime: accessLifetime,
	}
}

// Seed adds the demo's scopes, clients and user, or brings them up to date. Instances
// that start together may all do it: one that loses a write reads again, and finds
// what it was about to write.
func (d Demo) Seed(ctx context.Context, r *oauth.Registrar) error {
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
		ID:             DemoApp,
		Public:         true,
		Grants:         []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant},
		Scopes:         all,
		DefaultScopes:  read,
		Audiences:      []string{DemoAPI},
		AccessLifetime: d.AccessLifetime,
	}
	client := app
	client.ID, client.Public, client.Grants = DemoClient, false, oauth.GrantTypes()
	for _, c := range []struct {
		client oauth.Client
		secret secret.Text
	}{
		{client, d.clientSecret},
		{app, secret.Text{}},
		{oauth.Client{ID: DemoAPI, Introspects: []string{DemoAPI}}, d.apiSecret},
	} {
		if err := seedClient(ctx, r, c.client, c.secret); err != nil {
			return fmt.Errorf("add %s: %w", c.client.ID, err)
		}
	}
	if err := d.seedUser(ctx, r); err != nil {
		return fmt.Errorf("add %s: %w", DemoUsername, err)
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

func (d Demo) seedUser(ctx context.Context, r *oauth.Registrar) error {
	u, err := r.User(ctx, DemoUsername)
	if oauth.IsChange(err, oauth.NoSuchEntry) {
		_, err = r.AddUser(ctx, oauth.NewUser{Username: DemoUsername, Password: d.password})
		if !oauth.IsChange(err, oauth.EntryExists) {
			return err
		}
		u, err = r.User(ctx, DemoUsername) // from an instance that was faster
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

// DemoJSON is the demo in the first line of --json. It shows the secrets on purpose,
// as the transcript does.
type DemoJSON struct {
	ClientID             string `json:"client_id"`
	ClientSecret         string `json:"client_secret"`
	PublicClientID       string `json:"public_client_id"`
	ResourceClientID     string `json:"resource_client_id"`
	ResourceClientSecret string `json:"resource_client_secret"`
	Username             string `json:"username"`
	Password             string `json:"password"`
}

// JSON shows the demo with its secrets.
func (d Demo) JSON() *DemoJSON {
	return &DemoJSON{
		ClientID:             DemoClient,
		ClientSecret:         d.clientSecret.Reveal(),
		PublicClientID:       DemoApp,
		ResourceClientID:     DemoAPI,
		ResourceClientSecret: d.apiSecret.Reveal(),
		Username:             DemoUsername,
		Password:             d.password.Reveal(),
	}
}
