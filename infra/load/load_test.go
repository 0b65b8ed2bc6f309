package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/wire"
)

func unchanged(h http.Handler) http.Handler { return h }

// loadFor drives a service of its own for a short time and checks that nothing is left.
func loadFor(t *testing.T, ctx context.Context, around func(http.Handler) http.Handler, args ...string) (printed, said string, err error) {
	t.Helper()
	d, err := inProcess(around)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	o, err := parseOptions(append([]string{"-users", "3", "-devices", "2", "-workers", "4", "-for", "1500ms", "-chart", filepath.Join(t.TempDir(), "load.svg")}, args...), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	err = d.load(ctx, o, &stdout, &stderr)
	checkNothingIsLeft(t, d)
	if text := stdout.String() + stderr.String(); strings.Contains(text, "fob_at_") || strings.Contains(text, "fob_rt_") {
		t.Error("it shows a token")
	}
	return stdout.String(), stderr.String(), err
}

func checkNothingIsLeft(t *testing.T, d *deployment) {
	t.Helper()
	users, err := oauth.AllUsers(t.Context(), d.users.Users)
	if len(users) > 0 || err != nil {
		t.Errorf("%d users are left, %v", len(users), err)
	}
	clients, err := d.clients.Clients.ListClients(t.Context())
	if len(clients) > 0 || err != nil {
		t.Errorf("%d clients are left, %v", len(clients), err)
	}
	if err := d.users.Registry.Each(t.Context(), func(r ledger.Record) error { return fmt.Errorf("a token is left: %v", r.Authorization.Subject) }); err != nil {
		t.Error(err)
	}
}

// endedBy returns a context that ends with the n-th request, however slow the machine is.
func endedBy(t *testing.T, n int64, around func(http.Handler) http.Handler) (context.Context, func(http.Handler) http.Handler) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	t.Cleanup(end)
	var requests atomic.Int64
	return ctx, func(h http.Handler) http.Handler {
		h = around(h)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if requests.Add(1) == n {
				end()
			}
			h.ServeHTTP(w, r)
		})
	}
}

// The smoke of CI: every verb is used and every answer is right.
func TestLoad(t *testing.T) {
	chart := filepath.Join(t.TempDir(), "load.svg")
	ctx, counted := endedBy(t, 150, unchanged)
	printed, said, err := loadFor(t, ctx, counted, "-for", "5m", "-chart", chart, "-mix", "again=3,refresh=3,introspect=3,revoke=2,ended=2")
	t.Logf("%s%s", said, printed)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(verbNames[:], "all") {
		if row := regexp.MustCompile(`(?m)^ *` + name + ` +[1-9].* 0$`); !row.MatchString(printed) {
			t.Errorf("no row of %s with requests and without faults", name)
		}
	}
	if !strings.Contains(said, " more  0 not as they should be") {
		t.Error("it shows no progress")
	}
	text, err := os.ReadFile(chart)
	if err != nil {
		t.Fatal(err)
	}
	for decoder := xml.NewDecoder(bytes.NewReader(text)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the chart: %v", err)
		}
	}
	if found := regexp.MustCompile(`https?://[^"]*|href|script`).FindAllString(string(text), -1); len(found) != 1 {
		t.Errorf("the chart needs %q, and not its name space alone", found)
	}
}

// spoil lets edit change the answers of a path, those with a member of that name.
func spoil(path, member string, edit func(map[string]any)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			body := rec.Body.Bytes()
			var members map[string]any
			if r.URL.Path == path && json.Unmarshal(body, &members) == nil && members[member] != nil {
				edit(members)
				body, _ = json.Marshal(members)
			}
			w.WriteHeader(rec.Code)
			_, _ = w.Write(body)
		})
	}
}

