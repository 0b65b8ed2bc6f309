// Package page is what fob serve shows in a browser: two phones of one user, what each
// holds, and what DynamoDB would hold meanwhile.
//
// It signs in with the password of the demo, which everybody gets who can ask. So it must
// be there only where nothing is worth a secret: with the demo, in memory, on an address
// that no other machine reaches. fob serve decides that; the page refuses every request
// that a page of somebody else could have sent under a name of its own (DNS rebinding).
package page

import (
	"context"
	"embed"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/laptop"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/loopback"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Page answers at / and below /page/.
type Page struct {
	records  oauth.TokenRegistry
	requests *requests
	demo     []byte // JSON
}

// New shows the records of a store, and signs in as the user of a demo.
func New(d laptop.Demo, records oauth.TokenRegistry) *Page {
	all := d.JSON()
	// Of the demo's secrets the password alone: phones have no other.
	demo, _ := json.Marshal(map[string]string{ // three strings
		"client_id": all.PublicClientID, "username": all.Username, "password": all.Password,
	})
	return &Page{records: records, requests: new(requests), demo: demo}
}

// Over serves the page, and everything else by api.
func (p *Page) Over(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" && !strings.HasPrefix(r.URL.Path, "/page/") {
			api.ServeHTTP(w, r)
			return
		}
		for name, value := range headers {
			w.Header().Set(name, value)
		}
		switch {
		case !isLoopback(r.Host):
			http.Error(w, "this page is for the browser of this machine, at localhost", http.StatusMisdirectedRequest)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "the method is not one of this resource", http.StatusMethodNotAllowed)
		default:
			p.answer(w, r)
		}
	})
}

// headers are those of every answer. The browser loads and asks nothing from anywhere
// else, runs no script that is written into the page, and shows the page in no frame.
// Scripts of other origins get none of the answers, whatever --cors-origin says.
var headers = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Referrer-Policy":              "no-referrer",
	"X-Content-Type-Options":       "nosniff",
	"Cache-Control":                "no-store",
}

// isLoopback reports a Host that means this machine whatever a name server says.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return loopback.Is(strings.Trim(host, "[]"))
}

//go:embed page.html page.css page.js icon.svg
var files embed.FS

// types are those of the files, because a machine may know others for their names.
var types = map[string]string{
	"page.html": "text/html; charset=utf-8", "page.css": "text/css; charset=utf-8",
	"page.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml",
}

func (p *Page) answer(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/page/")
	switch name {
	case "demo.json":
		write(w, "application/json", p.demo)
		return
	case "state.json":
		text, err := p.state(r.Context())
		if err != nil {
			http.Error(w, "the records cannot be read", http.StatusServiceUnavailable)
			return
		}
		write(w, "application/json", text)
		return
	case "/":
		name = "page.html"
	}
	text, err := files.ReadFile(name)
	if err != nil {
		http.Error(w, "there is nothing", http.StatusNotFound)
		return
	}
	write(w, types[name], text)
}

func write(w http.ResponseWriter, contentType string, text []byte) {
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(text) // the browser is gone if this fails
}

// state is what the page draws again and again. None of it is a secret.
func (p *Page) state(ctx context.Context) ([]byte, error) {
	s := struct {
		Items    []map[string]any  `json:"items"`
		Requests []json.RawMessage `json:"requests"` // the last, from the oldest on
		Count    int               `json:"count"`
		Calls    int               `json:"calls"`
	}{Items: []map[string]any{}}
	err := p.records.Each(ctx, func(r ledger.Record) error {
		s.Items = append(s.Items, dynamo.Show(r))
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(s.Items, func(a, b map[string]any) int {
		return strings.Compare(a["pk"].(string)+a["sk"].(string), b["pk"].(string)+b["sk"].(string)) // keys are texts
	})
	if s.Requests, s.Count, s.Calls, err = p.requests.last(); err != nil {
		return nil, err
	}
	return json.Marshal(s)
}
