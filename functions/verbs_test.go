package functions_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/fob-oauth/fob/internal/apigw"
	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/wire"
)

// verbs are the requests of which each costs should be known, from the bytes of the event
// to those of the answer, on stores of the memory or of an engine.
type verbs struct {
	t                         testing.TB
	token, introspect, revoke lambda.Handler
	access                    string // of alice on her phone
	refresh                   string // of the public client
	now                       time.Time
}

type bothUsers interface {
	oauth.Users
	oauth.UserRegistry
}

func newVerbs(t testing.TB, tokens oauth.Tokens, clients oauth.ClientRegistry, users bothUsers) *verbs {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(clients.SaveResourceScopes(t.Context(), oauth.ResourceScopes{Roles: map[string][]string{"read": nil, "write": nil}}))
	both := oauthtest.Scopes(t, "read write")
	for _, c := range []oauth.Client{
		{ID: "backend", Grants: oauth.GrantTypes(), Scopes: both, DefaultScopes: both, AccessLifetime: 24 * 3600},
		{ID: "app", Public: true, Grants: []oauth.GrantType{oauth.PasswordGrant, oauth.RefreshTokenGrant}, Scopes: both, DefaultScopes: both, AccessLifetime: 24 * 3600},
		{ID: "api", Introspects: []string{"backend", "app"}},
	} {
		oauthtest.SaveClient(t, clients, c, time.Now().Unix())
	}
	oauthtest.SaveUser(t, users, oauth.User{Username: "alice", ID: oauth.NewUserID()}, oauthtest.Password("alice"))

	v := &verbs{t: t, now: time.Now()}
	now := func() time.Time { return v.now }
	ring := oauthtest.Ring(t, "")
	cache := oauth.NewClientCache(clients, func() time.Time { return time.Unix(0, 0) }) // never renewed
	issuer := &oauth.Issuer{
		Tokens: tokens, Clients: cache, Users: users, Passwords: new(oauthtest.Passwords),
		Keys: oauthtest.Keys[*bearer.MintRing]{Always: ring}, Now: now,
	}
	verifier := &oauth.Verifier{
		Tokens: tokens, Clients: cache, Keys: oauthtest.Keys[*bearer.CheckRing]{Always: ring.CheckRing}, Now: now,
	}
	o := wire.Options{Function: "fob-prod-TokenFunction-1A2B3C4D5E6F", Log: slog.New(slog.NewJSONHandler(io.Discard, nil))}
	handler := func(h http.Handler) lambda.Handler { return lambda.NewHandler(apigw.Handler(h, o)) }
	v.token, v.introspect, v.revoke = handler(wire.Token(issuer, o)), handler(wire.Introspect(verifier, o)), handler(wire.Revoke(verifier, o))
	login := v.send(v.token, v.event("/token", "app", url.Values{
		"grant_type": {"password"}, "username": {"alice"}, "password": {oauthtest.Password("alice")}, "scope": {"read device_phone"},
	}))
	v.access, v.refresh = login["access_token"], login["refresh_token"]
	return v
}

