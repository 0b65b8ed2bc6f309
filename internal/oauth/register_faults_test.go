package oauth_test

import (
	"errors"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/storetest"
)

// registrarChange is a change of what prepare makes: the client "app" with one
// secret, an issuer, the scope "read", and the user ann, who is signed in.
type registrarChange struct {
	name string
	make func(t *testing.T, r registrars, u oauth.User) error
	done func(now snapshot) bool
}

// snapshot is what is stored.
type snapshot struct {
	client  oauth.Client
	scopes  int
	issuers []oauth.TrustedIssuer
	user    oauth.User
	others  int // users with another name than ann
	state   oauth.SubjectState
	records int // of ann
}

const annPassword, newPassword = "hash of an older one", "hash of a newer one"

var registrarChanges = []registrarChange{
	{"add a client", func(t *testing.T, r registrars, _ oauth.User) error {
		_, err := r.AddClient(t.Context(), publicApp, secret.Text{})
		return err
	}, func(now snapshot) bool { return now.client.ID == "app" && now.client.Epoch > 0 }},
	{"edit a client", func(t *testing.T, r registrars, _ oauth.User) error {
		_, err := r.EditClient(t.Context(), "backend", func(c *oauth.Client) error { c.AccessLifetime = 60; return nil })
		return err
	}, func(now snapshot) bool { return now.client.AccessLifetime == 60 }},
	{"end a client's tokens", func(t *testing.T, r registrars, _ oauth.User) error {
		_, err := r.EndClientTokens(t.Context(), "backend")
		return err
	}, func(now snapshot) bool { return now.client.Epoch > uint64(registrarNow.Unix()) }},
	{"add a secret", func(t *testing.T, r registrars, _ oauth.User) error {
		_, err := r.AddSecret(t.Context(), "backend", secret.New("example-secret-of-two"), false)
		return err
	}, func(now snapshot) bool {
		return now.client.HasSecret(secret.New("example-secret-of-two")) && now.client.HasSecret(secret.New("example-secret-of-one"))
	}},
	{"add a scope", func(t *testing.T, r registrars, _ oauth.User) error {
		return r.AddScope(t.Context(), "write", nil, false)
	}, func(now snapshot) bool { return now.scopes == 2 }},
	{"remove a scope", func(t *testing.T, r registrars, _ oauth.User) error {
		return r.RemoveScope(t.Context(), "read", false)
	}, func(now snapshot) bool { return now.scopes == 0 }},
	{"remove a client", func(t *testing.T, r registrars, _ oauth.User) error {
		return r.RemoveClient(t.Context(), "backend")
	}, func(now snapshot) bool { return now.client.ID == "" }},
	{"add an issuer", func(t *testing.T, r registrars, _ oauth.User) error {
		i := someIssuer()
		i.Name += "/new"
		_, err := r.AddIssuer(t.Context(), i)
		return err
	}, func(now snapshot) bool { return len(now.issuers) == 2 }},
	{"edit an issuer", func(t *testing.T, r registrars, _ oauth.User) error {
		_, err := r.EditIssuer(t.Context(), issuerName, func(i *oauth.TrustedIssuer) error { i.MaxAge = 60; return nil })
		return err
	}, func(now snapshot) bool { return len(now.issuers) == 1 && now.issuers[0].MaxAge == 60 }},
	{"remove an issuer", func(t *testing.T, r registrars, _ oauth.User) error {
		return r.RemoveIssuer(t.Context(), issuerName)
	}, func(now snapshot) bool { return len(now.issuers) == 0 }},
	{"add a user who is disabled", func(t *testing.T, r registrars, _ oauth.User) error {
		_, err := r.AddUser(t.Context(), oauth.NewUser{Username: "bob", Password: secret.New("an older one"), Disabled: true})
		return err
	}, func(now snapshot) bool { return now.others == 1 }},
	{"set a password", func(t *testing.T, r registrars, u oauth.User) error {
		_, err := r.SetPassword(t.Context(), u, secret.New("a newer one"))
		return err
	}, func(now snapshot) bool { return now.user.PasswordHash.Reveal() == newPassword && now.ended() }},
	{"set roles", func(t *testing.T, r registrars, u oauth.User) error {
		_, err := r.ChangeUser(t.Context(), u, oauth.UserChange{Roles: &[]string{"editor"}})
		return err
	}, func(now snapshot) bool { return len(now.user.Roles) == 1 && now.ended() }},
	{"disable a user", func(t *testing.T, r registrars, u oauth.User) error {
		return r.SetUserDisabled(t.Context(), u, true)
	}, func(now snapshot) bool {
		return now.state.Disabled && now.user.Disabled && now.ended() && now.records == 0
	}},
	{"change all of a user", func(t *testing.T, r registrars, u oauth.User) error {
		_, err := r.ChangeUser(t.Context(), u, oauth.UserChange{Password: new(secret.New("a newer one")), Roles: new([]string{"editor"}), Disabled: new(true)})
		return err
	}, func(now snapshot) bool {
		return now.state.Disabled && now.user.Disabled && now.ended() && now.records == 0 &&
			len(now.user.Roles) == 1 && now.user.PasswordHash.Reveal() == newPassword
	}},
	{"add a user without a password", func(t *testing.T, r registrars, _ oauth.User) error {
		_, err := r.AddUser(t.Context(), oauth.NewUser{Username: "bob", WithoutPassword: true})
		return err
	}, func(now snapshot) bool { return now.others == 1 }},
	{"remove a user", func(t *testing.T, r registrars, u oauth.User) error {
		return r.RemoveUser(t.Context(), u)
	}, func(now snapshot) bool { return now.user.ID == "" && now.records == 0 && now.state.Disabled }},
}