func failing(path string, status int) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == path {
				w.Header().Set("Location", "/elsewhere") // where a redirect would lead
				w.WriteHeader(status)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Each fault is put into the answers that its mix asks for, and a phone comes to them within
// four requests. A mix that left it to chance did not come to them in one run of twenty.
func TestNoticesWhatIsWrong(t *testing.T) {
	var n atomic.Int64
	for want, test := range map[string]struct {
		mix    string
		around func(http.Handler) http.Handler
	}{
		"another token while the first is young": {"again=1", spoil(wire.TokenPath, "access_token", func(m map[string]any) { m["access_token"] = fmt.Sprint("fob_at_", n.Add(1)) })},
		"another refresh token at a login":       {"again=1", spoil(wire.TokenPath, "access_token", func(m map[string]any) { m["refresh_token"] = fmt.Sprint(m["refresh_token"], n.Add(1)) })},
		"refresh: refused: status 400":           {"refresh=1", spoil(wire.TokenPath, "access_token", func(m map[string]any) { m["refresh_token"] = "fob_rt_other" })},
		"without both tokens":                    {"again=1", spoil(wire.TokenPath, "refresh_token", func(m map[string]any) { delete(m, "refresh_token") })},
		"not for the device":                     {"again=1", spoil(wire.TokenPath, "access_token", func(m map[string]any) { m["scope"] = "device_other" })},
		"a token in force is inactive":           {"introspect=1", spoil(wire.IntrospectPath, "username", func(m map[string]any) { clear(m); m["active"] = false })},
		"a token that was revoked is active":     {"ended=1", spoil(wire.IntrospectPath, "active", func(m map[string]any) { m["active"] = true })},
		"a token of somebody else":               {"introspect=1", spoil(wire.IntrospectPath, "username", func(m map[string]any) { m["username"] = "ann" })},
		"says whose it was":                      {"ended=1", spoil(wire.IntrospectPath, "active", func(m map[string]any) { m["username"] = "ann" })},
		"does not say active or not":             {"introspect=1", spoil(wire.IntrospectPath, "active", func(m map[string]any) { delete(m, "active") })},
		"revoke: no answer: status 503":          {"revoke=1", failing(wire.RevokePath, http.StatusServiceUnavailable)},
		"revoke: refused: status 429":            {"revoke=1", failing(wire.RevokePath, http.StatusTooManyRequests)},
		"introspect: refused: status 307":        {"introspect=1", failing(wire.IntrospectPath, http.StatusTemporaryRedirect)},
		"login: no answer: the connection failed": {"again=1", func(http.Handler) http.Handler {
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		}},
	} {
		t.Run(want, func(t *testing.T) {
			ctx, counted := endedBy(t, 5, test.around)
			printed, _, err := loadFor(t, ctx, counted, "-for", "5m", "-users", "1", "-devices", "1", "-workers", "1", "-mix", test.mix)
			if err == nil || !strings.Contains(err.Error(), "not as they should be") {
				t.Errorf("the run ended with %v", err)
			}
			if !strings.Contains(printed, want) {
				t.Errorf("no word of %q:\n%s", want, printed)
			}
		})
	}
}

// A refresh token that stays is noticed, and a revoked token that comes back.
func TestJudge(t *testing.T) {
	p := &phone{device: "device_a", access: "a", refresh: "r", since: time.Now(), lifetime: time.Hour, ended: "e"}
	good := answer{AccessToken: "a", RefreshToken: "r", ExpiresIn: 3600, Scope: "read device_a"}
	for _, test := range []struct {
		verb verb
		edit func(*answer)
		age  time.Duration
		want string
	}{
		{again, func(*answer) {}, 0, ""},
		{refresh, func(a *answer) { a.RefreshToken = "s" }, 0, ""},
		{refresh, func(*answer) {}, 0, "wrong: a refresh token that did not rotate"},
		{login, func(a *answer) { a.AccessToken = "e" }, 0, "wrong: a token that was revoked comes back"},
		{again, func(a *answer) { a.AccessToken = "b" }, 0, "wrong: another token while the first is young"},
		{again, func(a *answer) { a.AccessToken = "b" }, 31 * time.Minute, ""},
		{refresh, func(a *answer) { a.AccessToken, a.RefreshToken = "b", "s" }, 31 * time.Minute, ""},
	} {
		got, phone := good, *p
		test.edit(&got)
		phone.since = phone.since.Add(-test.age)
		if fault := phone.judge(test.verb, got); fault != test.want {
			t.Errorf("%v of %+v after %v: %q, want %q", test.verb, got, test.age, fault, test.want)
		}
	}
}

// Interrupted, it still prints what it found and removes what it made.
func TestInterrupted(t *testing.T) {
	ctx, interrupted := endedBy(t, 5, unchanged)
	began := time.Now()
	printed, said, err := loadFor(t, ctx, interrupted, "-for", "5m")
	if err != nil || time.Since(began) > time.Minute || !strings.Contains(printed, "login") || !strings.Contains(said, "Removed") {
		t.Errorf("after %v: %v\n%s%s", time.Since(began), err, said, printed)
	}
	if _, _, err := loadFor(t, ctx, unchanged); !errors.Is(err, context.Canceled) { // while it adds users
		t.Errorf("interrupted at once: %v", err)
	}
}

// A run that was killed is removed by its name.
func TestRemove(t *testing.T) {
	d, err := inProcess(unchanged)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	c := &cast{name: newName(), users: 20, devices: 1}
	if err := d.add(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if fault := phonesOf(newService(d.base, 1, c), 0, 1)[0].do(t.Context(), login); fault != "" {
		t.Fatal(fault)
	}
	for range 2 { // the second time there is nothing
		if err := d.removeAll(t.Context(), c.name, c.users, false); err != nil {
			t.Fatal(err)
		}
		checkNothingIsLeft(t, d)
	}
}

// With a rate, requests are due at even times, and one that is late counts from then.
func TestRate(t *testing.T) {
	slow := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(50 * time.Millisecond)
			next.ServeHTTP(w, r)
		})
	}
	d, err := inProcess(slow)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	c := &cast{name: newName(), users: 1, devices: 1}
	if err := d.add(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	o := options{workers: 1, rate: 100, duration: 4 * time.Second, mix: defaultMix}
	r := drive(t.Context(), o, newService(d.base, 1, c), func(string, ...any) {})
	// One worker makes at most 80 of 400, and each of them is later than the one before.
	if n := len(r.all); n < 2 || n > 80 {
		t.Fatalf("%d requests", n)
	}
	for i, x := range r.all {
		if x.at != time.Duration(i)*10*time.Millisecond || x.took < time.Duration(i)*40*time.Millisecond {
			t.Errorf("request %d was due after %v and took %v", i, x.at, x.took)
		}
	}
}

