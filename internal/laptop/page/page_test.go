package page_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// paths are all at which the page answers.
var paths = []string{"/", "/page/page.css", "/page/page.js", "/page/icon.svg", "/page/demo.json", "/page/state.json"}

// A page of somebody else whose name leads to this machine gets nothing.
func TestHosts(t *testing.T) {
	w := inMemory(t)
	for host, want := range map[string]int{
		"localhost": 200, "localhost:8080": 200, "LocalHost:1": 200, "127.0.0.1": 200, "127.0.0.1:8080": 200, "127.9.9.9": 200, "[::1]": 200, "[::1]:8080": 200,
		"": 421, "example.com": 421, "example.com:8080": 421, "localhost.example.com": 421, "example.localhost": 421, "127.0.0.1.example.com": 421,
		"192.0.2.1:8080": 421, "0.0.0.0:8080": 421, "[::]:8080": 421, "[2001:db8::1]": 421,
	} {
		for _, path := range append(paths, "/page/nothing") {
			want := want
			if path == "/page/nothing" && want == 200 {
				want = 404
			}
			if rec := w.send(t, http.MethodGet, path, host, ""); rec.Code != want {
				t.Errorf("%s of the host %q: status %d, want %d", path, host, rec.Code, want)
			}
		}
	}
	// The endpoints take every host, as they do without the page.
	if rec := w.send(t, http.MethodPost, "/token", "example.com", ""); rec.Code == http.StatusMisdirectedRequest {
		t.Error("the page keeps requests from the endpoints")
	}
}

// The browser takes nothing from elsewhere, and gives nothing to other origins, also not to
// those that may read the answers of the endpoints.
func TestHeaders(t *testing.T) {
	w := inMemory(t)
	for _, path := range append(paths, "/page/nothing") {
		rec := w.send(t, http.MethodGet, path, "localhost", "")
		policy := rec.Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; ", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy %q lacks %q", path, policy, want)
			}
		}
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin": "", "Cross-Origin-Resource-Policy": "same-origin", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
		} {
			if got := rec.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
	if rec := w.send(t, http.MethodGet, "/me", "localhost", ""); rec.Header().Get("Access-Control-Allow-Origin") != origin {
		t.Error("the control: the endpoints give this origin nothing either")
	}
	for _, path := range paths {
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
			if rec := w.send(t, method, path, "localhost", ""); rec.Code != http.StatusMethodNotAllowed || rec.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %d, Allow: %s", method, path, rec.Code, rec.Header().Get("Allow"))
			}
		}
	}
}

// The files name no other server, and nothing that the policy forbids.
func TestFilesAskNothingOutside(t *testing.T) {
	for _, name := range []string{"page.html", "page.css", "page.js", "icon.svg"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		plain := strings.Replace(string(text), `xmlns="http://www.w3.org/2000/svg"`, "", 1)
		forbidden := regexp.MustCompile(`(?i)https?:|["'(]//|@import|url\(|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|localStorage|sessionStorage|cookie|\sstyle=|\son[a-z]+=`)
		if found := forbidden.FindAllString(plain, -1); found != nil {
			t.Errorf("%s has %q", name, found)
		}
	}
}

// state is what the page shows.
type state struct {
	Items    []map[string]any
	Requests []struct {
		Endpoint, Outcome string
		Calls             int `json:"store_calls"`
	}
	Count, Calls int
}

func (w world) state(t *testing.T) (s state, text string) {
	t.Helper()
	rec := w.send(t, http.MethodGet, "/page/state.json", "localhost", "")
	if err := json.Unmarshal(rec.Body.Bytes(), &s); err != nil || rec.Code != http.StatusOK {
		t.Fatalf("%d, %v: %s", rec.Code, err, rec.Body)
	}
	return s, rec.Body.String()
}

