package assertion_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/assertion"
	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Answers that are not key sets are outages, not refusals.
func TestAnswersThatAreNoKeys(t *testing.T) {
	w := newWorld(t)
	good := w.token(t, nil)
	jwks := assertiontest.JWKS(t, w.issuer.Key())
	var elsewhere atomic.Int64
	serve := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		elsewhere.Add(1)
		_, _ = rw.Write([]byte(jwks))
	})
	other, plain := httptest.NewTLSServer(serve), httptest.NewServer(serve)
	defer other.Close()
	defer plain.Close()
	w.issuer.Roots.AddCert(other.Certificate())

	text := func(path, s string) func(http.ResponseWriter, *http.Request) bool {
		return func(rw http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != path {
				return false
			}
			_, _ = rw.Write([]byte(s))
			return true
		}
	}
	const discovery = "/.well-known/openid-configuration"
	document := func(issuer, keys string) string { return fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, issuer, keys) }
	for what, answer := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"a redirect of the document": func(rw http.ResponseWriter, r *http.Request) bool {
			http.Redirect(rw, r, other.URL, http.StatusFound)
			return true
		},
		"a redirect of the keys": func(rw http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/keys" {
				http.Redirect(rw, r, other.URL, http.StatusTemporaryRedirect)
			}
			return r.URL.Path == "/keys"
		},
		"status 404": func(rw http.ResponseWriter, _ *http.Request) bool { rw.WriteHeader(404); return true },
		"status 404 with keys": func(rw http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/keys" {
				rw.WriteHeader(404)
			}
			return false
		},
		"status 204": func(rw http.ResponseWriter, _ *http.Request) bool { rw.WriteHeader(204); return true },
		"broken off": func(rw http.ResponseWriter, r *http.Request) bool { panic(http.ErrAbortHandler) },
		"long headers": func(rw http.ResponseWriter, r *http.Request) bool {
			rw.Header().Set("X-Long", strings.Repeat("a", 40_000))
			return false
		},
		"a document of another issuer": text(discovery, document(other.URL, w.issuer.URL+"/keys")),
		"the issuer with a slash":      text(discovery, document(w.issuer.URL+"/", w.issuer.URL+"/keys")),
		"keys over http":               text(discovery, document(w.issuer.URL, plain.URL+"/keys")),
		"keys in a file":               text(discovery, document(w.issuer.URL, "file:///etc/passwd")),
		"keys with a user":             text(discovery, document(w.issuer.URL, strings.Replace(w.issuer.URL, "https://", "https://user@", 1)+"/keys")),
		"no address of keys":           text(discovery, document(w.issuer.URL, "")),
		"a document that is a list":    text(discovery, "[]"),
		"a document that is HTML":      text(discovery, "<html>"),
		"keys that are HTML":           text("/keys", "<html>"),
		"no keys":                      text("/keys", `{"keys":[]}`),
		"a private key among them":     text("/keys", strings.Replace(jwks, `"kty"`, `"d":"AA","kty"`, 1)),
		"257 KB":                       text("/keys", jwks+strings.Repeat(" ", 257*1024)),
		"a document of 257 KB":         text(discovery, document(w.issuer.URL, w.issuer.URL+"/keys")+strings.Repeat(" ", 257*1024)),
	} {
		w.issuer.Before(answer)
		w.pass(5 * time.Second)
		_, err := w.verify(t, good, oauth.Expectation{})
		wantUnavailable(t, what, err)
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d fetches elsewhere", n)
	}
	w.issuer.Before(text("/keys", strings.Replace(jwks, `[`, `[{"kty":"new"},{"kty":"EC","crv":"P-256"},7,`, 1)))
	w.pass(5 * time.Second)
	_, err := w.verify(t, good, oauth.Expectation{})
	wantAccepted(t, "keys that nobody understands among others", err)
}

// A certificate that nobody vouches for is an outage.
func TestUnknownAuthority(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	w.signer.Name = other.issuer.URL
	w.verifier = assertion.New(w.clock.Now, nil)
	token := other.issuer.Key().Sign(t, nil, w.claims(nil))
	_, err := w.verify(t, token, oauth.Expectation{})
	wantUnavailable(t, "a server of another authority", err)
	if _, sets := other.issuer.Fetches(); sets != 0 {
		t.Errorf("%d fetches", sets)
	}
}

// A proxy in the environment would see and choose the keys.
func TestNoProxy(t *testing.T) {
	var asked atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		rw.WriteHeader(http.StatusBadGateway)
	}))
	defer proxy.Close()
	t.Setenv("HTTPS_PROXY", proxy.URL)
	t.Setenv("ALL_PROXY", proxy.URL)
	w := newWorld(t)
	w.signer.JWKSURL = "https://169.254.0.1/keys" // a proxy is asked for no loopback address
	_, err := w.verify(t, w.token(t, nil), oauth.Expectation{})
	wantUnavailable(t, "an address that is not dialled", err)
	if asked.Load() != 0 {
		t.Error("the proxy was asked")
	}
}

// Private addresses are dialled by the operator's word alone, whatever name led there.
func TestPrivateAddresses(t *testing.T) {
	w := newWorld(t)
	w.signer.PrivateAddresses = false
	_, err := w.verify(t, w.token(t, nil), oauth.Expectation{})
	wantUnavailable(t, "loopback", err)
	w.signer.JWKSURL = strings.Replace(w.issuer.URL, "127.0.0.1", "localhost", 1) + "/keys"
	_, err = w.verify(t, w.token(t, nil), oauth.Expectation{})
	wantUnavailable(t, "a name of loopback", err)
	w.wantSets(t, "private addresses", 0)
	w.signer.PrivateAddresses = true
	w.signer.JWKSURL = ""
	_, err = w.verify(t, w.token(t, nil), oauth.Expectation{})
	wantAccepted(t, "by the operator's word", err)
}
