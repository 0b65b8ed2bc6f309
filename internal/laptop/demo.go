package laptop

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/fob-oauth/fob/internal/ledger"
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
	IDToken                           secret.Text // of [DemoIssuer]; empty where there is none
	AccessLifetime                    int64       // seconds; zero is the default
	TokenFormat                       ledger.TokenFormat
}

// ErrOtherDemo is returned by [Demo.Seed] where the demo was added with other secrets,
// which somebody may be using.
var ErrOtherDemo = errors.New("the demo is there already, with other secrets")

// NewDemo makes the demo's secrets from a random seed, such as [keys.DemoSeed] reads.
// The key ring would not do, because its keys come and go. accessLifetime is in
// seconds; zero is the default.
func NewDemo(seed secret.Text, accessLifetime int64) Demo {
	derive := func(label string) secret.Text {
		h := hmac.New(sha256.New, []byte(seed.Reveal()))
		h.Write([]byte(label))
		return secret.New(base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:15])) // 20 characters, which a line of curl has room for
	}
	return Demo{
		clientSecret:   derive("demo client secret"),
		apiSecret:      derive("demo api secret"),
		password:       derive("demo password"),
		AccessLifetime: accessLifetime,
	}
}

// Seed adds the demo's scopes, clients and user, or brings their settings up to date.
// Secrets that are there stay: where they are others, it returns [ErrOtherDemo].
// Instances that start together may all do it: one that loses a write reads again, and
// finds what it was about to write.
func (d Demo) Seed(ctx context.Context, r *oauth.Registrar, users *oauth.UserRegistrar) error {
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
		Grants:         []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant, oauth.TokenExchangeGrant},
		Scopes:         all,
		DefaultScopes:  read,
		Audiences:      []string{DemoAPI},
		AccessLifetime: d.AccessLifetime,
		TokenFormat:    d.TokenFormat,
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
	if err := d.seedUser(ctx, users); err != nil {
		return fmt.Errorf("add %s: %w", DemoUsername, err)
	}
	return nil
}

// seedClient adds a client, or gives it these settings.
func seedClient(ctx context.Context, r *oauth.Registrar, want oauth.Client, s secret.Text) error {
	_, err := r.AddClient(ctx, want, s)
	if !oauth.IsChange(err, oauth.EntryExists) {
		return err
	}
	_, err = r.EditClient(ctx, want.ID, func(c *oauth.Client) error {
		if !want.Public && !c.HasSecret(s) {
			return ErrOtherDemo
		}
		settings := want
		settings.Version, settings.Created, settings.Epoch, settings.Secrets = c.Version, c.Created, c.Epoch, c.Secrets
		*c = settings
		return nil
	})
	return err
}

func (d Demo) seedUser(ctx context.Context, r *oauth.UserRegistrar) error {
	_, err := r.AddUser(ctx, oauth.NewUser{Username: DemoUsername, Password: d.password})
	if !oauth.IsChange(err, oauth.EntryExists) {
		return err
	}
	u, err := r.User(ctx, DemoUsername)
	if err != nil {
		return err
	}
	ok, _, err := r.Passwords.Verify(d.password, u.PasswordHash)
	if err == nil && !ok {
		err = ErrOtherDemo
	}
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
