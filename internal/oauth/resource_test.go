package oauth_test

import (
	"slices"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
)

// RFC 8707: a login may name one of the client's audiences, and gets a token of its own
// for it.
func TestResource(t *testing.T) {
	const orders, mail = "https://orders.example.com", "https://mail.example.com"
	w := newWorld(t)
	w.editClient("backend", func(c *oauth.Client) { c.Audiences = []string{orders, mail} })
	w.saveClient(oauth.Client{ID: "api-of-both", Introspects: []string{orders, mail}})
	ask := func(resource string) (oauth.Introspection, string) {
		t.Helper()
		answer, err := w.token("backend", w.passwordForm("alice", "read device_a", "resource", resource)...)
		w.must(err)
		return w.introspect("api-of-both", answer.AccessToken), answer.AccessToken.Reveal()
	}

	both, first := ask("")
	if want := []string{mail, orders}; !slices.Equal(both.Audiences, want) {
		t.Errorf("without a resource for %q, want %q", both.Audiences, want)
	}
	one, second := ask(orders)
	if want := []string{orders}; !slices.Equal(one.Audiences, want) || second == first {
		t.Errorf("for %q, want %q; another token: %v", one.Audiences, want, second != first)
	}
	if _, again := ask(orders); again != second {
		t.Error("the same resource gives another token")
	}

	for _, form := range [][]string{
		w.passwordForm("alice", "read", "resource", "https://elsewhere.example.com"),
		w.passwordForm("alice", "read", "resource", orders+"/"),
		{"grant_type", "client_credentials", "resource", "https://elsewhere.example.com"},
	} {
		_, err := w.token("backend", form...)
		wantCode(t, err, oauth.InvalidTarget)
	}
	// A disabled user's password cannot be confirmed by a bad resource.
	yes := true
	w.must(w.tokens.Raise(t.Context(), w.userSubject("bob"), oauth.StateChange{Disabled: &yes}))
	_, err := w.token("backend", w.passwordForm("bob", "read", "resource", "https://elsewhere.example.com")...)
	wantCode(t, err, oauth.InvalidGrant)
}

// A refresh may repeat the resource of the login, and name no other.
func TestRefreshWithResource(t *testing.T) {
	const orders, mail = "https://orders.example.com", "https://mail.example.com"
	w := newWorld(t)
	w.editClient("backend", func(c *oauth.Client) { c.Audiences = []string{orders, mail} })
	narrow, err := w.token("backend", w.passwordForm("alice", "read device_a", "resource", orders)...)
	w.must(err)
	wide := w.login("backend", "alice", "read device_a")

	for _, resource := range []string{"", orders} {
		again, err := w.refresh("backend", narrow.RefreshToken, "resource", resource)
		w.must(err)
		if !same(again.AccessToken, narrow.AccessToken) {
			t.Errorf("resource %q: another token", resource)
		}
	}
	_, err = w.refresh("backend", narrow.RefreshToken, "resource", mail)
	wantCode(t, err, oauth.InvalidTarget)
	_, err = w.refresh("backend", wide.RefreshToken, "resource", orders)
	wantCode(t, err, oauth.InvalidTarget)
}

// RFC 8693 §2.1: an exchange may name the target as an audience, which need not be a URI. A
// name that was ignored would get a token for all audiences of the client.
func TestExchangeForAnAudience(t *testing.T) {
	w, _ := newAssertionWorld(t)
	w.editClient("backend", func(c *oauth.Client) { c.Audiences = []string{"orders", "mail"} })
	w.saveClient(oauth.Client{ID: "api-of-both", Introspects: []string{"orders", "mail"}})
	ann := `{"iss":"` + cognito + `","sub":"ann"}`
	byResource, err := w.token("backend", exchangeForm(ann, "read device_a", "resource", "orders")...)
	w.must(err)
	for what, target := range map[string][]string{
		"audience": {"audience", "orders"},
		"both":     {"audience", "orders", "resource", "orders"},
	} {
		answer, err := w.token("backend", exchangeForm(ann, "read device_a", target...)...)
		w.must(err)
		if got := w.introspect("api-of-both", answer.AccessToken).Audiences; !slices.Equal(got, []string{"orders"}) || !same(answer.AccessToken, byResource.AccessToken) {
			t.Errorf("%s: a token for %q", what, got)
		}
	}
	for _, target := range [][]string{{"audience", "elsewhere"}, {"audience", "mail", "resource", "orders"}} {
		_, err := w.token("backend", exchangeForm(ann, "read device_a", target...)...)
		wantCode(t, err, oauth.InvalidTarget)
	}
	// Other grants have no such parameter.
	answer, err := w.token("backend", w.passwordForm("alice", "read device_a", "audience", "elsewhere")...)
	w.must(err)
	if got := w.introspect("api-of-both", answer.AccessToken).Audiences; len(got) != 2 {
		t.Errorf("a password with an audience: a token for %q", got)
	}
}
