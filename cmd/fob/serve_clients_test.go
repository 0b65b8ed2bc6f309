package main

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zitadel/oidc/v3/pkg/client"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/client/rs"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/wire"
)

// Clients that we did not write, as their users configure them.

// onEachStore runs a test against fob serve in memory and on DynamoDB.
func onEachStore(t *testing.T, test func(t *testing.T, fob ready)) {
	t.Run("memory", func(t *testing.T) { test(t, serveHere(t)) })
	t.Run("dynamodb", func(t *testing.T) {
		endpoint := dynamotest.Engine(t)
		test(t, serveProcess(t, fixtureEnv(t, dynamotest.New(t, endpoint)), "--dynamodb", endpoint))
	})
}

// styles are the ways in which golang.org/x/oauth2 authenticates a client. With
// auto-detect it tries the header first.
var styles = map[string]oauth2.AuthStyle{
	"auto-detect": oauth2.AuthStyleAutoDetect,
	"header":      oauth2.AuthStyleInHeader,
	"params":      oauth2.AuthStyleInParams,
}

func TestOAuth2ClientCredentials(t *testing.T) {
	onEachStore(t, func(t *testing.T, fob ready) {
		tokens := map[string]string{}
		for name, style := range styles {
			config := clientcredentials.Config{
				ClientID:     fob.ClientID,
				ClientSecret: fob.ClientSecret,
				TokenURL:     fob.TokenEndpoint,
				Scopes:       []string{"read", "device_nightly"},
				AuthStyle:    style,
			}
			token, err := config.Token(t.Context())
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if left := time.Until(token.Expiry); !token.Valid() || left > time.Hour || left < 50*time.Minute {
				t.Errorf("%s: valid for %v", name, left)
			}
			if token.RefreshToken != "" {
				t.Errorf("%s: a refresh token (RFC 6749 section 4.4.3)", name)
			}
			tokens[token.AccessToken] = name
		}
		if len(tokens) != 1 {
			t.Errorf("%d tokens for one client, scope and device", len(tokens))
		}
	})
}

func TestOAuth2PasswordAndRefresh(t *testing.T) {
	onEachStore(t, func(t *testing.T, fob ready) {
		for name, style := range styles {
			config := oauth2.Config{
				ClientID:     fob.ClientID,
				ClientSecret: fob.ClientSecret,
				Endpoint:     oauth2.Endpoint{TokenURL: fob.TokenEndpoint, AuthStyle: style},
				Scopes:       []string{"write", "device_" + name},
			}
			token, err := config.PasswordCredentialsToken(t.Context(), fob.Username, fob.Password)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !token.Valid() || token.RefreshToken == "" {
				t.Fatalf("%s: valid %v, with a refresh token %v", name, token.Valid(), token.RefreshToken != "")
			}
			if got := token.Extra("scope"); got != "write device_"+name {
				t.Errorf("%s: scope %q", name, got)
			}
			refreshed := refresh(t, config, token)
			// More than half of its life is left, and the client is confidential.
			if refreshed.AccessToken != token.AccessToken || refreshed.RefreshToken != token.RefreshToken {
				t.Errorf("%s: refreshing a young token gave others", name)
			}
		}
	})
}

func TestOAuth2PublicClient(t *testing.T) {
	onEachStore(t, func(t *testing.T, fob ready) {
		config := oauth2.Config{
			ClientID: fob.PublicClientID,
			Endpoint: oauth2.Endpoint{TokenURL: fob.TokenEndpoint, AuthStyle: oauth2.AuthStyleInParams},
			Scopes:   []string{"device_pixel"},
		}
		token, err := config.PasswordCredentialsToken(t.Context(), fob.Username, fob.Password)
		if err != nil {
			t.Fatal(err)
		}
		if got := token.Extra("scope"); got != "read device_pixel" {
			t.Errorf("scope %q, want the default one with the device", got)
		}
		first := refresh(t, config, token)
		if first.RefreshToken == token.RefreshToken || first.RefreshToken == "" {
			t.Error("a public client's refresh token did not rotate")
		}
		// The reply was lost: the same successor comes again.
		again := refresh(t, config, token)
		if again.RefreshToken != first.RefreshToken || again.AccessToken != first.AccessToken {
			t.Error("the rotated refresh token within its grace gave another successor")
		}
		if second := refresh(t, config, first); second.RefreshToken == first.RefreshToken {
			t.Error("the successor did not rotate")
		}
	})
}

// refresh makes the library refresh: it does so for a token that has expired by
// its own account.
func refresh(t *testing.T, config oauth2.Config, token *oauth2.Token) *oauth2.Token {
	t.Helper()
	expired := *token
	expired.Expiry = time.Now().Add(-time.Minute)
	refreshed, err := config.TokenSource(t.Context(), &expired).Token()
	if err != nil {
		t.Fatalf("refresh: %v", err)
	}
	return refreshed
}

func TestOAuth2Errors(t *testing.T) {
	fob := serveHere(t)
	login := oauth2.Config{
		ClientID:     fob.ClientID,
		ClientSecret: fob.ClientSecret,
		Endpoint:     oauth2.Endpoint{TokenURL: fob.TokenEndpoint},
	}
	stranger := login
	stranger.ClientSecret = "wrong"
	greedy := login
	greedy.Scopes = []string{"admin", "device_ipad"}
	for _, test := range []struct {
		name, password string
		config         oauth2.Config
		status         int
		code           string
	}{
		{"wrong password", "wrong", login, http.StatusBadRequest, "invalid_grant"},
		{"wrong client secret", fob.Password, stranger, http.StatusUnauthorized, "invalid_client"},
		{"unknown scope", fob.Password, greedy, http.StatusBadRequest, "invalid_scope"},
	} {
		_, err := test.config.PasswordCredentialsToken(t.Context(), fob.Username, test.password)
		e, ok := errors.AsType[*oauth2.RetrieveError](err)
		if !ok || e.ErrorCode != test.code || e.Response.StatusCode != test.status {
			t.Errorf("%s: %v, want %s with %d", test.name, err, test.code, test.status)
		}
	}
}

