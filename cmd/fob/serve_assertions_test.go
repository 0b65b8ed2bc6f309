package main

import (
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
)

// Client libraries, unmodified, authenticate without a secret: with a key of the client's
// own (private_key_jwt), and with what a platform signed about a workload. The programs get
// both as $PROOF.

func TestJavaScriptAssertions(t *testing.T) {
	l := language(t, "javascript", "package.json", "node")
	program := l.javaScript(t, "openid-client-assertions.mjs")
	fob := l.assertions(t)
	l.run(t, fob, "node", program)
}

func TestPythonAssertions(t *testing.T) {
	t.Parallel()
	l := language(t, "python", "requirements.txt")
	fob := l.assertions(t)
	l.run(t, fob, filepath.Join(l.installed, "venv", "bin", "python"), "-B", filepath.Join(l.source, "assertions_with_authlib.py"))
}

func TestJavaAssertions(t *testing.T) {
	t.Parallel()
	l := language(t, "java", "pom.xml", "javac", "java")
	path := l.java(t)
	fob := l.assertions(t)
	l.run(t, fob, "java", "-XX:TieredStopAtLevel=1", "-cp", path, "NimbusAssertions")
}

// golang.org/x/oauth2 sends the token of a platform as further parameters, for a client that
// moves over from a secret.
func TestGoWorkload(t *testing.T) {
	fob, folder, operate := fobWithOperator(t)
	key := platform(t, folder, operate)
	operate("client", "add", "--id", "report", "--grant", "client_credentials", "--scope", "read", "--default-scope", "read")
	operate("client", "set", "report", "--trusts-issuer", awsIssuer, "--trusts-subject", assertiontest.RoleARN)
	ask := func(audience string) (*oauth2.Token, error) {
		config := clientcredentials.Config{
			ClientID: "report", TokenURL: fob.TokenEndpoint, AuthStyle: oauth2.AuthStyleInParams,
			EndpointParams: url.Values{
				"client_assertion":      {key.Sign(t, nil, assertiontest.RoleClaims(awsIssuer, audience, time.Now().Unix()))},
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			},
		}
		return config.Token(t.Context())
	}
	first, err := ask(fob.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ask(fob.Issuer); err != nil || again.AccessToken != first.AccessToken {
		t.Errorf("asked twice, another token: %v", err)
	}
	if _, err := ask("https://api.example.com"); err == nil {
		t.Error("a token for another service authenticates")
	}
}

// awsIssuer is an issuer as an account of AWS has it.
const awsIssuer = "https://a103a2cc-b461-473d-84fe-6c4f6d45af88.tokens.sts.global.api.aws"

// platform registers it with a key in a file, and returns the key.
func platform(t *testing.T, folder string, operate func(args ...string)) assertiontest.Key {
	t.Helper()
	key := assertiontest.NewKey(t, "ES384")
	writeKeys(t, folder, "aws.json", key)
	operate("issuer", "add", awsIssuer, "--subject", "client", "--algorithm", "RS256", "--algorithm", "ES384", "--keys-file", "aws.json")
	return key
}

func writeKeys(t *testing.T, folder, name string, key assertiontest.Key) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(assertiontest.JWKS(t, key)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// assertions starts fob with the client signer, which has keys, and the client report, which
// is a role of AWS. $PROOF has the private key of the first and a token of the second.
func (l *libraries) assertions(t *testing.T) ready {
	t.Helper()
	fob, folder, operate := fobWithOperator(t)
	role := platform(t, folder, operate)
	own := assertiontest.NewKey(t, "ES256")
	writeKeys(t, folder, "own.json", own)
	for id, way := range map[string][]string{
		"signer": {"--keys-file", "own.json"},
		"report": {"--trusts-issuer", awsIssuer, "--trusts-subject", assertiontest.RoleARN},
	} {
		operate(append([]string{"client", "add", "--id", id, "--grant", "client_credentials", "--scope", "read", "--default-scope", "read"}, way...)...)
	}
	proof, err := json.Marshal(map[string]any{
		"signer": "signer", "key": privateJWK(t, own), "forged": privateJWK(t, assertiontest.NewKey(t, "ES256")),
		"workload": "report", "token": role.Sign(t, nil, assertiontest.RoleClaims(awsIssuer, fob.Issuer, time.Now().Unix())),
	})
	if err != nil {
		t.Fatal(err)
	}
	l.env = append(l.env, "PROOF="+string(proof))
	return fob
}

// privateJWK is a key as RFC 7518 §6.2.2 writes it.
func privateJWK(t *testing.T, key assertiontest.Key) assertiontest.Members {
	t.Helper()
	d, err := key.Signer.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	jwk := key.JWK()
	jwk["d"] = base64.RawURLEncoding.EncodeToString(d)
	return jwk
}
