package assertion

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

const (
	maxDocument = 256 * 1024 // bytes; key sets have 1 to 20 KB
	maxHeaders  = 32 * 1024
)

// fetcher fetches key sets. It follows no redirect, uses no proxy, and speaks https
// alone. An address is judged when it is dialled, after the name was resolved: a name
// that means another address at the next look-up gains nothing.
type fetcher struct {
	public, private *http.Client
}

func newFetcher(roots *x509.CertPool) *fetcher {
	client := func(check func(network, address string, c syscall.RawConn) error) *http.Client {
		return &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				DialContext:            (&net.Dialer{Timeout: time.Second, Control: check}).DialContext,
				TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
				TLSHandshakeTimeout:    2 * time.Second,
				MaxResponseHeaderBytes: maxHeaders,
				// A connection that was kept is dead after a freeze, and there are minutes
				// between two fetches.
				DisableKeepAlives: true,
				// The bound on a document holds for what was sent.
				DisableCompression: true,
			},
		}
	}
	return &fetcher{public: client(publicOnly), private: client(noMetadata)}
}

// keys fetches the key set of a place.
func (f *fetcher) keys(ctx context.Context, at place) (keySet, error) {
	client := f.public
	if at.private {
		client = f.private
	}
	address := at.jwksURL
	if address == "" {
		var err error
		if address, err = discover(ctx, client, at.issuer); err != nil {
			return nil, err
		}
	}
	text, err := get(ctx, client, address)
	if err != nil {
		return nil, err
	}
	keys, err := parseKeys(text)
	if err == nil && len(keys) == 0 {
		err = errors.New("no key in it can be used")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return keys, nil
}

// discover returns the jwks_uri of an issuer (OpenID Connect Discovery 1.0 §4).
func discover(ctx context.Context, client *http.Client, issuer string) (string, error) {
	address := strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
	text, err := get(ctx, client, address)
	if err != nil {
		return "", err
	}
	var document struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if json.Unmarshal(text, &document) != nil {
		return "", fmt.Errorf("%s: not a JSON object with issuer and jwks_uri", address)
	}
	if document.Issuer != issuer { // §4.3
		return "", fmt.Errorf("%s: it is of another issuer than %q", address, issuer)
	}
	return document.JWKSURI, nil
}

// get fetches a document of bounded size.
func get(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return nil, errors.New("the address of the keys is not an https URL")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errors.New("the address of the keys is not an https URL")
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "fob")
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: status %d", address, answer.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	if len(text) > maxDocument {
		return nil, fmt.Errorf("%s: more than %d bytes", address, maxDocument)
	}
	return text, nil
}