func TestZitadelIntrospectionAndRevocation(t *testing.T) {
	onEachStore(t, func(t *testing.T, fob ready) {
		login := func(clientID, secret, device string) *oauth2.Token {
			config := oauth2.Config{
				ClientID: clientID, ClientSecret: secret,
				Endpoint: oauth2.Endpoint{TokenURL: fob.TokenEndpoint, AuthStyle: oauth2.AuthStyleInParams},
				Scopes:   []string{"read", "device_" + device},
			}
			token, err := config.PasswordCredentialsToken(t.Context(), fob.Username, fob.Password)
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		api, err := rs.NewResourceServerClientCredentials(t.Context(), fob.Issuer, fob.ResourceClientID, fob.ResourceClientSecret,
			rs.WithStaticEndpoints(fob.TokenEndpoint, fob.IntrospectionEndpoint))
		if err != nil {
			t.Fatal(err)
		}
		introspect := func(token string) *oidc.IntrospectionResponse {
			t.Helper()
			answer, err := rs.Introspect[*oidc.IntrospectionResponse](t.Context(), api, token)
			if err != nil {
				t.Fatalf("introspect: %v", err)
			}
			return answer
		}

		ipad := login(fob.ClientID, fob.ClientSecret, "ipad")
		got := introspect(ipad.AccessToken)
		want := &oidc.IntrospectionResponse{
			Active:    true,
			Scope:     []string{"read", "device_ipad"},
			ClientID:  fob.ClientID,
			TokenType: "Bearer",
			Username:  fob.Username,
			Issuer:    fob.Issuer,
			Audience:  oidc.Audience{fob.ResourceClientID},
			// What only fob knows.
			Subject:    got.Subject,
			JWTID:      got.JWTID,
			Expiration: got.Expiration,
			IssuedAt:   got.IssuedAt,
			Claims:     got.Claims,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("introspection (-want +got):\n%s", diff)
		}
		if got.Claims["device"] != "ipad" || got.Subject == "" || got.JWTID == "" {
			t.Errorf("device %v, sub %q, jti %q", got.Claims["device"], got.Subject, got.JWTID)
		}
		if life := got.Expiration.AsTime().Sub(got.IssuedAt.AsTime()); life != time.Hour {
			t.Errorf("exp is %v after iat", life)
		}

		// The relying party revokes an access token, and by another one a refresh
		// token; a public app revokes by its id alone.
		party := relyingParty(t, fob)
		iphone, watch := login(fob.ClientID, fob.ClientSecret, "iphone"), login(fob.PublicClientID, "", "watch")
		for _, token := range []*oauth2.Token{iphone, watch} {
			if !introspect(token.AccessToken).Active {
				t.Error("a new token is not active")
			}
		}
		if err := rp.RevokeToken(t.Context(), party, ipad.AccessToken, "access_token"); err != nil {
			t.Fatal(err)
		}
		if introspect(ipad.AccessToken).Active || !introspect(iphone.AccessToken).Active {
			t.Error("revoking the iPad's token did not end it, or ended the iPhone's")
		}
		if err := rp.RevokeToken(t.Context(), party, iphone.RefreshToken, "refresh_token"); err != nil {
			t.Fatal(err)
		}
		if introspect(iphone.AccessToken).Active {
			t.Error("revoking a refresh token left its access token")
		}
		request := client.RevokeRequest{Token: watch.AccessToken, ClientID: fob.PublicClientID}
		if err := client.CallRevokeEndpoint(t.Context(), request, nil, revokeAt(fob.RevocationEndpoint)); err != nil {
			t.Fatal(err)
		}
		if introspect(watch.AccessToken).Active {
			t.Error("revoking by a public client did nothing")
		}
		// Another client's token: RFC 7009 section 2.1 wants an error.
		foreign := login(fob.PublicClientID, "", "tv")
		if err := rp.RevokeToken(t.Context(), party, foreign.AccessToken, ""); err == nil {
			t.Error("another client's token could be revoked")
		}
		if !introspect(foreign.AccessToken).Active {
			t.Error("another client's token was ended")
		}
	})
}

type revokeAt string

func (r revokeAt) GetRevokeEndpoint() string { return string(r) }
func (revokeAt) HttpClient() *http.Client    { return http.DefaultClient }

// relyingParty is zitadel's, which takes its endpoints from the metadata. It looks
// for them at OpenID's address unless it is told another.
func relyingParty(t *testing.T, fob ready) rp.RelyingParty {
	t.Helper()
	party, err := rp.NewRelyingPartyOIDC(context.WithoutCancel(t.Context()), fob.Issuer, fob.ClientID, fob.ClientSecret, "", nil,
		rp.WithCustomDiscoveryUrl(fob.Issuer+wire.MetadataPath), rp.WithAuthStyle(oauth2.AuthStyleInHeader))
	if err != nil {
		t.Fatal(err)
	}
	return party
}
