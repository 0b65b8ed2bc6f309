package oauth_test

import (
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

func TestUserValidate(t *testing.T) {
	good := oauth.User{Username: "älice smith", ID: oauth.NewUserID(), PasswordHash: secret.New("h"), Roles: []string{"boss"}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for what, edit := range map[string]func(*oauth.User){
		"no name":          func(u *oauth.User) { u.Username = "" },
		"long name":        func(u *oauth.User) { u.Username = strings.Repeat("x", 257) },
		"newline in name":  func(u *oauth.User) { u.Username = "a\nb" },
		"not UTF-8":        func(u *oauth.User) { u.Username = "\xff" },
		"byte order mark":  func(u *oauth.User) { u.Username = "\ufeffzoe" },
		"space behind":     func(u *oauth.User) { u.Username = "max " },
		"spaces alone":     func(u *oauth.User) { u.Username = "  " },
		"no-break space":   func(u *oauth.User) { u.Username = "a\u00a0b" },
		"zero-width":       func(u *oauth.User) { u.Username = "a\u200bb" },
		"right to left":    func(u *oauth.User) { u.Username = "a\u202eb" },
		"soft hyphen":      func(u *oauth.User) { u.Username = "a\u00adb" },
		"lost character":   func(u *oauth.User) { u.Username = "a\ufffdb" },
		"Hangul filler":    func(u *oauth.User) { u.Username = "\u3164" },
		"Hangul choseong":  func(u *oauth.User) { u.Username = "a\u115fb" },
		"half-width":       func(u *oauth.User) { u.Username = "a\uffa0b" },
		"joiner":           func(u *oauth.User) { u.Username = "a\u034fb" },
		"variant":          func(u *oauth.User) { u.Username = "a\ufe0f" },
		"further variant":  func(u *oauth.User) { u.Username = "a\U000e0101" },
		"blank in Braille": func(u *oauth.User) { u.Username = "\u2800" },
		"no id":            func(u *oauth.User) { u.ID = "" },
		"id of a client":   func(u *oauth.User) { u.ID = "backend" },
		"reserved role":    func(u *oauth.User) { u.Roles = []string{"device_x"} },
		"empty role":       func(u *oauth.User) { u.Roles = []string{""} },
		"many roles":       func(u *oauth.User) { u.Roles = make([]string, 101) },
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
