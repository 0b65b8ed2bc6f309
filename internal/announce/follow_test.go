package announce_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fob-oauth/fob/internal/announce"
	"github.com/fob-oauth/fob/internal/announce/announcetest"
	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
)

// stores are those of one backend.
type stores struct {
	tokens interface {
		oauth.Tokens
		oauth.Subjects
		oauth.TokenRegistry
	}
	clients oauth.ClientRegistry
	users   interface {
		oauth.Users
		oauth.UserRegistry
	}
}

// TestFollow: what people do is announced, by the stream of a table as by the memory
// store, and nothing else is.
func TestFollow(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		s := stores{memory.NewTokens(), memory.NewClients(), memory.NewUsers()}
		var writes []oauth.Write
		s.tokens.(*memory.Tokens).Follow(func(w oauth.Write) { writes = append(writes, w) })
		want := act(t, s)
		check(t, want, writes)
	})
	for name, engine := range map[string]func(testing.TB) string{"dynoxide": dynamotest.Engine, "local": dynamotest.Local} {
		t.Run(name, func(t *testing.T) {
			f := dynamotest.New(t, engine(t))
			records := f.Follow(t)
			want := act(t, stores{f.Tokens, f.Clients, f.Users})
			var all []oauth.Write
			// The last thing that happens is the only sign-in of the last client.
			isLast := func(w oauth.Write) bool { return w.Made != nil && w.Made.Authorization.Client == "last" }
			for deadline := time.Now().Add(time.Minute); !slices.ContainsFunc(all, isLast) && time.Now().Before(deadline); {
				all = writesOf(t, records())
			}
			check(t, want, all)
			for i, again := range writesOf(t, records()) {
				if again.ID != all[i].ID {
					t.Errorf("the write %s is %s when it comes again", all[i].ID, again.ID)
				}
			}
		})
	}
}

func writesOf(t *testing.T, records []dynamo.StreamRecord) (all []oauth.Write) {
	t.Helper()
	for _, r := range records {
		w, err := r.Write()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, w)
	}
	return all
}

