package oauth_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

const (
	exchange  = string(oauth.TokenExchangeGrant)
	jwtBearer = string(oauth.JWTBearerGrant)
	idToken   = "urn:ietf:params:oauth:token-type:id_token"
	cognito   = "https://cognito.example.com/pool"
	backEnd   = "https://login.example.com"
)

// newAssertionWorld has two issuers: one of its own users, and a back end that names
// users of fob.
func newAssertionWorld(t *testing.T) (*world, *oauthtest.Assertions) {
	w, p := newWorld(t), new(oauthtest.Assertions)
	issuers := memory.NewIssuers()
	for _, i := range []oauth.TrustedIssuer{
		{Signer: oauth.Signer{Name: cognito, Audiences: []string{"shop", "partner"}}, UsernameClaim: "email", RolesClaim: "groups"},
		{Signer: oauth.Signer{Name: backEnd, Audiences: []string{"fob"}}, Subjects: oauth.NamedSubjects},
	} {
		_, err := issuers.SaveIssuer(t.Context(), i)
		w.must(err)
	}
	w.issuer.Issuers, w.issuer.Assertions = oauth.NewIssuerCache(issuers, w.clock.Now), p
	for _, id := range []ledger.ClientID{"backend", "app"} {
		w.editClient(id, func(c *oauth.Client) {
			c.Grants = append(c.Grants, oauth.TokenExchangeGrant, oauth.JWTBearerGrant)
		})
	}
	return w, p
}

func exchangeForm(token, scope string, more ...string) []string {
	return append([]string{"grant_type", exchange, "subject_token", token, "subject_token_type", idToken, "scope", scope}, more...)
}

// The promise holds for a login that another issuer proves.
func TestExchangePromise(t *testing.T) {
	w, _ := newAssertionWorld(t)
	ann := `{"iss":"` + cognito + `","sub":"ann"}`
	login := func(token, scope string) ledger.Answer {
		t.Helper()
		a, err := w.token("app", exchangeForm(token, scope)...)
		w.must(err)
		return a
	}
	phone, tablet := login(ann, "read device_phone"), login(ann, "read device_tablet")
	if !same(login(ann, "read device_phone").AccessToken, phone.AccessToken) {
		t.Error("asked twice, another token")
	}
	if same(tablet.AccessToken, phone.AccessToken) {
		t.Error("two devices share a token")
	}
	if phone.RefreshToken.Len() == 0 {
		t.Error("no refresh token for an app with a device")
	}
	if again, err := w.refresh("app", phone.RefreshToken); err != nil || !same(again.AccessToken, phone.AccessToken) {
		t.Errorf("refresh: %v", err)
	}
	// The same user by an assertion: the same token.
	byAssertion, err := w.token("app", "grant_type", jwtBearer, "assertion", ann, "scope", "read device_tablet")
	w.must(err)
	if !same(byAssertion.AccessToken, tablet.AccessToken) {
		t.Error("an assertion of the same user gets another token")
	}
	w.must(w.revoke("app", tablet.AccessToken))
	w.wantActive("api", tablet.AccessToken, false)
	w.wantActive("api", phone.AccessToken, true)
}