// event is what an HTTP API sends for a request, with the headers that it has.
func (v *verbs) event(path, client string, form url.Values) []byte {
	v.t.Helper()
	headers := map[string]string{
		"accept": "application/json", "content-type": "application/x-www-form-urlencoded", "user-agent": "okhttp/4.12.0",
		"host": "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com", "x-amzn-trace-id": "Root=1-67891233-abcdef012345678912345678",
		"x-forwarded-for": "192.0.2.1", "x-forwarded-port": "443", "x-forwarded-proto": "https", "content-length": "200",
	}
	if client == "app" {
		form.Set("client_id", client)
	} else {
		pair := client + ":" + oauthtest.Secret("api")
		if client == "backend" {
			pair = client + ":" + oauthtest.Secret("backend")
		}
		headers["authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
	}
	event, err := json.Marshal(map[string]any{
		"version": "2.0", "routeKey": "POST " + path, "rawPath": path, "rawQueryString": "", "headers": headers,
		"requestContext": map[string]any{
			"accountId": "123456789012", "apiId": "a1b2c3d4e5", "domainName": headers["host"], "domainPrefix": "a1b2c3d4e5",
			"http":      map[string]string{"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": headers["user-agent"]},
			"requestId": "JKJaXmPLvHcESHA=", "routeKey": "POST " + path, "stage": "$default", "time": "12/Mar/2026:19:03:58 +0000", "timeEpoch": 1773342238000,
		},
		"body": form.Encode(), "isBase64Encoded": false,
	})
	if err != nil {
		v.t.Fatal(err)
	}
	return event
}

// send returns the members of the answer that are texts.
func (v *verbs) send(h lambda.Handler, event []byte) map[string]string {
	v.t.Helper()
	out, err := h.Invoke(context.Background(), event)
	if err != nil {
		v.t.Fatal(err)
	}
	var answer struct {
		StatusCode int    `json:"statusCode"`
		Body       string `json:"body"`
	}
	if err := json.Unmarshal(out, &answer); err != nil || answer.StatusCode != http.StatusOK {
		v.t.Fatalf("answered %d: %v", answer.StatusCode, err)
	}
	var members map[string]any
	_ = json.Unmarshal([]byte(answer.Body), &members)
	texts := map[string]string{}
	for name, value := range members {
		if text, ok := value.(string); ok {
			texts[name] = text
		}
	}
	return texts
}

// all are the verbs by name. Each may be called again and again.
func (v *verbs) all() map[string]func() {
	n := 0
	own := func(device string) url.Values {
		return url.Values{"grant_type": {"client_credentials"}, "scope": {"read " + device}}
	}
	repeated := func(h lambda.Handler, event []byte) func() {
		v.send(h, event)
		return func() {
			if _, err := h.Invoke(context.Background(), event); err != nil {
				v.t.Fatal(err)
			}
		}
	}
	revoked := v.send(v.token, v.event("/token", "backend", own("device_revoked")))["access_token"]
	forged := v.access[:len(v.access)-20] + strings.ToLower(v.access[len(v.access)-20:len(v.access)-1]) + v.access[len(v.access)-1:]
	return map[string]func(){
		"returned":     repeated(v.token, v.event("/token", "backend", own("device_returned"))),
		"introspected": repeated(v.introspect, v.event("/introspect", "api", url.Values{"token": {v.access}})),
		"forged":       repeated(v.introspect, v.event("/introspect", "api", url.Values{"token": {forged}})),
		"revoked":      repeated(v.revoke, v.event("/revoke", "backend", url.Values{"token": {revoked}})),
		"refreshed": func() {
			v.refresh = v.send(v.token, v.event("/token", "app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {v.refresh}}))["refresh_token"]
		},
		// A new device each time, a second later: after the first 25 the cap is full.
		"issued": func() {
			n++
			v.now = v.now.Add(time.Second)
			v.send(v.token, v.event("/token", "backend", own(fmt.Sprint("device_", n))))
		},
	}
}

func inMemory(t testing.TB) *verbs {
	return newVerbs(t, memory.NewTokens(), memory.NewClients(), memory.NewUsers())
}

// The memory stores allocate little of their own, so this is fob without DynamoDB. Some
// 55 allocations of each are for an event with nine headers and its answer. "refreshed"
// and "issued" include the making of the event. `make test` runs it without the race
// detector, under which a sync.Pool drops things at random.
func TestAllocations(t *testing.T) {
	limits := map[string]float64{"returned": 120, "introspected": 107, "forged": 97, "revoked": 106, "refreshed": 266, "issued": 394}
	for name, do := range inMemory(t).all() {
		for range 30 {
			do()
		}
		n := testing.AllocsPerRun(100, do)
		t.Logf("%s: %.0f allocations", name, n)
		if n > limits[name] && !raced() {
			t.Errorf("%s: %.0f allocations, want at most %.0f", name, n, limits[name])
		}
	}
}

// raced says whether this test was built with -race.
func raced() bool {
	build, _ := debug.ReadBuildInfo()
	return slices.Contains(build.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