// ended: no token that was issued to ann before she was changed is active, and no
// login that read her before gets one.
func (s snapshot) ended() bool { return s.state.Epoch > 0 && s.state.UserVersion == s.user.Version }

func prepare(t *testing.T, s storetest.Stores) oauth.User {
	t.Helper()
	r := newRegistrar(s)
	if err := r.AddScope(t.Context(), "read", nil, false); err != nil {
		t.Fatal(err)
	}
	addClient(t, r, backend, secret.New("example-secret-of-one"))
	addIssuer(t, r, someIssuer())
	u, subject := addUser(t, r, "ann")
	signIn(t, s, subject, 1)
	return u
}

func lookAt(t *testing.T, s storetest.Stores, ann oauth.User) (now snapshot) {
	t.Helper()
	clients, err := s.Clients.ListClients(t.Context())
	scopes, err2 := s.Clients.ResourceScopes(t.Context())
	users, err3 := oauth.AllUsers(t.Context(), s.UserRegistry)
	state, err4 := s.Subjects.State(t.Context(), oauth.SubjectOf(ann.ID))
	issuers, err6 := s.Issuers.ListIssuers(t.Context())
	records, err5 := s.Tokens.List(t.Context(), oauth.SubjectOf(ann.ID), "")
	if err := errors.Join(err, err2, err3, err4, err5, err6); err != nil {
		t.Fatal(err)
	}
	if len(clients) > 0 {
		now.client = clients[0] // app if it is there
	}
	for _, u := range users {
		if u.Username == "ann" {
			now.user = u
		} else {
			now.others++
		}
	}
	now.scopes, now.issuers, now.state, now.records = len(scopes.Roles), issuers, state, len(records)
	return now
}

// Each change with a fault at each of its calls: what the error says is true, and
// the same change again completes it.
func TestRegistrarFaults(t *testing.T) {
	var tests []storeTest
	for _, c := range registrarChanges {
		tests = append(tests, storeTest{c.name, c.underFaults})
	}
	onEveryStore(t, tests)
}

func (c registrarChange) underFaults(t *testing.T, s storetest.Stores) {
	for call := 1; ; call++ {
		for _, how := range []storetest.Fault{storetest.Before, storetest.After} {
			u := prepare(t, s)
			before := lookAt(t, s, u)
			r, faulty := faultyRegistrar(s)
			faulty.Fail(call, how)
			err := c.make(t, r, u)
			now := lookAt(t, s, u)
			failed := faulty.Calls() >= call
			e, typed := errors.AsType[*oauth.ChangeError](err)
			switch {
			case err == nil && !c.done(now):
				t.Errorf("call %d fails %v: no error, and %+v", call, how, now)
			case err != nil && !errors.Is(err, oauth.ErrUnavailable):
				t.Errorf("call %d fails %v: %v", call, how, err)
			case err != nil && !typed && diffSnapshots(before, now) != "":
				t.Errorf("call %d fails %v: %v, and this was changed:\n%s", call, how, err, diffSnapshots(before, now))
			case typed && e.Kind == oauth.HalfDone && now.user.Version == before.user.Version && !now.state.Disabled:
				t.Errorf("call %d fails %v: half done, and nothing is", call, how)
			case typed && e.Kind != oauth.HalfDone && e.Kind != oauth.InDoubt:
				t.Errorf("call %d fails %v: %v", call, how, err)
			case now.user.ID != "" && now.user.Version != before.user.Version && !now.ended() && (!typed || e.Kind == oauth.InDoubt && how == storetest.Before):
				t.Errorf("call %d fails %v: ann changed, her tokens live, and there is no error: %v", call, how, err)
			}
			// Once more. If it was done after all, that is refused.
			faulty.Repair()
			again := c.make(t, r, u)
			refused := oauth.IsChange(again, oauth.EntryExists) || oauth.IsChange(again, oauth.NoSuchEntry) || oauth.IsChange(again, oauth.SecretKnown)
			if now := lookAt(t, s, u); !c.done(now) || again != nil && !refused {
				t.Errorf("call %d failed %v; once more: %v, and %+v", call, how, again, now)
			}
			clean(t, s, u)
			if !failed {
				return // there are fewer calls
			}
		}
	}
}

func diffSnapshots(a, b snapshot) string {
	return diffStored([]any{a.client, a.scopes, a.issuers, a.user, a.others, a.state, a.records}, []any{b.client, b.scopes, b.issuers, b.user, b.others, b.state, b.records})
}

// clean removes everything that a change may have left.
func clean(t *testing.T, s storetest.Stores, ann oauth.User) {
	t.Helper()
	r := newRegistrar(s)
	users, err := oauth.AllUsers(t.Context(), s.UserRegistry)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range append(users, ann) {
		if err := errors.Join(r.RemoveUser(t.Context(), u), r.ForgetUser(t.Context(), u)); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []ledger.ClientID{"app", "backend"} {
		if err := r.RemoveClient(t.Context(), id); err != nil && !oauth.IsChange(err, oauth.NoSuchEntry) {
			t.Fatal(err)
		}
	}
	for _, name := range []string{issuerName, issuerName + "/new"} {
		if err := r.RemoveIssuer(t.Context(), name); err != nil && !oauth.IsChange(err, oauth.NoSuchEntry) {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"read", "write"} {
		if err := r.RemoveScope(t.Context(), name, true); err != nil && !oauth.IsChange(err, oauth.NoSuchEntry) {
			t.Fatal(err)
		}
	}
}