// A subject is issuer and sub, and nothing else: not an address, and not a user of fob
// who is called so.
func TestExchangedSubjects(t *testing.T) {
	w, _ := newAssertionWorld(t)
	look := func(token string) oauth.Introspection {
		t.Helper()
		a, err := w.token("backend", exchangeForm(token, "read device_a")...)
		w.must(err)
		return w.introspect("api", a.AccessToken)
	}
	ann := look(`{"iss":"` + cognito + `","sub":"alice","email":"ann@example.com","email_verified":true}`)
	if ann.Subject.ID != oauth.HashedUserID(cognito, "alice") || ann.Username != "ann@example.com" {
		t.Errorf("subject %+v, username %q", ann.Subject, ann.Username)
	}
	if strings.Contains(ann.Subject.ID, "alice") || ann.Subject == w.userSubject("alice") {
		t.Errorf("the subject is %s", ann.Subject.ID)
	}
	unverified := look(`{"iss":"` + cognito + `","sub":"alice","email":"ann@example.com","email_verified":false}`)
	if unverified.Subject != ann.Subject || unverified.Username != "" {
		t.Errorf("an address that nobody verified: subject %+v, username %q", unverified.Subject, unverified.Username)
	}
	odd := look(`{"iss":"` + cognito + `","sub":"alice","email":"ann\u202e","email_verified":true}`)
	if odd.Username != "" {
		t.Errorf("a name that no user could have: %q", odd.Username)
	}
	named := look(`{"iss":"` + backEnd + `","sub":"alice","email":"x","groups":["root"]}`)
	if named.Subject != w.userSubject("alice") || named.Username != "alice" {
		t.Errorf("a back end names alice: subject %+v, username %q", named.Subject, named.Username)
	}
}

// Roles come from the issuer for its own users, and from fob for users of fob.
func TestExchangedRoles(t *testing.T) {
	w, _ := newAssertionWorld(t)
	for token, want := range map[string]oauth.Code{
		`{"iss":"` + cognito + `","sub":"ann","groups":["guest","boss"]}`: "",
		`{"iss":"` + cognito + `","sub":"ann","groups":"boss"}`:           "",
		`{"iss":"` + cognito + `","sub":"ann","groups":["guest"]}`:        oauth.InvalidScope,
		`{"iss":"` + cognito + `","sub":"ann","groups":{"boss":true}}`:    oauth.InvalidScope,
		`{"iss":"` + cognito + `","sub":"ann"}`:                           oauth.InvalidScope,
		`{"iss":"` + backEnd + `","sub":"alice"}`:                         "",
		`{"iss":"` + backEnd + `","sub":"bob","groups":["boss"]}`:         oauth.InvalidScope,
	} {
		_, err := w.token("backend", exchangeForm(token, "admin")...)
		if want == "" {
			w.must(err)
			continue
		}
		wantCode(t, err, want)
	}
}

// A token that proves nothing has one answer for each grant, and the log says why.
func TestRefusedAssertions(t *testing.T) {
	w, p := newAssertionWorld(t)
	w.disable("bob")
	for token, why := range map[string]string{
		"CANARY-garbage": "no JWT",
		`{"iss":"https://elsewhere.example.com","sub":"ann"}`: "the issuer is not registered",
		`{"iss":"` + cognito + `","sub":"a","nonce":"other"}`: "the nonce is not of this request",
		`{"iss":"` + backEnd + `","sub":"nobody"}`:            "no user has that name",
		`{"iss":"` + backEnd + `","sub":"bob"}`:               "the user is disabled",
	} {
		for grant, form := range map[oauth.Code][]string{
			oauth.InvalidRequest: exchangeForm(token, "read", "nonce", "mine"),
			oauth.InvalidGrant:   {"grant_type", jwtBearer, "assertion", token, "scope", "read", "nonce", "mine"},
		} {
			_, err := w.token("backend", form...)
			wantCode(t, err, grant)
			if w.event.Reason != oauth.ReasonAssertion || w.event.Refusal != why {
				t.Errorf("%s: logged %s, %q, want %q", token, w.event.Reason, w.event.Refusal, why)
			}
			if e, _ := errors.AsType[*oauth.Error](err); e != nil && strings.Contains(e.Description, why) {
				t.Errorf("the answer says %q", e.Description)
			}
		}
	}
	p.Err = oauth.Unavailable("fetch keys", context.DeadlineExceeded)
	if _, err := w.token("backend", exchangeForm("{}", "read")...); !errors.Is(err, oauth.ErrUnavailable) {
		t.Errorf("an issuer that is down: %v", err)
	}
	p.Err = errors.New("a fault of the registration")
	if _, err := w.token("backend", exchangeForm("{}", "read")...); err == nil || errors.Is(err, oauth.ErrUnavailable) {
		t.Errorf("a fault: %v", err)
	}
}

