package laptop_test

import (
	"net/http"
	"testing"

	"github.com/fob-oauth/fob/internal/laptop"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/wire"
)

// Back ends hear that a password which would not log in is not changed.
func TestOwnUsersMode(t *testing.T) {
	for mode, want := range map[oauth.OwnUsersMode]int{oauth.NeverAsked: 200, oauth.AskedAtEach: 400, oauth.AskedUntilFirst: 200} {
		id := oauth.OwnUserID("17")
		w := newWorldWith(t, func(s *laptop.Stores) {
			s.OwnUsersMode = mode
			if _, err := s.People.SaveUser(t.Context(), oauth.User{Username: "ann", ID: id, Origin: oauth.UserKept}); err != nil {
				t.Fatal(err)
			}
		})
		change := request{method: http.MethodPatch, path: wire.UsersPath + "/" + id, form: `{"password":"blue lamp on a desk"}`}
		if a := w.do(t, change.with("Content-Type", "application/json").as(w.backEnd(t, "users"))); a.Code != want {
			t.Errorf("mode %d: %d, want %d: %s", mode, a.Code, want, a.Body)
		}
	}
}
