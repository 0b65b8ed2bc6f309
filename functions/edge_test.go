package functions_test

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/wire"
)

// Behind CloudFront the line has the client that CloudFront saw, and only if the request
// came that way.
func TestEdge(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	const edgeSecret = "CANARY-not-a-real-secret-of-the-edge"
	s.know("secret of the edge", edgeSecret)
	hash := sha256.Sum256([]byte(edgeSecret))
	behind := func(_ *instance, environment map[string]string) {
		environment["FOB_EDGE_HASH"] = hex.EncodeToString(hash[:])
	}
	const viewer = "198.51.100.7"
	for _, name := range []string{"token", "revoke", "introspect", "devices", "events", "users", "account"} {
		i := s.run(t, name, behind)
		for secret, want := range map[string]string{edgeSecret: viewer, "CANARY-guessed": "192.0.2.10"} {
			sample := map[string]string{"token": "password", "devices": "list", "events": "set", "users": "list", "account": "password"}
			file := sample[name]
			if file == "" {
				file = name
			}
			e := readSample(t, filepath.Join(name, "events", file+".json"))
			e.Headers[strings.ToLower(wire.EdgeHeader)], e.Headers[strings.ToLower(wire.ViewerHeader)] = secret, viewer
			before := len(i.stdout.all(t))
			if _, err := i.invoke(t.Context(), encode(t, e), timeout); err != nil {
				t.Fatal(err)
			}
			l := parseLine(t, i.stdout.all(t)[before:])
			if edge, _ := l["edge"].(bool); l.text("source") != want || edge != (want == viewer) {
				t.Errorf("%s: the line says source %v and edge %v, want %s", name, l["source"], l["edge"], want)
			}
		}
	}
}
