package oauth_test

import (
	"errors"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/storetest"
)

func TestRegistrarClients(t *testing.T) {
	onEveryStore(t, []storeTest{
		{"a client that is added again has a higher epoch than before", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			first := addClient(t, r, publicApp, secret.Text{})
			if now := registrarNow.Unix(); first.Created != now || first.Epoch != uint64(now) {
				t.Errorf("created %d and epoch %d at %d", first.Created, first.Epoch, now)
			}
			_, err := r.AddClient(t.Context(), publicApp, secret.Text{})
			wantChange(t, "add it twice", err, oauth.EntryExists)
			if err := r.RemoveClient(t.Context(), "app"); err != nil {
				t.Fatal(err)
			}
			wantChange(t, "remove it twice", r.RemoveClient(t.Context(), "app"), oauth.NoSuchEntry)
			r.Registrar.Now = func() time.Time { return registrarNow.Add(time.Second) }
			if again := addClient(t, r, publicApp, secret.Text{}); again.Epoch <= first.Epoch {
				t.Errorf("epoch %d after %d", again.Epoch, first.Epoch)
			}
		}},
		{"ending a client's tokens raises the epoch to the time at least", func(t *testing.T, s storetest.Stores) {
			r, now := newRegistrar(s), uint64(registrarNow.Unix())
			for _, before := range []uint64{0, 7, now - 1, now, now + 7} {
				c := publicApp
				c.Epoch, c.LongestLife = before, 7
				_, err := s.Clients.RemoveClient(t.Context(), c.ID)
				_, err2 := s.Clients.SaveClient(t.Context(), c)
				if err := errors.Join(err, err2); err != nil {
					t.Fatal(err)
				}
				saved, err := r.EndClientTokens(t.Context(), c.ID)
				if c := wantClientNow(t, r, saved, err); c.Epoch != max(before+1, now) || c.LongestLife != 0 {
					t.Errorf("epoch %d after %d, longest life %d", c.Epoch, before, c.LongestLife)
				}
			}
			_, err := r.EndClientTokens(t.Context(), "nobody")
			wantChange(t, "end tokens of nobody", err, oauth.NoSuchEntry)
		}},
		{"a client remembers that its tokens lived longer", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			addClient(t, r, publicApp, secret.Text{})
			for _, step := range []struct{ absolute, longest int64 }{
				{0, 0}, {3600 * 24, oauth.DefaultRefreshAbsolute}, {3600 * 25, oauth.DefaultRefreshAbsolute},
				{366 * 24 * 3600, oauth.DefaultRefreshAbsolute}, {3600 * 24, 366 * 24 * 3600},
			} {
				saved, err := r.EditClient(t.Context(), "app", func(c *oauth.Client) error {
					c.RefreshAbsolute, c.RefreshIdle = step.absolute, 3600
					return nil
				})
				if c := wantClientNow(t, r, saved, err); c.LongestLife != step.longest {
					t.Errorf("refresh tokens of %d s: longest life %d, want %d", step.absolute, c.LongestLife, step.longest)
				}
			}
		}},
		{"a client that is disabled and enabled is the same", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			before := addClient(t, r, publicApp, secret.Text{})
			for _, disabled := range []bool{true, true, false} {
				saved, err := r.SetClientDisabled(t.Context(), "app", disabled)
				if c := wantClientNow(t, r, saved, err); c.Disabled != disabled || c.Epoch != before.Epoch {
					t.Errorf("disabled %v, epoch %d", c.Disabled, c.Epoch)
				}
			}
		}},
		{"what is wrong with a client is refused", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			addClient(t, r, publicApp, secret.Text{})
			bad := backend
			bad.Grants, bad.Scopes, bad.AccessLifetime = nil, oauthtest.Scopes(t, "admin root"), -1
			_, err := r.AddClient(t.Context(), bad, secret.New("é"))
			wantChange(t, "add it", err, oauth.InvalidEntry)
			missing, _ := errors.AsType[*oauth.MissingScopeError](err)
			if !errors.Is(err, oauth.ErrNoUse) || missing == nil || missing.Scope != "admin" {
				t.Errorf("not all faults: %v", err)
			}
			own := errors.New("a fault of the caller's")
			_, err = r.EditClient(t.Context(), "app", func(c *oauth.Client) error {
				c.Grants, c.Scopes, c.Introspects = nil, oauthtest.Scopes(t, "root"), []string{" "}
				return own
			})
			wantChange(t, "edit it", err, oauth.InvalidEntry)
			missing, _ = errors.AsType[*oauth.MissingScopeError](err)
			if !errors.Is(err, own) || !errors.Is(err, oauth.ErrNoUse) && missing == nil {
				t.Errorf("not all faults: %v", err)
			}
			if c, err := r.Client(t.Context(), "app"); err != nil || len(c.Grants) != 1 {
				t.Errorf("it is %+v, %v", c, err)
			}
		}},
		{"a change that lost to another one is made on top of it", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			addClient(t, r, publicApp, secret.Text{})
			r.Clients = &rival{ClientRegistry: s.Clients, rounds: 3}
			saved, err := r.EditClient(t.Context(), "app", func(c *oauth.Client) error { c.AccessLifetime = 60; return nil })
			if c := wantClientNow(t, r, saved, err); c.AccessLifetime != 60 || c.MaxAuthorizations != 3 {
				t.Errorf("not both changes: %+v", c)
			}
			r.Clients = &rival{ClientRegistry: s.Clients, rounds: 1 << 30}
			if _, err := r.SetClientDisabled(t.Context(), "app", true); !errors.Is(err, oauth.ErrConflict) {
				t.Errorf("against a rival who never ends: %v", err)
			}
		}},
		{"a secret is the second, then the only one", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			one, two, three := secret.New("example-secret-of-one"), secret.New("example-secret-of-two"), secret.New("example-secret-of-three")
			addClient(t, r, backend, one)
			want := func(c oauth.Client, err error, has ...secret.Text) {
				t.Helper()
				c = wantClientNow(t, r, c, err)
				for i, s := range has {
					if len(c.Secrets) != len(has) || c.Secrets[i].Hash != oauth.HashClientSecret(s) {
						t.Fatalf("%d secrets, want %d; or number %d is another", len(c.Secrets), len(has), i)
					}
				}
			}
			refused := func(kind oauth.ChangeKind, _ oauth.Client, err error) {
				t.Helper()
				wantChange(t, "secret", err, kind)
			}
			add := func(s secret.Text, alone bool) (oauth.Client, error) {
				return r.AddSecret(t.Context(), "backend", s, alone)
			}
			drop := func(newer bool) (oauth.Client, error) { return r.DropSecret(t.Context(), "backend", newer) }

			c, err := drop(false)
			refused(oauth.OneSecret, c, err)
			c, err = add(one, true)
			refused(oauth.SecretKnown, c, err)
			c, err = add(two, false)
			want(c, err, one, two)
			c, err = add(three, false)
			refused(oauth.TwoSecrets, c, err)
			c, err = r.Client(t.Context(), "backend")
			wantChange(t, "before it is asked for", errors.Join(err, c.MayAddSecret(false)), oauth.TwoSecrets)
			c, err = drop(true)
			want(c, err, one)
			c, err = add(two, false)
			want(c, err, one, two)
			c, err = drop(false)
			want(c, err, two)
			c, err = add(one, false)
			want(c, err, two, one)
			c, err = add(three, true)
			want(c, err, three)
			c, err = add(secret.New("example-secret-of\tone"), true)
			refused(oauth.InvalidEntry, c, err)
			c, err = add(secret.New("example-secret-long"), true)
			refused(oauth.InvalidEntry, c, err)
			other := backend
			other.ID = "other"
			_, err = r.AddClient(t.Context(), other, secret.New("example-secret-long"))
			wantChange(t, "a client with a short secret", err, oauth.InvalidEntry)
			c, err = add(secret.New("example-secret-longr"), true)
			want(c, err, secret.New("example-secret-longr"))

			addClient(t, r, publicApp, secret.Text{})
			_, err = r.AddSecret(t.Context(), "app", one, true)
			wantChange(t, "secret of a public client", err, oauth.SecretOfPublic)
			_, err = r.DropSecret(t.Context(), "app", true)
			wantChange(t, "drop one of a public client", err, oauth.SecretOfPublic)
		}},
	})
}