// A form that is wrong, a client that may not, and a deployment without assertions look
// at no token.
func TestExchangeForms(t *testing.T) {
	w, p := newAssertionWorld(t)
	w.editClient("other", func(c *oauth.Client) { c.Grants = []oauth.GrantType{oauth.PasswordGrant} })
	ann := `{"iss":"` + cognito + `","sub":"ann"}`
	for what, test := range map[string]struct {
		client ledger.ClientID
		form   []string
		want   oauth.Code
	}{
		"no token":              {"app", []string{"grant_type", exchange, "subject_token_type", idToken}, oauth.InvalidRequest},
		"no type":               {"app", []string{"grant_type", exchange, "subject_token", ann}, oauth.InvalidRequest},
		"fob's own token":       {"app", []string{"grant_type", exchange, "subject_token", ann, "subject_token_type", oauth.AccessTokenType}, oauth.InvalidRequest},
		"an actor":              {"app", exchangeForm(ann, "", "actor_token", ann), oauth.InvalidRequest},
		"an actor's type":       {"app", exchangeForm(ann, "", "actor_token_type", idToken), oauth.InvalidRequest},
		"another type wanted":   {"app", exchangeForm(ann, "", "requested_token_type", idToken), oauth.InvalidRequest},
		"no assertion":          {"app", []string{"grant_type", jwtBearer}, oauth.InvalidRequest},
		"a client that may not": {"other", exchangeForm(ann, "read"), oauth.UnauthorizedClient},
		"not for a bearer":      {"other", []string{"grant_type", jwtBearer, "assertion", ann}, oauth.UnauthorizedClient},
	} {
		_, err := w.token(test.client, test.form...)
		if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Code != test.want {
			t.Errorf("%s: %v, want %s", what, err, test.want)
		}
	}
	w.issuer.Assertions = nil
	for _, form := range [][]string{exchangeForm(ann, "read"), {"grant_type", jwtBearer, "assertion", ann}} {
		_, err := w.token("app", form...)
		wantCode(t, err, oauth.UnsupportedGrantType)
	}
	if p.Verified != 0 {
		t.Errorf("%d tokens were looked at", p.Verified)
	}
}

// All that ends a user's tokens ends those of a login that another issuer proved, and a user
// who is changed meanwhile gets none.
func TestExchangedTokensEnd(t *testing.T) {
	w, _ := newAssertionWorld(t)
	ann := oauth.SubjectOf(oauth.HashedUserID(cognito, "ann"))
	a, err := w.token("app", exchangeForm(`{"iss":"`+cognito+`","sub":"ann"}`, "read device_a")...)
	w.must(err)
	w.must(w.tokens.Raise(t.Context(), ann, oauth.StateChange{}))
	w.wantActive("api", a.AccessToken, false)
	w.must(w.tokens.Raise(t.Context(), ann, oauth.StateChange{Disabled: new(true)}))
	_, err = w.token("app", exchangeForm(`{"iss":"`+cognito+`","sub":"ann"}`, "read device_a")...)
	wantCode(t, err, oauth.InvalidRequest)
	_, err = w.token("app", exchangeForm(`{"iss":"`+cognito+`","sub":"ann"}`, "unknown")...)
	wantCode(t, err, oauth.InvalidRequest)

	w.must(w.tokens.Raise(t.Context(), w.userSubject("alice"), oauth.StateChange{UserVersion: w.user("alice").Version + 1}))
	_, err = w.token("app", exchangeForm(`{"iss":"`+backEnd+`","sub":"alice"}`, "read device_a")...)
	wantCode(t, err, oauth.InvalidRequest)
}

