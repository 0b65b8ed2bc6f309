package wire

import (
	"crypto/sha256"
	"net/http"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/oauth"
)

func TestSourceOf(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1":                  "192.0.2.1",
		"192.0.2.1:4711":             "192.0.2.1",
		"[::ffff:192.0.2.1]:4711":    "192.0.2.1",
		"::ffff:192.0.2.1":           "192.0.2.1",
		"2001:db8:1:2:3:4:5:6":       "2001:db8:1:2::/64",
		"[2001:db8:1:2:3:4:5:6]:443": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80":          "fe80::/64",
		"::1":                        "::/64",
		"":                           "",
		":0":                         "",
		"@":                          "",
		"localhost:80":               "",
		"192.0.2.1, 198.51.100.1":    "",
	} {
		if got := (Options{}).sourceOf(&http.Request{RemoteAddr: addr}).counted; got != want {
			t.Errorf("%q: %q, want %q", addr, got, want)
		}
	}
}

const edgeSecret = "CANARY-not-a-real-secret-of-the-edge"

// withEdge has an edge whose secret is being changed.
var withEdge = Options{Edge: [][32]byte{sha256.Sum256([]byte("CANARY-the-one-before")), sha256.Sum256([]byte(edgeSecret))}}

func requestFrom(peer string, header http.Header) *http.Request {
	return &http.Request{RemoteAddr: peer, Header: header}
}

func TestSourceBehindTheEdge(t *testing.T) {
	for viewer, want := range map[string]source{
		"198.51.100.7":         {"198.51.100.7", "198.51.100.7", true},
		"2001:db8:1:2:3:4:5:6": {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", true},
	} {
		for _, secret := range []string{edgeSecret, "CANARY-the-one-before"} {
			r := requestFrom("192.0.2.1:0", http.Header{EdgeHeader: {secret}, ViewerHeader: {viewer}})
			if got := withEdge.sourceOf(r); got != want {
				t.Errorf("%s: %+v, want %+v", viewer, got, want)
			}
		}
	}
}

// Without the secret a request comes from the peer that the gateway saw, whatever it says.
func TestNobodySpoofsTheEdge(t *testing.T) {
	hash := sha256.Sum256([]byte(edgeSecret))
	peer := source{text: "192.0.2.1", counted: "192.0.2.1"}
	viewer := []string{"198.51.100.7"}
	for what, header := range map[string]http.Header{
		"no secret":                   {ViewerHeader: viewer},
		"an empty secret":             {EdgeHeader: {""}, ViewerHeader: viewer},
		"another secret":              {EdgeHeader: {"x"}, ViewerHeader: viewer},
		"a part of the secret":        {EdgeHeader: {edgeSecret[:20]}, ViewerHeader: viewer},
		"the hash":                    {EdgeHeader: {string(hash[:])}, ViewerHeader: viewer},
		"two secrets":                 {EdgeHeader: {"x", edgeSecret}, ViewerHeader: viewer},
		"joined secrets":              {EdgeHeader: {"x," + edgeSecret}, ViewerHeader: viewer},
		"two viewers":                 {EdgeHeader: {edgeSecret}, ViewerHeader: {"198.51.100.7", "198.51.100.8"}},
		"joined viewers":              {EdgeHeader: {edgeSecret}, ViewerHeader: {"198.51.100.7,198.51.100.8"}},
		"a viewer without an address": {EdgeHeader: {edgeSecret}, ViewerHeader: {"CANARY"}},
		"no viewer":                   {EdgeHeader: {edgeSecret}},
		"other headers":               {EdgeHeader: {edgeSecret}, "X-Forwarded-For": viewer, "Cloudfront-Viewer-Address": {"198.51.100.7:1"}},
	} {
		if got := withEdge.sourceOf(requestFrom("192.0.2.1:0", header)); got != peer {
			t.Errorf("%s: %+v", what, got)
		}
	}
	// Nor where there is no edge.
	for _, secret := range []string{edgeSecret, ""} {
		r := requestFrom("192.0.2.1:0", http.Header{EdgeHeader: {secret}, ViewerHeader: viewer})
		if got := (Options{}).sourceOf(r); got != peer {
			t.Errorf("without an edge: %+v", got)
		}
	}
}

// A back end names one address, and nothing that two readers could read in two ways.
func TestUserSource(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
	} {
		if got, err := userSourceOf(oauth.Form{oauth.ParamUserAddress: text}); got != want || err != nil {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"192.0.2.1:80", "[2001:db8::1]:80", "192.0.2.1, 192.0.2.2", "192.0.2.0/24", "localhost", "unknown", " 192.0.2.1", "192.0.2.01", "CANARY"} {
		if got, err := userSourceOf(oauth.Form{oauth.ParamUserAddress: text}); got != "" || err == nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func FuzzNobodySpoofsTheEdge(f *testing.F) {
	f.Add(edgeSecret+" ", "198.51.100.7")
	f.Add(strings.ToLower(edgeSecret), "::1")
	f.Fuzz(func(t *testing.T, secret, viewer string) {
		r := requestFrom("192.0.2.1:0", http.Header{EdgeHeader: {secret}, ViewerHeader: {viewer}})
		got := withEdge.sourceOf(r)
		knows := secret == edgeSecret || secret == "CANARY-the-one-before"
		if got.edge && !knows || !got.edge && got.text != "192.0.2.1" {
			t.Errorf("%q, %q: %+v", secret, viewer, got)
		}
	})
}
