package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
)

// The pages for teams that have a login run as they are, with ID tokens as the issuers
// make them. The issuers have their real names. Their keys are of this test, and come
// from a file in place of discovery.
func TestPagesOfOtherLogins(t *testing.T) {
	t.Parallel()
	const nonce = "a-text-that-the-app-drew"
	hash := sha256.Sum256([]byte(nonce))
	now := time.Now().Unix()
	for _, test := range []struct {
		name, page string
		claims     assertiontest.Members
		username   string
	}{
		{"Apple", "apple-and-google.md", assertiontest.Members{
			"iss": "https://appleid.apple.com", "aud": "com.example.shop", "sub": "001234.0123456789abcdef.1234", "exp": now + 86400,
			"email": "x7k2@privaterelay.appleid.com", "email_verified": "true", "is_private_email": "true", "auth_time": now,
			"nonce": hex.EncodeToString(hash[:]), "nonce_supported": true, "c_hash": "abc",
		}, "x7k2@privaterelay.appleid.com"},
		{"Google", "apple-and-google.md", assertiontest.Members{
			"iss": "https://accounts.google.com", "aud": "1234-web.apps.googleusercontent.com", "azp": "1234-android.apps.googleusercontent.com",
			"sub": "110169484474386276334", "exp": now + 3600, "email": "ann@example.com", "email_verified": true,
			"nonce": hex.EncodeToString(hash[:]), "name": "Ann",
		}, "ann@example.com"},
		{"Firebase", "beside-firebase.md", assertiontest.Members{
			"iss": "https://securetoken.google.com/shop-12345", "aud": "shop-12345", "sub": "Xy12", "user_id": "Xy12", "exp": now + 3600,
			"auth_time": now - 86400, "email": "ann@example.com", "email_verified": false,
			"firebase": map[string]any{"identities": map[string]any{}, "sign_in_provider": "password"},
		}, ""},
		{"Cognito", "beside-cognito.md", assertiontest.Members{
			"iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI", "aud": "1example23456789", "token_use": "id",
			"sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "exp": now + 86400, "auth_time": now - 3600,
			"email": "ann@example.com", "email_verified": true, "cognito:username": "ann", "cognito:groups": []string{"members"},
		}, "ann@example.com"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("..", "..", "docs", test.page))
			if err != nil {
				t.Fatal(err)
			}
			endpoint := dynamotest.Engine(t)
			env := append(fixtureEnv(t, dynamotest.New(t, endpoint)), "FOB_DYNAMODB="+endpoint)
			fob, folder := serveProcess(t, env, "--dynamodb", endpoint), t.TempDir()
			key := assertiontest.NewKey(t, "RS256")
			if err := os.WriteFile(filepath.Join(folder, "keys.json"), []byte(assertiontest.JWKS(t, key)), 0o600); err != nil {
				t.Fatal(err)
			}
			test.claims["iat"] = now
			idToken := key.Sign(t, nil, test.claims)

			steps := stepsOf(strings.ReplaceAll(string(text), "$ fob issuer add ", "$ fob issuer add --keys-file keys.json "))
			if len(steps) < 5 {
				t.Fatalf("%d commands", len(steps))
			}
			runSteps(t, test.page, folder, append([]string{
				"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "GORACE=" + exitAtOnce,
				"FOB=" + fob.Issuer, "ID_TOKEN=" + idToken, "NONCE=" + nonce,
			}, env...), steps)

			form := url.Values{
				"client_id": {"shop-app"}, "grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {idToken},
				"subject_token_type": {"urn:ietf:params:oauth:token-type:id_token"}, "scope": {"orders device_4f1c9a"},
			}
			if test.claims["nonce"] != nil {
				form.Set("nonce", nonce)
			}
			answer, err := http.PostForm(fob.TokenEndpoint, form)
			if err != nil {
				t.Fatal(err)
			}
			var token struct {
				AccessToken string `json:"access_token"`
			}
			err = json.NewDecoder(answer.Body).Decode(&token)
			_ = answer.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			if me := whoAmI(t, fob, token.AccessToken); me.Username != test.username || me.Device != "4f1c9a" || !strings.HasPrefix(me.Sub, "u_") {
				t.Errorf("/me says %+v", me)
			}
		})
	}
}

type whoIAm struct{ Sub, Username, Device string }

func whoAmI(t *testing.T, fob ready, token string) (me whoIAm) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fob.Issuer+"/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&me); err != nil {
		t.Fatal(err)
	}
	return me
}
