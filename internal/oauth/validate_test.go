package oauth_test

import (
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

// Every fault of a registration is reported at once.
func TestClientValidate(t *testing.T) {
	c := oauth.Client{
		ID: "u_x", Public: true, Secrets: secretOf("x"), Grants: []oauth.GrantType{"client_credentials", "implicit"},
		Scopes: scopes(t, "a"), DefaultScopes: scopes(t, "a b"), Introspects: []string{"x y"},
		AccessLifetime: -1, RefreshIdle: 1 << 40, RefreshAbsolute: -5, MaxAuthorizations: 1 << 20,
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"u_", "no secret", `"implicit"`, "client_credentials", `"b"`, "introspect", "audience", "lifetime", "idle", "live authorizations"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s in:\n%v", want, err)
		}
	}
	// Idle while its user still works with an access token.
	for idle, ok := range map[int64]bool{3600: true, 3599: false} {
		c := oauth.Client{ID: "c", Public: true, AccessLifetime: 3600, RefreshIdle: idle}
		if err := c.Validate(); (err == nil) != ok {
			t.Errorf("idle time of %d s with access tokens of an hour: %v", idle, err)
		}
	}
	for _, n := range []int{0, 3} {
		c := oauth.Client{ID: "c", Secrets: make([]oauth.ClientSecret, n)}
		if err := c.Validate(); err == nil {
			t.Errorf("a confidential client with %d secrets was accepted", n)
		}
	}
}

func TestUserValidate(t *testing.T) {
	good := oauth.User{Username: "älice smith", ID: oauth.NewUserID(), PasswordHash: secret.New("h"), Roles: []string{"boss"}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for what, edit := range map[string]func(*oauth.User){
		"no name":         func(u *oauth.User) { u.Username = "" },
		"long name":       func(u *oauth.User) { u.Username = strings.Repeat("x", 257) },
		"newline in name": func(u *oauth.User) { u.Username = "a\nb" },
		"not UTF-8":       func(u *oauth.User) { u.Username = "\xff" },
		"no id":           func(u *oauth.User) { u.ID = "" },
		"id of a client":  func(u *oauth.User) { u.ID = "backend" },
		"no password":     func(u *oauth.User) { u.PasswordHash = secret.Text{} },
		"reserved role":   func(u *oauth.User) { u.Roles = []string{"device_x"} },
		"empty role":      func(u *oauth.User) { u.Roles = []string{""} },
		"many roles":      func(u *oauth.User) { u.Roles = make([]string, 101) },
	} {
		u := good
		edit(&u)
		if err := u.Validate(); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	if a, b := oauth.NewUserID(), oauth.NewUserID(); a == b {
		t.Error("two users have one id")
	}
	for p, ok := range map[string]bool{"": false, "x": true, "pä%&=:": true, "a\x00b": false, "\xff": false, strings.Repeat("x", 1025): false} {
		if err := oauth.ValidatePassword(secret.New(p)); (err == nil) != ok {
			t.Errorf("password %q: %v", p, err)
		}
	}
}