// story is what the page is there to show. It returns what the phones got and used, which are secrets.
func (w world) story(t *testing.T) (secrets []string) {
	t.Helper()
	login := func(scope string) string {
		rec := w.send(t, http.MethodPost, "/token", "localhost", "grant_type=password&client_id="+w.demo.PublicClientID+"&username="+w.demo.Username+
			"&password="+url.QueryEscape(w.demo.Password)+"&scope="+url.QueryEscape(scope))
		var body struct {
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token"`
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil || body.Access == "" {
			t.Fatalf("%v: %s", err, rec.Body)
		}
		secrets = append(secrets, body.Access)
		if body.Refresh != "" {
			secrets = append(secrets, body.Refresh)
		}
		return body.Access
	}
	logOut := func(token string) {
		if rec := w.send(t, http.MethodPost, "/revoke", "localhost", "client_id="+w.demo.PublicClientID+"&token="+token); rec.Code != http.StatusOK {
			t.Fatal(rec.Body)
		}
	}
	shared := login("read")
	if login("read") != shared {
		t.Error("another token for the second phone")
	}
	logOut(shared)
	ipad := login("read device_ipad")
	login("read device_iphone")
	logOut(ipad)
	return append(secrets, w.demo.Password, w.demo.ClientSecret, w.demo.ResourceClientSecret)
}

func TestState(t *testing.T) {
	w := inMemory(t)
	empty, text := w.state(t)
	if len(empty.Items) != 0 || empty.Count != 0 || !strings.Contains(text, `"items":[]`) || !strings.Contains(text, `"requests":[]`) {
		t.Errorf("before the first request: %s", text)
	}
	secrets := w.story(t)
	s, text := w.state(t)
	for _, secret := range append(secrets, "fob_at_", "fob_rt_") {
		if strings.Contains(text, secret) {
			t.Errorf("the state shows %q", secret)
		}
	}
	if len(s.Items) != 1 || s.Items[0]["dv"] != "iphone" || s.Items[0]["sc"] != "read" {
		t.Errorf("items %v, want that of the iPhone alone", s.Items)
	}
	var did []string
	calls := 0
	for _, r := range s.Requests {
		did = append(did, r.Endpoint+" "+r.Outcome)
		calls += r.Calls
	}
	want := []string{"token issued", "token returned", "revoke revoked", "token issued", "token issued", "revoke revoked"}
	if diff := cmp.Diff(want, did); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if s.Count != len(want) || s.Calls != calls || calls == 0 {
		t.Errorf("%d requests with %d calls, want %d with %d", s.Count, s.Calls, len(want), calls)
	}
	for range 40 {
		w.send(t, http.MethodGet, "/me", "localhost", "")
	}
	w.send(t, http.MethodGet, "/token", "localhost", "") // refused
	s, _ = w.state(t)
	if len(s.Requests) != 30 || s.Count != len(want)+41 {
		t.Fatalf("%d requests of %d are shown, want the last 30 of %d", len(s.Requests), s.Count, len(want)+41)
	}
	if first, last := s.Requests[0].Endpoint, s.Requests[29].Endpoint; first != "me" || last != "token" {
		t.Errorf("the requests are from %q to %q, want them from the oldest on", first, last)
	}
}

// The secrets of the other clients of the demo are in no answer.
func TestDemoHasThePasswordAlone(t *testing.T) {
	w := inMemory(t)
	for _, path := range paths {
		text := w.send(t, http.MethodGet, path, "localhost", "").Body.String()
		for _, secret := range []string{w.demo.ClientSecret, w.demo.ResourceClientSecret} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows the secret of a client", path)
			}
		}
		if got, want := strings.Contains(text, w.demo.Password), path == "/page/demo.json"; got != want {
			t.Errorf("%s: the password is in it: %v", path, got)
		}
	}
}

func (w world) send(t *testing.T, method, path, host, form string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(form))
	r.Host = host
	r.Header.Set("Origin", origin)
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	return rec
}