// check holds the events of writes to those that are wanted. The order of a user's is
// that of the writes.
func check(t *testing.T, want []announce.Event, writes []oauth.Write) {
	t.Helper()
	var got []announce.Event
	ids := map[string]bool{}
	for _, w := range writes {
		all := announce.Of(w)
		announcetest.Valid(t, all...)
		for _, e := range all {
			if ids[e.ID] {
				t.Errorf("two events have the id %s", e.ID)
			}
			ids[e.ID] = true
		}
		got = append(got, all...)
	}
	byUser := func(all []announce.Event) map[string][]announce.Event { // shards have no order
		of := map[string][]announce.Event{}
		for _, e := range all {
			of[e.User] = append(of[e.User], e)
		}
		return of
	}
	if diff := cmp.Diff(byUser(want), byUser(got), cmpopts.IgnoreFields(announce.Event{}, "ID", "Time")); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// act is what some people do, and what should be heard of it.
func act(t *testing.T, s stores) (heard []announce.Event) {
	var clock oauthtest.Clock
	clock.Store(now)
	ring := oauthtest.Ring(t, "announce")
	passwords := new(oauthtest.Passwords)
	clients := oauth.NewClientCache(s.clients, clock.Now)
	issuer := &oauth.Issuer{
		Tokens: s.tokens, Clients: clients, Users: s.users, Passwords: passwords,
		Keys: oauthtest.Keys[*bearer.MintRing]{Always: ring}, Now: clock.Now,
	}
	verifier := &oauth.Verifier{Tokens: s.tokens, Clients: clients, Keys: oauthtest.Keys[*bearer.CheckRing]{Always: ring.CheckRing}, Now: clock.Now}
	signIns := verifier.SignIns(s.tokens)
	registrar := &oauth.UserRegistrar{Users: s.users, Subjects: s.tokens, Tokens: s.tokens, Registry: s.tokens, Passwords: passwords, Now: clock.Now}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	must(s.clients.SaveResourceScopes(ctx, oauth.ResourceScopes{Roles: map[string][]string{"read": nil}}))
	read := oauthtest.Scopes(t, "read")
	for _, id := range []ledger.ClientID{"app", "last"} {
		oauthtest.SaveClient(t, s.clients, oauth.Client{
			ID: id, Public: true, Grants: []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant}, Scopes: read, DefaultScopes: read, MaxAuthorizations: 3,
		}, now)
	}
	oauthtest.SaveClient(t, s.clients, oauth.Client{ID: "robot", Grants: []oauth.GrantType{oauth.ClientCredentialsGrant}, Scopes: read, DefaultScopes: read}, now)
	addBob := func() oauth.User {
		return oauthtest.SaveUser(t, s.users, oauth.User{Username: "bob", ID: oauth.NewUserID(), Created: now}, oauthtest.Password("bob"))
	}
	bob := addBob()
	token := func(client ledger.ClientID, form oauth.Form) (ledger.Answer, error) {
		return issuer.Token(oauth.WithEvent(ctx, new(oauth.Event)), oauth.TokenRequest{Credentials: credentials(client), Form: form, Source: "192.0.2.1"})
	}
	login := func(client ledger.ClientID, device string) ledger.Answer {
		t.Helper()
		a, err := token(client, oauth.Form{"grant_type": "password", "username": "bob", "password": oauthtest.Password("bob"), "scope": "read device_" + device})
		must(err)
		return a
	}
	who := ledger.Subject{Kind: ledger.UserSubject, ID: bob.ID}
	hear := func(e announce.Event, device string) {
		if e.User = bob.ID; device != "" {
			e.Client, e.Handle = "app", oauth.HandleOf(who, scope.Device(device))
		}
		heard = append(heard, e)
	}
	type event = announce.Event

	login("app", "phone")
	hear(event{Type: announce.NewDevice}, "phone")
	_, err := token("robot", oauth.Form{"grant_type": "client_credentials"})
	must(err)
	login("app", "phone") // the same token
	clock.Add(oauth.DefaultAccessLifetime - 10)
	phone := login("app", "phone") // the next one, in a record that is there
	login("app", "tablet")
	hear(event{Type: announce.NewDevice}, "tablet")
	must(verifier.Revoke(ctx, credentials("app"), phone.AccessToken))
	hear(event{Type: announce.SignedOut, Reason: announce.Ended}, "phone")

	stolen := login("app", "phone")
	hear(event{Type: announce.NewDevice}, "phone")
	_, err = token("app", oauth.Form{"grant_type": "refresh_token", "refresh_token": stolen.RefreshToken.Reveal()})
	must(err)
	clock.Add(oauth.DefaultRefreshGrace + 1)
	if _, err = token("app", oauth.Form{"grant_type": "refresh_token", "refresh_token": stolen.RefreshToken.Reveal()}); err == nil {
		t.Fatal("a replay passes")
	}
	hear(event{Type: announce.RefreshTokenReplayed}, "phone")
	hear(event{Type: announce.SignedOut, Reason: announce.Replayed}, "phone")

	clock.Add(1)
	login("app", "one")
	hear(event{Type: announce.NewDevice}, "one")
	login("app", "two")
	hear(event{Type: announce.NewDevice}, "two")
	login("app", "three") // the app may have three
	hear(event{Type: announce.SignedOut, Reason: announce.Ended}, "tablet")
	hear(event{Type: announce.NewDevice}, "three")
	for _, device := range []scope.Device{"one", "three"} {
		_, err = signIns.EndDevice(ctx, who, oauth.HandleOf(who, device), bearer.Locator{})
		must(err)
		hear(event{Type: announce.SignedOut, Reason: announce.Ended}, string(device))
	}

	must(signIns.SignOut(ctx, who))
	hear(event{Type: announce.SignedOut, Reason: announce.Asked}, "")
	login("app", "two") // known, and its record is there
	password := secret.New(oauthtest.Password("bob"))
	_, err = registrar.ChangeUser(ctx, bob, oauth.UserChange{Password: &password, Roles: new([]string)})
	must(err)
	hear(event{Type: announce.PasswordChanged}, "")
	hear(event{Type: announce.RolesChanged}, "")
	hear(event{Type: announce.SignedOut, Reason: "roles"}, "")
	login("app", "two")
	must(registrar.SetUserDisabled(ctx, bob, true))
	hear(event{Type: announce.UserDisabled}, "")
	hear(event{Type: announce.SignedOut, Reason: "disabled"}, "")
	// It is deleted as well, and the record does not show that it was dead.
	hear(event{Type: announce.SignedOut, Reason: announce.Ended}, "two")
	must(registrar.SetUserDisabled(ctx, bob, true))
	must(registrar.SetUserDisabled(ctx, bob, false))
	hear(event{Type: announce.UserEnabled}, "")
	login("app", "two")
	hear(event{Type: announce.NewDevice}, "two")
	must(registrar.RemoveUser(ctx, bob))
	hear(event{Type: announce.UserRemoved}, "")
	hear(event{Type: announce.SignedOut, Reason: "removed"}, "")
	hear(event{Type: announce.SignedOut, Reason: announce.Ended}, "two")
	must(registrar.ForgetUser(ctx, bob))

	bob = addBob()
	who.ID = bob.ID
	login("last", "x")
	heard = append(heard, event{Type: announce.NewDevice, User: bob.ID, Client: "last", Handle: oauth.HandleOf(who, "x")})
	return heard
}

func credentials(client ledger.ClientID) oauth.Credentials {
	if client == "robot" {
		return oauth.Credentials{ID: client, Secret: secret.New(oauthtest.Secret(client))}
	}
	return oauth.Credentials{ID: client}
}