// An app whose users come in by one issuer must not show what another app of the team got:
// its client may have rights that the other's has not.
func TestLoginAudiencesOfAClient(t *testing.T) {
	w, p := newAssertionWorld(t)
	shop, partner := `{"iss":"`+cognito+`","sub":"ann","aud":["shop"]}`, `{"iss":"`+cognito+`","sub":"ann","aud":["partner"]}`
	both, byBackEnd := `{"iss":"`+cognito+`","sub":"ann","aud":["shop","partner"]}`, `{"iss":"`+backEnd+`","sub":"alice","aud":["fob"]}`
	unregistered := `{"iss":"` + cognito + `","sub":"ann","aud":["elsewhere"]}`
	for _, test := range []struct {
		what      string
		audiences []string
		accepted  map[string]bool
	}{
		{"none is all", nil, map[string]bool{shop: true, partner: true, both: true, byBackEnd: true}},
		{"one app", []string{"shop"}, map[string]bool{shop: true, partner: false, both: false, byBackEnd: false}},
		{"both apps", []string{"partner", "shop"}, map[string]bool{shop: true, partner: true, both: true, byBackEnd: false}},
		{"the back end alone", []string{"fob"}, map[string]bool{shop: false, partner: false, both: false, byBackEnd: true}},
		{"what no issuer has", []string{"elsewhere"}, map[string]bool{shop: false, partner: false, both: false, byBackEnd: false, unregistered: false}},
		{"and one that the issuer has", []string{"elsewhere", "shop"}, map[string]bool{shop: true, unregistered: false}},
	} {
		w.editClient("backend", func(c *oauth.Client) { c.LoginAudiences = test.audiences })
		w.advance(11)
		for token, accepted := range test.accepted {
			for want, form := range map[oauth.Code][]string{
				oauth.InvalidRequest: exchangeForm(token, "read"),
				oauth.InvalidGrant:   {"grant_type", jwtBearer, "assertion", token, "scope", "read"},
			} {
				_, err := w.token("backend", form...)
				if accepted {
					w.must(err)
					continue
				}
				wantCode(t, err, want)
				if w.event.Reason != oauth.ReasonAssertion || w.event.Refusal == "" || w.event.Issuer == "" {
					t.Errorf("%s: %s: logged %+v", test.what, token, w.event)
				}
			}
		}
	}
	if p.Verified == 0 {
		t.Error("nothing was looked at")
	}
}

// The nonce of the request is what the token is compared with.
func TestExchangeNonce(t *testing.T) {
	w, p := newAssertionWorld(t)
	ann := `{"iss":"` + cognito + `","sub":"ann","nonce":"mine"}`
	for _, form := range [][]string{exchangeForm(ann, "read"), {"grant_type", jwtBearer, "assertion", ann, "scope", "read"}} {
		_, err := w.token("backend", append(form, "nonce", "mine")...)
		w.must(err)
		if _, err := w.token("backend", form...); err == nil {
			t.Errorf("%s: accepted without the nonce", form[1])
		}
		if isExchange := form[1] == exchange; p.Expected.IDToken != isExchange {
			t.Errorf("%s: taken for an ID token: %v", form[1], p.Expected.IDToken)
		}
	}
}

// The username is part of the Authorization: a claim that changed is another token, and
// ending the device ends both.
func TestExchangeAfterTheNameChanged(t *testing.T) {
	w, _ := newAssertionWorld(t)
	login := func(email string) ledger.Answer {
		t.Helper()
		a, err := w.token("app", exchangeForm(`{"iss":"`+cognito+`","sub":"ann","email_verified":true,"email":"`+email+`"}`, "read device_phone")...)
		w.must(err)
		return a
	}
	before, after := login("ann@example.com"), login("ann@new.example.com")
	if same(before.AccessToken, after.AccessToken) {
		t.Error("a token with another name is returned")
	}
	w.wantActive("api", before.AccessToken, true)
	w.wantActive("api", after.AccessToken, true)
	n, err := w.signIns().End(t.Context(), oauth.SubjectOf(oauth.HashedUserID(cognito, "ann")), oauth.Filter{Device: "phone"})
	if w.must(err); n != 2 {
		t.Errorf("%d tokens of the phone, want 2", n)
	}
	w.wantActive("api", before.AccessToken, false)
	w.wantActive("api", after.AccessToken, false)
}