func TestRegistrarScopes(t *testing.T) {
	onEveryStore(t, []storeTest{
		{"a scope that a client is registered for stays", func(t *testing.T, s storetest.Stores) {
			r := newRegistrar(s)
			for name, roles := range map[string][]string{"read": nil, "write": {"editor"}} {
				if err := r.AddScope(t.Context(), name, roles, false); err != nil {
					t.Fatal(err)
				}
			}
			wantChange(t, "add it twice", r.AddScope(t.Context(), "read", nil, false), oauth.EntryExists)
			wantChange(t, "add a device", r.AddScope(t.Context(), "device_x", nil, false), oauth.InvalidEntry)
			c := publicApp
			c.Scopes = oauthtest.Scopes(t, "write")
			addClient(t, r, c, secret.Text{})
			err := r.RemoveScope(t.Context(), "write", false)
			wantChange(t, "remove it", err, oauth.ScopeInUse)
			if e, _ := errors.AsType[*oauth.ChangeError](err); e == nil || len(e.UsedBy) != 1 || e.UsedBy[0] != "app" {
				t.Errorf("in use by %+v", e)
			}
			if err := errors.Join(r.AddScope(t.Context(), "write", nil, true), r.RemoveScope(t.Context(), "read", false)); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Clients.ResourceScopes(t.Context()); err != nil || len(got.Roles) != 1 || len(got.Roles["write"]) != 0 {
				t.Errorf("%v, %v", got.Roles, err)
			}
			if err := r.RemoveScope(t.Context(), "write", true); err != nil {
				t.Fatal(err)
			}
			wantChange(t, "remove it twice", r.RemoveScope(t.Context(), "write", true), oauth.NoSuchEntry)
			// A client that has a scope which is gone can still be edited in all else.
			_, err = r.EditClient(t.Context(), "app", func(c *oauth.Client) error { c.AccessLifetime = 60; return nil })
			if err != nil {
				t.Error(err)
			}
		}},
	})
}
