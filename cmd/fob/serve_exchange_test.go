package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
)

// A team keeps its login and gets fob's tokens for each device: an ID token is exchanged
// (RFC 8693), and golang.org/x/oauth2/jwt asserts a user (RFC 7523). The issuer is
// registered and removed by commands while fob serve runs.
func TestLoginsThatOthersProve(t *testing.T) {
	fob, key := fobWithIssuer(t)
	post := func(endpoint string, pairs ...string) (status int, body map[string]any) {
		t.Helper()
		form := url.Values{"client_id": {"shop-app"}}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		answer, err := http.PostForm(endpoint, form)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, body
	}
	now := time.Now().Unix()
	// The nonce of the app is "raw", and the claim its SHA-256, as Apple's.
	idToken := key.Sign(t, nil, assertiontest.Members{
		"iss": otherIssuer, "aud": "com.example.app", "sub": "001234.abc", "iat": now, "exp": now + 600,
		"email": "ann@example.com", "email_verified": "true",
		"nonce": "d7439bee24773bcbfa2d0a97947ee36227b10d1022b1a55847e928965bb6bfde",
	})
	exchange := func(device, nonce string) (int, map[string]any) {
		t.Helper()
		return post(fob.TokenEndpoint, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange",
			"subject_token", idToken, "subject_token_type", "urn:ietf:params:oauth:token-type:id_token",
			"scope", "read device_"+device, "nonce", nonce)
	}
	if status, body := exchange("phone", "of somebody else"); status != http.StatusBadRequest || body["error"] != "invalid_request" {
		t.Errorf("a nonce of somebody else: %d %v", status, body)
	}
	status, phone := exchange("phone", "raw")
	if status != http.StatusOK || phone["issued_token_type"] != "urn:ietf:params:oauth:token-type:access_token" || phone["refresh_token"] == nil {
		t.Fatalf("%d %v", status, phone)
	}
	_, again := exchange("phone", "raw")
	_, tablet := exchange("tablet", "raw")
	if again["access_token"] != phone["access_token"] || tablet["access_token"] == phone["access_token"] {
		t.Error("not one token for each device")
	}

	// golang.org/x/oauth2/jwt as its users configure it, but that the client must be named.
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key.Signer)
	if err != nil {
		t.Fatal(err)
	}
	config := jwt.Config{
		Email: otherIssuer, Subject: "001234.abc", Audience: fob.Issuer, TokenURL: fob.TokenEndpoint,
		PrivateKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), PrivateKeyID: key.ID,
		Scopes: []string{"read", "device_phone"}, Expires: 5 * time.Minute,
	}
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: named("shop-app")})
	var asserted [2]*oauth2.Token
	for i := range asserted {
		if asserted[i], err = config.TokenSource(ctx).Token(); err != nil {
			t.Fatal(err)
		}
	}
	if asserted[0].AccessToken != asserted[1].AccessToken || !asserted[0].Valid() {
		t.Error("two assertions of one user and device gave two tokens")
	}

	if status, body := post(fob.RevocationEndpoint, "token", tablet["refresh_token"].(string)); status != http.StatusOK {
		t.Errorf("revoke: %d %v", status, body)
	}
	if status, body := post(fob.TokenEndpoint, "grant_type", "refresh_token", "refresh_token", tablet["refresh_token"].(string)); status != http.StatusBadRequest {
		t.Errorf("the tablet after its end: %d %v", status, body)
	}
	if status, body := post(fob.TokenEndpoint, "grant_type", "refresh_token", "refresh_token", phone["refresh_token"].(string)); status != http.StatusOK {
		t.Errorf("the phone: %d %v", status, body)
	}
}

// otherIssuer is the name of the issuer that [fobWithIssuer] registers.
const otherIssuer = "https://login.example.com"

// fobWithIssuer runs fob serve, with an issuer whose tokens the key signs, for the app
// com.example.app and for fob, and with the public client shop-app.
func fobWithIssuer(t *testing.T) (ready, assertiontest.Key) {
	t.Helper()
	fob, folder, operate := fobWithOperator(t)
	key := assertiontest.NewKey(t, "RS256")
	if err := os.WriteFile(filepath.Join(folder, "keys.json"), []byte(assertiontest.JWKS(t, key)), 0o600); err != nil {
		t.Fatal(err)
	}
	operate("issuer", "add", otherIssuer, "--audience", "com.example.app", "--audience", fob.Issuer, "--algorithm", "RS256", "--keys-file", "keys.json", "--username-claim", "email")
	operate("scope", "add", "orders")
	operate("client", "add", "--id", "shop-app", "--public", "--grant", "token-exchange", "--grant", "jwt-bearer", "--grant", "refresh_token", "--scope", "read", "--scope", "orders", "--default-scope", "read", "--audience", "https://api.example.com")
	return fob, key
}

// fobWithOperator runs fob serve on tables of its own, and returns a function that runs fob
// on those tables in a folder.
func fobWithOperator(t *testing.T) (fob ready, folder string, operate func(args ...string)) {
	t.Helper()
	endpoint := dynamotest.Engine(t)
	env := append(fixtureEnv(t, dynamotest.New(t, endpoint)), "FOB_DYNAMODB="+endpoint)
	fob = serveProcess(t, env, "--dynamodb", endpoint)
	folder = t.TempDir()
	return fob, folder, func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "fob", args...)
		cmd.Dir = folder
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "GORACE=" + exitAtOnce}, env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("fob %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// named sends a public client's id as Basic with an empty password.
type named string

func (n named) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.SetBasicAuth(string(n), "")
	return http.DefaultTransport.RoundTrip(r)
}
