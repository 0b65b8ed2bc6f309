package oauth_test

import (
	"context"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/storetest"
)

// In whatever order the calls of an event and of a request come, nothing is left of a sign-in
// from before the event, and its ID token signs nobody in.
func TestNoOrderOfEventAndRequestLeavesASignIn(t *testing.T) {
	for name, form := range map[string]func(idToken string, before ledger.Answer) oauth.Form{
		"exchange": func(idToken string, _ ledger.Answer) oauth.Form {
			return formOf(exchangeForm(idToken, "read device_phone"))
		},
		"exchange on another device": func(idToken string, _ ledger.Answer) oauth.Form {
			return formOf(exchangeForm(idToken, "read device_tablet"))
		},
		"refresh": func(_ string, before ledger.Answer) oauth.Form {
			return oauth.Form{"grant_type": "refresh_token", "refresh_token": before.RefreshToken.Reveal()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachOrder(t, func(*world) ([2]func(func(context.Context) error), func(uint)) {
				w := newEventWorld(t)
				idToken, before := w.idToken(cognito, "ann", 0), w.signIn(cognito, "ann", "phone")
				w.advance(5)
				event := w.event(cognito, risc+"account-disabled", issSub(cognito, "ann"))
				requests, _ := w.interrupted()
				events := storetest.NewFaulty(storetest.Stores{Tokens: w.tokens, Subjects: w.tokens})
				w.receiver.Subjects = events
				var got ledger.Answer
				var failed error
				return [2]func(func(context.Context) error){
						func(call func(context.Context) error) {
							requests.Intercept(call)
							got, _ = w.issuer.Token(t.Context(), oauth.TokenRequest{Credentials: oauthtest.Credentials("app"), Form: form(idToken, before)})
						},
						func(call func(context.Context) error) {
							events.Intercept(call)
							failed = w.receiver.Receive(t.Context(), secret.New(event))
						},
					}, func(order uint) {
						requests.Intercept(nil)
						w.must(failed)
						for _, token := range []bearer.Bearer{got.AccessToken, before.AccessToken} {
							if token.Len() > 0 {
								w.wantActive("api", token, false)
							}
						}
						for _, token := range []bearer.Bearer{got.RefreshToken, before.RefreshToken} {
							if _, err := w.refresh("app", token); err == nil {
								t.Errorf("order %b: a refresh token serves", order)
							}
						}
						if _, err := w.token("app", exchangeForm(idToken, "read device_phone")...); err == nil {
							t.Errorf("order %b: an ID token from before the event signs in", order)
						}
					}
			})
		})
	}
}
