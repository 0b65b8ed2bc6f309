package functions_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
)

// A client signs for the issuer that the metadata name, also where requests come to another
// address, as behind CloudFront. It never signs for that address as well.
func TestAssertionsAreForTheIssuer(t *testing.T) {
	const issuer = "https://id.example.com"
	s := newStage(t)
	defer s.searchForLeaks(t)
	key := s.addSigners(t)
	named := func(_ *instance, environment map[string]string) { environment["FOB_ISSUER"] = issuer }
	token := s.run(t, "token", named)
	got := s.run(t, "metadata", named).send(t, encode(t, readSample(t, "metadata/events/metadata.json"))).members(t)
	if got["issuer"] != issuer {
		t.Fatalf("the metadata name %v", got["issuer"])
	}
	now := time.Now().Unix()
	for audience, want := range map[string]int{issuer: http.StatusOK, issuer + "/": http.StatusUnauthorized, httpAddress: http.StatusUnauthorized} {
		signed := key.Sign(t, nil, assertiontest.Members{"iss": demoSigner, "sub": demoSigner, "aud": audience, "jti": "1", "iat": now, "exp": now + 60})
		s.know("JWT", signed)
		a := token.post(t, "grant_type", "client_credentials", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", signed)
		if a.status != want {
			t.Errorf("for %s: %d, want %d; line %v", audience, a.status, want, a.line)
		}
	}
}
