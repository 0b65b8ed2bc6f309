package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/password"
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

// registrations are the demo's clients as they would be saved the first time.
func (d demo) registrations(now int64) ([]oauth.Client, error) {
	all, err := scope.Of("read", "write", oauth.DevicesScope)
	if err != nil {
		return nil, err
	}
	read, err := scope.Of("read")
	if err != nil {
		return nil, err
	}
	secretOf := func(s secret.Text) []oauth.ClientSecret {
		return []oauth.ClientSecret{{Hash: oauth.HashClientSecret(s), Created: now}}
	}
	app := oauth.Client{
		ID:             demoApp,
		Created:        now,
		Epoch:          uint64(now), //nolint:gosec // after 1970
		Public:         true,
		Grants:         []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant},
		Scopes:         all,
		DefaultScopes:  read,
		Audiences:      []string{demoAPI},
		AccessLifetime: d.accessLifetime,
	}
	client := app
	client.ID = demoClient
	client.Public = false
	client.Secrets = secretOf(d.clientSecret)
	client.Grants = oauth.GrantTypes()
	api := oauth.Client{
		ID:          demoAPI,
		Created:     now,
		Epoch:       uint64(now), //nolint:gosec // after 1970
		Secrets:     secretOf(d.apiSecret),
		Introspects: []string{demoAPI},
	}
	return []oauth.Client{client, app, api}, nil
}

// seedClients brings the demo's scopes and clients into the store, or up to date
// if they are there. Instances that start together may all do it: whoever loses a
// write reads again, and finds what it was about to write.
func (d demo) seedClients(ctx context.Context, clients oauth.ClientRegistry, now time.Time) error {
	registrations, err := d.registrations(now.Unix())
	if err != nil {
		return err
	}
	for _, c := range registrations {
		if err := c.Validate(); err != nil {
			return invalid("the demo cannot be like that", err)
		}
	}
	if err := untilNoConflict(func() error { return seedScopes(ctx, clients) }); err != nil {
		return fmt.Errorf("add the demo's scopes: %w", err)
	}
	for _, c := range registrations {
		if err := untilNoConflict(func() error { return seedClient(ctx, clients, c) }); err != nil {
			return fmt.Errorf("add %s: %w", c.ID, err)
		}
	}
	return nil
}

// maxConflicts bounds how often one entry is lost to others. Each of them writes
// it once, so it would take that many instances that start together.
const maxConflicts = 100

func untilNoConflict(try func() error) error {
	var err error
	for range maxConflicts {
		if err = try(); !errors.Is(err, oauth.ErrConflict) {
			return err
		}
	}
	return err
}

// seedScopes adds those that are missing, and leaves the others and their roles
// as they are.
func seedScopes(ctx context.Context, clients oauth.ClientRegistry) error {
	registered, err := clients.ResourceScopes(ctx)
	if err != nil {
		return err
	}
	roles := map[string][]string{"read": nil, "write": nil, oauth.DevicesScope: nil}
	maps.Copy(roles, registered.Roles)
	if len(roles) == len(registered.Roles) {
		return nil
	}
	registered.Roles = roles
	return clients.SaveResourceScopes(ctx, registered)
}

// seedClient saves want unless it stands there already. If it stands there with
// another secret, it is from another key ring, whose tokens nobody knows any
// more: the epoch ends them.
func seedClient(ctx context.Context, clients oauth.ClientRegistry, want oauth.Client) error {
	stands, found, err := clients.Client(ctx, want.ID)
	if err != nil {
		return err
	}
	if found {
		now := want.Epoch
		want.Version, want.Created, want.Epoch = stands.Version, stands.Created, stands.Epoch
		if len(want.Secrets) == 1 {
			if len(stands.Secrets) == 1 && stands.Secrets[0].Hash == want.Secrets[0].Hash {
				want.Secrets = stands.Secrets
			} else {
				want.Epoch = max(stands.Epoch+1, now)
			}
		}
		if reflect.DeepEqual(stands, want) {
			return nil
		}
	}
	_, err = clients.SaveClient(ctx, want)
	return err
}

// seedUser does the same with the demo's user. It writes the hash first and
// raises the epoch second, as fob user passwd does.
func (d demo) seedUser(ctx context.Context, s stores, now time.Time) error {
	err := untilNoConflict(func() error {
		u, found, err := s.users.User(ctx, demoUsername)
		if err != nil {
			return err
		}
		if found {
			ok, outdated, err := password.Hasher{}.Verify(d.password, u.PasswordHash)
			if err == nil && ok && !outdated {
				return nil
			}
		} else {
			u = oauth.User{Username: demoUsername, ID: oauth.NewUserID(), Created: now.Unix()}
		}
		if u.PasswordHash, err = (password.Hasher{}).Hash(d.password); err != nil {
			return err
		}
		if u, err = s.users.SaveUser(ctx, u); err != nil || !found {
			return err
		}
		return s.subjects.Raise(ctx, oauth.Subject{Kind: oauth.UserSubject, ID: u.ID}, oauth.StateChange{UserVersion: u.Version})
	})
	if err != nil {
		return fmt.Errorf("add %s: %w", demoUsername, err)
	}
	return nil
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
