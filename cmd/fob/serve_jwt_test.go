package main

import (
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Libraries, unmodified, verify JWT access tokens as APIs do: with nothing but the issuer
// and the audience.

func TestJavaScriptJWTs(t *testing.T) {
	l := language(t, "javascript", "package.json", "node")
	l.run(t, serveHere(t, "--token-format", "jwt"), "node", l.javaScript(t, "jose.mjs"))
}

func TestGoOIDCVerifiesJWTs(t *testing.T) {
	fob := serveHere(t, "--token-format", "jwt")
	provider, err := oidc.NewProvider(t.Context(), fob.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	text := loginOf(t, fob)
	if loginOf(t, fob) != text || provider.Endpoint().TokenURL != fob.TokenEndpoint {
		t.Error("the second login got another JWT")
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: fob.ResourceClientID})
	verified, err := verifier.Verify(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Client string `json:"client_id"`
		Scope  string `json:"scope"`
	}
	if err := verified.Claims(&claims); err != nil || claims.Client != fob.PublicClientID || claims.Scope != "read device_ipad" {
		t.Errorf("claims %+v, %v", claims, err)
	}
	if _, err := provider.Verifier(&oidc.Config{ClientID: "elsewhere"}).Verify(t.Context(), text); err == nil {
		t.Error("a JWT for one audience was taken by another")
	}
}

// A demo on a key file keeps its pair, and opaque tokens are the default.
func TestServeTokenFormat(t *testing.T) {
	var p program
	for format, want := range map[string]int{"saml": exitUsage, "": exitUsage} {
		var stdout, stderr output
		p = program{stdout: &stdout, stderr: &stderr, getenv: noEnv}
		if code := p.run(t.Context(), []string{"serve", "--addr", "127.0.0.1:0", "--token-format", format}); code != want {
			t.Errorf("--token-format %q: exit code %d, %s", format, code, &stderr)
		}
	}
	ring := t.TempDir() + "/keys.json"
	var headers []string
	for range 2 {
		header, _, isJWT := strings.Cut(loginOf(t, serveHere(t, "--token-format", "jwt", "--keys", ring)), ".")
		if headers = append(headers, header); !isJWT {
			t.Error("the demo's token is not a JWT")
		}
	}
	if headers[0] != headers[1] {
		t.Error("the pair of a key file is not kept")
	}
	if strings.Contains(loginOf(t, serveHere(t)), ".") {
		t.Error("nobody asked for JWTs")
	}
}

// loginOf is the access token of the demo's app.
func loginOf(t *testing.T, fob ready) string {
	t.Helper()
	config := oauth2.Config{
		ClientID: fob.PublicClientID, Scopes: []string{"read", "device_ipad"},
		Endpoint: oauth2.Endpoint{TokenURL: fob.TokenEndpoint, AuthStyle: oauth2.AuthStyleInParams},
	}
	token, err := config.PasswordCredentialsToken(t.Context(), fob.Username, fob.Password)
	if err != nil {
		t.Fatal(err)
	}
	return token.AccessToken
}