func TestPercentile(t *testing.T) {
	var times []time.Duration
	for i := range 1000 {
		times = append(times, time.Duration(i+1))
	}
	for part, want := range map[float64]time.Duration{0.5: 500, 0.9: 900, 0.99: 990, 0.999: 999, 1: 1000} {
		if got := percentile(times, part); got != want {
			t.Errorf("percentile %v of 1 to 1000 is %d, want %d", part, got, want)
		}
	}
	if got := percentile(nil, 0.5); got != 0 {
		t.Errorf("of none it is %v", got)
	}
	if got := percentile(times[:1], 0.999); got != 1 {
		t.Errorf("of one it is %v", got)
	}
}

func TestRefusedOptions(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"https://login.example.com", "-stack or -dynamodb"},
		{"-dynamodb http://localhost:8000", "the address of the service"},
		{"-stack a -dynamodb http://localhost:8000", "exclude each other"},
		{"-stack a http://login.example.com", "must be https"},
		{"-stack a https://login.example.com/?x", "must be like"},
		{"-stack a https://a.example https://b.example", "one address"},
		{"-users 0", "-users must be"},
		{"-devices 26", "-devices must be"},
		{"-workers 0", "-workers must be"},
		{"-for 0s", "-for must be above"},
		{"-mix again=0", "above 0"},
		{"-mix login=3", "want verbs"},
		{"-mix sing=3", "want verbs"},
	} {
		if _, err := parseOptions(strings.Fields(test.args), io.Discard); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.args, err, test.want)
		}
	}
	d := &deployment{base: "https://login.example.com", close: func() {}}
	if err := d.load(t.Context(), options{}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "-rate") {
		t.Errorf("without a rate against a deployment: %v", err)
	}
}
