package functions_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/keys"
)

// reply is what a sample event is answered with.
type reply struct {
	status int
	header map[string]string
	body   map[string]any // nil is an empty body; see settled
}

type sample struct {
	asItIs reply
	// filledIn is the reply once a real token stands where the sample has none.
	filledIn *reply
}

// httpAddress is that of the API that the samples of HTTP APIs came from.
const httpAddress = "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com"

func samples() map[string]sample {
	issued := func(scope string, more ...string) reply {
		body := map[string]any{"access_token": "an access token", "token_type": "Bearer", "expires_in": "seconds", "scope": scope}
		for _, name := range more {
			body[name] = "a refresh token"
		}
		return reply{status: http.StatusOK, body: body}
	}
	refused := func(status int, code, description string) reply {
		return reply{status: status, body: map[string]any{"error": code, "error_description": description}}
	}
	wrongMethod := refused(http.StatusMethodNotAllowed, "invalid_request", "the method must be POST")
	wrongMethod.header = map[string]string{"Allow": "POST"}
	refreshed := issued("read device_sample", "refresh_token")
	revoked := reply{status: http.StatusOK}
	badToken := refused(http.StatusUnauthorized, "invalid_token", "the access token is invalid, expired, revoked or not for this resource")
	badToken.header = map[string]string{"Www-Authenticate": `Bearer realm="fob", error="invalid_token"`}
	listed := reply{status: http.StatusOK, body: map[string]any{"devices": "a list with this device"}}
	done := reply{status: http.StatusNoContent}
	const base = httpAddress
	described := reply{status: http.StatusOK, body: map[string]any{
		"issuer": base, "token_endpoint": base + "/token", "revocation_endpoint": base + "/revoke", "introspection_endpoint": base + "/introspect",
		"grant_types_supported":                         []any{"password", "client_credentials", "refresh_token"},
		"token_endpoint_auth_methods_supported":         []any{"client_secret_basic", "client_secret_post", "none"},
		"revocation_endpoint_auth_methods_supported":    []any{"client_secret_basic", "client_secret_post", "none"},
		"introspection_endpoint_auth_methods_supported": []any{"client_secret_basic", "client_secret_post"},
	}}
	active := reply{status: http.StatusOK, body: map[string]any{
		"active": true, "scope": "read device_sample", "client_id": demoClient, "username": demoUser, "token_type": "Bearer",
		"exp": "time", "iat": "time", "sub": "a user id", "aud": []any{demoAPI}, "jti": "an id", "device": "sample",
		"iss": base,
	}}

	return map[string]sample{
		"token/events/password.json":           {asItIs: issued("read device_ipad", "refresh_token")},
		"token/events/password-base64.json":    {asItIs: issued("read device_ipad", "refresh_token")},
		"token/events/client_credentials.json": {asItIs: issued("read")},
		"token/events/refresh.json": {
			asItIs:   refused(http.StatusBadRequest, "invalid_grant", "the refresh token is invalid, expired, revoked or of another client"),
			filledIn: &refreshed,
		},
		"token/events/wrong-method.json":    {asItIs: wrongMethod},
		"revoke/events/revoke.json":         {asItIs: revoked, filledIn: &revoked},
		"introspect/events/introspect.json": {asItIs: reply{status: http.StatusOK, body: map[string]any{"active": false}}, filledIn: &active},
		"devices/events/list.json":          {asItIs: badToken, filledIn: &listed},
		"devices/events/end.json":           {asItIs: badToken, filledIn: &done},
		"devices/events/sign-out.json":      {asItIs: badToken, filledIn: &done},
		"metadata/events/metadata.json":     {asItIs: described},
	}
}

var (
	accessToken  = regexp.MustCompile(`^fob_at_[A-Za-z0-9_-]{132}$`)
	refreshToken = regexp.MustCompile(`^fob_rt_[A-Za-z0-9_-]{132}$`)
	userID       = regexp.MustCompile(`^u_[a-z2-7]{26}$`)
	tokenID      = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)

	// placeholder is what a sample has in place of a token.
	placeholder = regexp.MustCompile(`fob_[ar]t_[A-Za-z0-9_-]{132}`)
)

// settled puts a word in the place of what differs from run to run, if it is
// such a thing.
func settled(body map[string]any) map[string]any {
	body = maps.Clone(body)
	now := float64(time.Now().Unix())
	for name, value := range body {
		text, _ := value.(string)
		number, _ := value.(float64)
		whole := number == float64(int64(number))
		switch {
		case name == "access_token" && accessToken.MatchString(text):
			body[name] = "an access token"
		case name == "refresh_token" && refreshToken.MatchString(text):
			body[name] = "a refresh token"
		case name == "expires_in" && whole && 3540 <= number && number <= 3600:
			body[name] = "seconds"
		case name == "exp" && whole && now < number && number <= now+3600, name == "iat" && whole && now-600 < number && number <= now:
			body[name] = "time"
		case name == "sub" && userID.MatchString(text):
			body[name] = "a user id"
		case name == "jti" && tokenID.MatchString(text):
			body[name] = "an id"
		case name == "devices" && listsThisDevice(value):
			body[name] = "a list with this device"
		}
	}
	return body
}

// listsThisDevice reports whether a value is a list of devices in which the sample's
// is the current one.
func listsThisDevice(value any) bool {
	list, _ := value.([]any)
	current := slices.DeleteFunc(slices.Clone(list), func(v any) bool { return v.(map[string]any)["current"] != true })
	if len(current) != 1 {
		return false
	}
	this := current[0].(map[string]any)
	return this["device"] == "sample" && this["client_id"] == demoClient
}

// Every sample event gets the answer that it is a sample of, in the encoding
// that it is in and in the other.
func TestSamples(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	functions := s.runAll(t)

	paths, err := filepath.Glob("*/events/*.json")
	must(t, err)
	paths = slices.DeleteFunc(paths, isGatewaySample) // see TestRESTSamples and TestAuthorizer
	samples := samples()
	if diff := cmp.Diff(slices.Sorted(maps.Keys(samples)), slices.Sorted(slices.Values(paths))); diff != "" {
		t.Fatalf("samples without a reply (+) or replies without a sample (-):\n%s", diff)
	}
	for _, path := range paths {
		name := strings.Split(filepath.ToSlash(path), "/")[0]
		want := samples[path]
		for _, encoding := range []string{"as it is", "in the other encoding"} {
			t.Run(path+" "+encoding, func(t *testing.T) {
				text, err := os.ReadFile(path)
				must(t, err)
				if encoding != "as it is" {
					text = encode(t, recoded(t, readSample(t, path)))
				}
				before := functions[name].tables.counts()
				check(t, functions[name].send(t, text), want.asItIs)

				e := readSample(t, path)
				if has := placeholder.MatchString(textOf(t, e)); has != (want.filledIn != nil) {
					t.Fatalf("the sample has a place for a token: %v; there is a reply for one: %v", has, want.filledIn != nil)
				} else if !has {
					return
				}
				// What is forged is not worth a call. The client's record may be one.
				after := functions[name].tables.counts()
				delete(before, "GetItem")
				delete(after, "GetItem")
				if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("calls for a forged token (-before +after):\n%s", diff)
				}
				scope := "read device_sample"
				if name == "devices" {
					scope = "devices device_sample"
				}
				e = filledIn(t, e, functions["token"].login(t, scope))
				if encoding != "as it is" {
					e = recoded(t, e)
				}
				check(t, functions[name].send(t, encode(t, e)), *want.filledIn)
			})
		}
	}
}

func check(t *testing.T, got answer, want reply) {
	t.Helper()
	if got.status != want.status {
		t.Errorf("status %d, want %d", got.status, want.status)
	}
	for name, value := range want.header {
		if got.header.Get(name) != value {
			t.Errorf("header %s: %q, want %q", name, got.header.Get(name), value)
		}
	}
	if diff := cmp.Diff(want.body, settled(got.members(t))); diff != "" {
		t.Errorf("the body (-want +got):\n%s", diff)
	}
}

// textOf is what a client sent where a token may be.
func textOf(t *testing.T, e events.APIGatewayV2HTTPRequest) string {
	t.Helper()
	_, body := bodyOf(t, e)
	return e.Headers["authorization"] + "\n" + body
}

// filledIn is the event with a token of a login in the place of its placeholder.
func filledIn(t *testing.T, e events.APIGatewayV2HTTPRequest, login answer) events.APIGatewayV2HTTPRequest {
	t.Helper()
	token := login.text(t, "access_token")
	if strings.Contains(textOf(t, e), "fob_rt_") {
		token = login.text(t, "refresh_token")
	}
	_, body := bodyOf(t, e)
	e.Body, e.IsBase64Encoded = placeholder.ReplaceAllString(body, token), false
	if has, ok := e.Headers["authorization"]; ok {
		e.Headers["authorization"] = placeholder.ReplaceAllString(has, token)
	}
	return e
}

// bodyOf returns the body as the client sent it, and whether it sent one.
func bodyOf(t *testing.T, e events.APIGatewayV2HTTPRequest) (sent bool, body string) {
	t.Helper()
	if !e.IsBase64Encoded {
		return e.Body != "", e.Body
	}
	text, err := base64.StdEncoding.DecodeString(e.Body)
	must(t, err)
	return true, string(text)
}

// recoded is the event with its body in the other encoding.
func recoded(t *testing.T, e events.APIGatewayV2HTTPRequest) events.APIGatewayV2HTTPRequest {
	t.Helper()
	_, body := bodyOf(t, e)
	if e.IsBase64Encoded = !e.IsBase64Encoded; e.IsBase64Encoded {
		body = base64.StdEncoding.EncodeToString([]byte(body))
	}
	e.Body = body
	return e
}

// routesOf are the routes of functions that are not at their own name.
var routesOf = map[string][]string{
	"devices":  {"/devices", "/devices/{device}", "/devices/sign-out"},
	"metadata": {"/.well-known/oauth-authorization-server"},
}

// The samples have the shape of what the template's gateway sends.
func TestSamplesHaveTheGatewaysShape(t *testing.T) {
	encodings := map[bool]int{}
	for path := range samples() {
		t.Run(path, func(t *testing.T) {
			e := readSample(t, filepath.FromSlash(path))
			name := strings.Split(path, "/")[0]
			route := "/" + name
			if routes, several := routesOf[name]; several {
				if route = strings.TrimPrefix(e.RouteKey, "ANY "); !slices.Contains(routes, route) {
					t.Errorf("the function has no route %s", route)
				}
			}
			called := strings.NewReplacer("{device}", e.PathParameters["device"]).Replace(route)
			at := e.RequestContext
			got := []string{e.Version, e.RouteKey, at.RouteKey, e.RawPath, at.HTTP.Path, at.AccountID, at.DomainName, at.Stage, at.HTTP.SourceIP, at.HTTP.UserAgent, at.HTTP.Protocol}
			want := []string{"2.0", "ANY " + route, "ANY " + route, called, called, "123456789012", e.Headers["host"], "$default", e.Headers["x-forwarded-for"], e.Headers["user-agent"], "HTTP/1.1"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if at.RequestID == "" || at.APIID == "" || !strings.HasPrefix(at.DomainName, at.APIID+".") || at.HTTP.Method == "" {
				t.Errorf("requestContext lacks something: %+v", at)
			}
			when, err := time.Parse("02/Jan/2006:15:04:05 -0700", at.Time)
			if err != nil || when.UnixMilli() != at.TimeEpoch {
				t.Errorf("time %q and timeEpoch %d are not the same: %v", at.Time, at.TimeEpoch, err)
			}
			for header := range e.Headers {
				if header != strings.ToLower(header) {
					t.Errorf("header %q: the gateway sends lower case", header)
				}
			}
			sent, body := bodyOf(t, e)
			if !sent {
				return
			}
			encodings[e.IsBase64Encoded]++
			if e.Headers["content-length"] != strconv.Itoa(len(body)) || e.Headers["content-type"] != "application/x-www-form-urlencoded" {
				t.Errorf("a body of %d bytes has the headers %v", len(body), e.Headers)
			}
		})
	}
	if encodings[true] == 0 || encodings[false] == 0 {
		t.Errorf("bodies in base64: %d, plain: %d; want some of both", encodings[true], encodings[false])
	}
}

// The transcript at the head of the design, through three programs that share
// nothing but tables and keys, and what goes wrong around it.
func TestPromise(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	functions := s.runAll(t)
	token, revoke, introspect := functions["token"], functions["revoke"], functions["introspect"]
	active := func(what string, a answer, device string) {
		t.Helper()
		got := introspect.introspectToken(t, a.text(t, "access_token"))
		if m := got.members(t); m["active"] != true || m["device"] != device || got.line.text("outcome") != "active" {
			t.Errorf("%s: want active for %s: %v", what, device, m)
		}
	}
	inactive := func(what string, a answer) {
		t.Helper()
		for _, name := range []string{"access_token", "refresh_token"} {
			if got := introspect.introspectToken(t, a.text(t, name)); got.body != `{"active":false}` {
				t.Errorf("%s: want its %s inactive: %s", what, name, got.body)
			}
		}
	}
	outcome := func(a answer, want string) {
		t.Helper()
		if got := a.line.text("outcome"); got != want {
			t.Errorf("outcome %s, want %s: %v", got, want, a.line)
		}
	}

	a := token.login(t, "device_ipad")
	outcome(a, "issued")
	again := token.login(t, "device_ipad")
	outcome(again, "returned")
	if again.text(t, "access_token") != a.text(t, "access_token") || again.text(t, "refresh_token") != a.text(t, "refresh_token") {
		t.Error("asked again, and it was another token")
	}
	if first, second := a.members(t)["expires_in"].(float64), again.members(t)["expires_in"].(float64); second > first || second < 1 {
		t.Errorf("expires_in went from %v to %v", first, second)
	}
	b := token.login(t, "device_iphone")
	if b.text(t, "access_token") == a.text(t, "access_token") {
		t.Error("the other device got the same token")
	}
	active("A", a, "ipad")
	active("B", b, "iphone")

	revoked := revoke.revokeToken(t, a.text(t, "access_token"))
	if revoked.status != http.StatusOK || revoked.body != "" {
		t.Errorf("revoke: status %d, body %q", revoked.status, revoked.body)
	}
	outcome(revoked, "revoked")
	inactive("A, revoked", a)
	active("B, beside it", b, "iphone")

	fresh := token.login(t, "device_ipad")
	outcome(fresh, "issued")
	if fresh.text(t, "access_token") == a.text(t, "access_token") || fresh.text(t, "refresh_token") == a.text(t, "refresh_token") {
		t.Error("a revoked token came back")
	}
	inactive("A, after a new login", a)
	active("the new one", fresh, "ipad")

	// What is refused, for the search as much as for the answer.
	const wrong = "not-the-password"
	s.know("wrong password", wrong)
	s.know("wrong client secret", "not-"+demoClientSecret)
	credentials := []string{"client_id", demoClient, "client_secret", demoClientSecret}
	refresh := func(token string, credentials ...string) []string {
		return append([]string{"grant_type", "refresh_token", "refresh_token", token}, credentials...)
	}
	for _, test := range []struct {
		name   string
		answer answer
		status int
		code   string
	}{
		{"wrong password", token.post(t, append([]string{"grant_type", "password", "username", demoUser, "password", wrong}, credentials...)...), http.StatusBadRequest, "invalid_grant"},
		{"unknown user", token.post(t, append([]string{"grant_type", "password", "username", demoUser + "-not", "password", wrong}, credentials...)...), http.StatusBadRequest, "invalid_grant"},
		{"password for a username", token.post(t, append([]string{"grant_type", "password", "username", demoPassword, "password", demoUser}, credentials...)...), http.StatusBadRequest, "invalid_grant"},
		{"wrong client secret", token.post(t, "grant_type", "client_credentials", "client_id", demoClient, "client_secret", "not-"+demoClientSecret), http.StatusUnauthorized, "invalid_client"},
		{"secret for a scope", token.post(t, append([]string{"grant_type", "client_credentials", "scope", demoClientSecret}, credentials...)...), http.StatusBadRequest, "invalid_scope"},
		{"revoked refresh token", token.post(t, refresh(a.text(t, "refresh_token"), credentials...)...), http.StatusBadRequest, "invalid_grant"},
		{"access token as refresh token", token.post(t, refresh(b.text(t, "access_token"), credentials...)...), http.StatusBadRequest, "invalid_grant"},
		{"token twice", revoke.post(t, append([]string{"token", b.text(t, "access_token"), "token", b.text(t, "access_token")}, credentials...)...), http.StatusBadRequest, "invalid_request"},
		{"anonymous revocation", revoke.post(t, "token", b.text(t, "access_token")), http.StatusUnauthorized, "invalid_client"},
		{"anonymous introspection", introspect.post(t, "token", b.text(t, "access_token")), http.StatusUnauthorized, "invalid_client"},
		{"introspection by a public client", introspect.post(t, "token", b.text(t, "access_token"), "client_id", demoApp), http.StatusUnauthorized, "invalid_client"},
		{"secrets in the query", token.send(t, withQuery(t, "token", form("password", demoPassword, "refresh_token", b.text(t, "refresh_token")))), http.StatusBadRequest, "invalid_request"},
	} {
		if got := test.answer.text(t, "error"); test.answer.status != test.status || got != test.code || test.answer.line.text("code") != test.code {
			t.Errorf("%s: %d %s, want %d %s; the line: %v", test.name, test.answer.status, got, test.status, test.code, test.answer.line)
		}
		if challenge := test.answer.header.Get("WWW-Authenticate"); (challenge == `Basic realm="fob"`) != (test.status == http.StatusUnauthorized) {
			t.Errorf("%s: status %d with the challenge %q", test.name, test.status, challenge)
		}
	}

	// Whoever mixes up the fields sends a secret as a client id. DynamoDB is asked
	// for it, since it might be one, but nobody keeps it.
	const misplaced = "a-secret-in-the-wrong-field"
	if a := token.post(t, "grant_type", "client_credentials", "client_id", misplaced, "client_secret", demoClient); a.status != http.StatusUnauthorized {
		t.Errorf("a secret as client id: status %d", a.status)
	}
	kept := slices.DeleteFunc(s.haystacks(t), func(h haystack) bool { return strings.HasPrefix(h.where, "calls ") })
	for _, leak := range search([]needle{{"what was sent as client id", misplaced}}, kept) {
		t.Error(leak)
	}

	// A public client rotates, and its first token that comes back within the
	// grace gets the same successor.
	phone := token.post(t, "grant_type", "password", "username", demoUser, "password", demoPassword, "scope", "device_phone", "client_id", demoApp)
	one := token.post(t, refresh(phone.text(t, "refresh_token"), "client_id", demoApp)...)
	outcome(one, "refreshed")
	same := token.post(t, refresh(phone.text(t, "refresh_token"), "client_id", demoApp)...)
	if one.text(t, "refresh_token") == phone.text(t, "refresh_token") || one.text(t, "refresh_token") != same.text(t, "refresh_token") {
		t.Error("a public client's refresh token must rotate to one successor")
	}
	active("B, after all that", b, "iphone")

	// The mint keys are for one function alone.
	for name, want := range map[string]map[string]int{
		"token":      {checkARN: 1, mintARN: 1},
		"revoke":     {checkARN: 1},
		"introspect": {checkARN: 1},
		"devices":    {checkARN: 1},
		"metadata":   {},
	} {
		if diff := cmp.Diff(want, functions[name].secrets.counts()); diff != "" {
			t.Errorf("%s: secrets fetched (-want +got):\n%s", name, diff)
		}
	}
}

func withQuery(t *testing.T, function, query string) []byte {
	t.Helper()
	e := readSample(t, filepath.Join(function, "events", "client_credentials.json"))
	e.RawQueryString = query
	return encode(t, e)
}

// 64 first requests at instances of their own processes: one token and one item.
func TestInstancesAgree(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	const processes, requests = 4, 16
	var instances []*instance
	for range processes {
		instances = append(instances, s.run(t, "token"))
	}
	event, err := os.ReadFile(filepath.Join("token", "events", "client_credentials.json"))
	must(t, err)

	var mu sync.Mutex
	tokens := map[string]int{}
	var wg sync.WaitGroup
	for _, i := range instances {
		wg.Go(func() {
			for range requests {
				o, err := i.invoke(t.Context(), event, timeout)
				var body struct {
					AccessToken string `json:"access_token"`
				}
				if err == nil {
					err = json.Unmarshal([]byte(o.response.Body), &body)
				}
				mu.Lock()
				if err != nil || o.response.StatusCode != http.StatusOK {
					t.Errorf("status %d: %v", o.response.StatusCode, err)
				}
				tokens[body.AccessToken]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for token, n := range tokens {
		s.know("access token", token)
		if n != processes*requests {
			t.Errorf("%d of %d requests got one token, and others another", n, processes*requests)
		}
	}
	if items := s.fixture.Items(t, s.fixture.Tables.Tokens); len(items) != 1 {
		t.Errorf("%d items, want one", len(items))
	}
	outcomes := map[string]int{}
	for _, i := range instances {
		for _, text := range i.stdout.next(t) {
			outcomes[parseLine(t, text).text("outcome")]++
		}
	}
	if diff := cmp.Diff(map[string]int{"issued": 1, "returned": processes*requests - 1}, outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// Between its start and the first request a function opens its connections, with
// these calls and no others.
func TestCallsBeforeTheFirstRequest(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	for name, want := range map[string]map[string]int{
		"token":      {checkARN: 1, mintARN: 1},
		"revoke":     {checkARN: 1},
		"introspect": {checkARN: 1},
		"devices":    {checkARN: 1},
		"metadata":   {},
	} {
		i := s.run(t, name)
		if diff := cmp.Diff(want, i.secrets.counts()); diff != "" {
			t.Errorf("%s: calls to Secrets Manager (-want +got):\n%s", name, diff)
		}
		calls := map[string]int{"GetItem": 1}
		if name == "metadata" { // it asks nobody
			calls = map[string]int{}
		}
		if diff := cmp.Diff(calls, i.tables.counts()); diff != "" {
			t.Errorf("%s: calls to DynamoDB (-want +got):\n%s", name, diff)
		}
		if said := i.stdout.next(t); len(said) > 0 {
			t.Errorf("%s had something to say about that: %s", name, said)
		}
	}
}

// A function that must not serve ends at once and says why, and what it is told
// in confidence it keeps to itself.
func TestRefusesToStart(t *testing.T) {
	const short = "short-key-text"
	all := func(name string) map[string]string {
		environment := map[string]string{
			"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "fixture", "AWS_SECRET_ACCESS_KEY": "fixture",
			"FOB_TOKENS_TABLE": "tokens", "FOB_CLIENTS_TABLE": "clients", "FOB_CHECK_SECRET": checkARN,
		}
		if name == "token" {
			environment["FOB_USERS_TABLE"], environment["FOB_MINT_SECRET"] = "users", mintARN
		}
		return environment
	}
	without := func(keys ...string) func(map[string]string) {
		return func(environment map[string]string) {
			for _, key := range keys {
				delete(environment, key)
			}
		}
	}
	with := func(key, value string) func(map[string]string) {
		return func(environment map[string]string) { environment[key] = value }
	}
	for _, test := range []struct {
		name, function string
		change         func(map[string]string)
		check, mint    string // the secrets, if they are bad ones
		want           []string
	}{
		{name: "nothing is set", function: "token", change: func(e map[string]string) { clear(e) },
			want: []string{"FOB_TOKENS_TABLE", "FOB_CLIENTS_TABLE", "FOB_USERS_TABLE", "FOB_CHECK_SECRET", "FOB_MINT_SECRET"}},
		{name: "nothing is set", function: "revoke", change: func(e map[string]string) { clear(e) },
			want: []string{"FOB_TOKENS_TABLE", "FOB_CLIENTS_TABLE", "FOB_CHECK_SECRET"}},
		{name: "nothing is set but an issuer", function: "introspect", change: func(e map[string]string) { clear(e); e["FOB_ISSUER"] = "http://fob.example" },
			want: []string{"FOB_TOKENS_TABLE", "FOB_CLIENTS_TABLE", "FOB_CHECK_SECRET", "FOB_ISSUER"}},
		{name: "nothing is set", function: "devices", change: func(e map[string]string) { clear(e) },
			want: []string{"FOB_TOKENS_TABLE", "FOB_CLIENTS_TABLE", "FOB_CHECK_SECRET"}},
		{name: "an issuer and a grant that are none", function: "metadata", change: func(e map[string]string) {
			clear(e)
			e["FOB_ISSUER"], e["FOB_PASSWORD_GRANT"] = "http://fob.example", "off"
		},
			want: []string{"FOB_ISSUER", "PasswordGrant"}},
		{name: "two are missing", function: "token", change: without("FOB_USERS_TABLE", "FOB_MINT_SECRET"),
			want: []string{"FOB_USERS_TABLE", "FOB_MINT_SECRET"}},
		{name: "one is empty", function: "revoke", change: with("FOB_TOKENS_TABLE", ""), want: []string{"FOB_TOKENS_TABLE"}},

		{name: "short mint key", function: "token", mint: `{"1": "` + short + `"}`, want: []string{"unusable key ring", "mint secret", "key 1"}},
		{name: "mint key that is the check key", function: "token", mint: `{"1": "` + checkKey + `"}`, want: []string{"unusable key ring", "mint secret", "repeats"}},
		{name: "no active mint key", function: "token", mint: `{"2": "` + mintKey + `"}`, want: []string{"unusable key ring", "the active key 1 is missing"}},
		{name: "short check key", function: "token", check: `{"issuer_epoch": 0, "states": {"1": "active"}, "1": "` + short + `"}`, want: []string{"unusable key ring", "check secret", "key 1"}},
		{name: "empty check key", function: "revoke", check: `{"issuer_epoch": 0, "states": {"1": "active"}, "1": ""}`, want: []string{"unusable key ring", "check secret", "key 1"}},
		{name: "doubled check key", function: "introspect", check: `{"issuer_epoch": 0, "states": {"1": "active", "2": "verify-only"}, "1": "` + checkKey + `", "2": "` + checkKey + `"}`, want: []string{"unusable key ring", "keys 1 and 2 are the same"}},
		{name: "no active check key", function: "introspect", check: `{"issuer_epoch": 0, "states": {"1": "retired"}, "1": "` + checkKey + `"}`, want: []string{"unusable key ring", "no key is active"}},
		{name: "check secret that is no JSON", function: "revoke", check: checkKey, want: []string{"unusable key ring", "not a JSON object"}},
	} {
		t.Run(test.function+" "+test.name, func(t *testing.T) {
			environment := all(test.function)
			manager := newSecretsManager(t)
			environment["AWS_ENDPOINT_URL_SECRETS_MANAGER"], environment["AWS_ENDPOINT_URL_DYNAMODB"] = manager.URL, nowhere
			if test.change != nil {
				test.change(environment)
			}
			if test.check != "" {
				manager.put(checkARN, test.check)
			}
			if test.mint != "" {
				manager.put(mintARN, test.mint)
			}
			f := start(t, test.function, environment)
			if status := f.awaitEnd(t); status != 1 {
				t.Errorf("exit status %d, want 1", status)
			}
			lines := f.stdout.next(t)
			if len(lines) != 1 {
				t.Fatalf("want one line that says why:\n%s", f.stdout.all(t))
			}
			l := parseLine(t, lines[0])
			if l.text("level") != "ERROR" || l.text("msg") != "start" {
				t.Errorf("want an error of the start: %s", lines[0])
			}
			for _, want := range test.want {
				if !strings.Contains(l.text("error"), want) {
					t.Errorf("no word of %s: %s", want, lines[0])
				}
			}
			if noise := f.stderr.all(t); len(noise) > 0 {
				t.Errorf("standard error: %s", noise)
			}
			logged := []haystack{{"log of " + test.function, f.stdout.all(t)}}
			for _, leak := range search([]needle{{"key", short}, {"key", checkKey}, {"key", mintKey}}, logged) {
				t.Error(leak)
			}
		})
	}
}

// nowhere is an address at which nobody listens. A port that was just closed
// would not do: somebody else on this machine may get it.
const nowhere = "http://127.0.0.1:1"

// Without its tables a function says so, in OAuth's words and in time, and it
// serves again as soon as they are back.
func TestOutage(t *testing.T) {
	const reserve = 300 * time.Millisecond // of the time that Lambda gives
	unavailable := reply{
		status: http.StatusServiceUnavailable,
		header: map[string]string{"Retry-After": "2"},
		body:   map[string]any{"error": "temporarily_unavailable", "error_description": "temporarily unavailable, try again"},
	}
	checkOutage := func(t *testing.T, i *instance, a answer) {
		t.Helper()
		check(t, a, unavailable)
		if a.line.text("level") != "ERROR" || a.line.text("outcome") != "failed" || a.line.text("code") != "temporarily_unavailable" || a.line.text("error") == "" {
			t.Errorf("%s: the line: %v", i.name, a.line)
		}
	}
	events := map[string]string{"token": "client_credentials", "revoke": "revoke", "introspect": "introspect", "devices": "list"}
	for _, name := range functionNames {
		if name == "metadata" {
			continue // it asks nobody
		}
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			defer s.searchForLeaks(t)
			e := readSample(t, filepath.Join(name, "events", events[name]+".json"))
			if name == "devices" { // which asks the tables for genuine tokens alone
				e = filledIn(t, e, s.run(t, "token").login(t, "devices device_sample"))
			}
			text := encode(t, e)

			// From the start.
			i := s.run(t, name, func(i *instance, _ map[string]string) { i.tables.set(broken) })
			said := i.stdout.next(t)
			if len(said) != 1 || parseLine(t, said[0]).text("level") != "ERROR" {
				t.Errorf("want one line that tells of the outage: %s", said)
			}
			const left = 5 * time.Second
			a := i.sendWithin(t, text, left)
			checkOutage(t, i, a)
			if a.took > left-reserve {
				t.Errorf("answered after %v of %v", a.took, left)
			}

			i.tables.set(open)
			if a := i.send(t, text); a.status != http.StatusOK {
				t.Errorf("after the outage: status %d, %v", a.status, a.line)
			}

			// Later, and as if the packets were lost. The domain gives up when the
			// reserve begins, so the answer is there before the end.
			i = s.run(t, name)
			i.tables.set(silent)
			const little = 1500 * time.Millisecond
			a = i.sendWithin(t, text, little)
			checkOutage(t, i, a)
			if a.took >= little {
				t.Errorf("answered after %v of %v", a.took, little)
			}
			i.tables.set(open)
			if a := i.send(t, text); a.status != http.StatusOK {
				t.Errorf("after the silence: status %d, %v", a.status, a.line)
			}
		})
	}
}

// Connections that are refused are an outage like any other.
func TestNobodyAtTheEndpoint(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	i := s.run(t, "introspect", func(_ *instance, environment map[string]string) {
		environment["AWS_ENDPOINT_URL_DYNAMODB"] = nowhere
	})
	i.tables.set(broken) // it is not asked, so it cannot count
	_ = i.stdout.next(t) // the complaint at the start; see TestOutage
	a := i.introspectToken(t, "fob_at_x")
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || a.text(t, "error") != "temporarily_unavailable" {
		t.Errorf("status %d, %v", a.status, a.line)
	}
}

// The same for the keys: a function that cannot fetch them starts, answers 503 at
// once, and tries again after a pause (docs/decisions/0007).
func TestKeysAreMissingForAWhile(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	i := s.run(t, "introspect", func(i *instance, _ map[string]string) { i.secrets.setDown(true) })
	if said := i.stdout.next(t); len(said) != 1 || parseLine(t, said[0]).text("level") != "ERROR" {
		t.Errorf("want one line that tells of the outage: %s", said)
	}
	event := formEvent(t, "introspect", form("token", "x", "client_id", demoAPI, "client_secret", demoAPISecret))
	a := i.sendWithin(t, event, time.Second)
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || a.text(t, "error") != "temporarily_unavailable" || a.took >= time.Second {
		t.Errorf("status %d after %v, %v", a.status, a.took, a.line)
	}
	i.secrets.setDown(false)
	// The pause is the program's own, so a client has to come again, as Retry-After
	// tells it.
	const pause = 5 * time.Second
	for began := time.Now(); a.status == http.StatusServiceUnavailable && time.Since(began) < 2*pause; {
		seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
		must(t, err)
		time.Sleep(time.Duration(seconds) * time.Second)
		a = i.send(t, event)
	}
	if a.body != `{"active":false}` {
		t.Errorf("after the outage: status %d, %v", a.status, a.line)
	}
}

// What is no request of an HTTP API is an error of Lambda's and no crash.
func TestEventsOfOthers(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	for _, i := range s.runAll(t) {
		for _, event := range []string{
			`{"version": "1.0", "httpMethod": "POST", "path": "/token", "body": "password=` + demoPassword + `"}`,
			`{"Records": [{"body": "password=` + demoPassword + `"}]}`,
		} {
			o, err := i.invoke(t.Context(), []byte(event), timeout)
			must(t, err)
			if !o.failed {
				t.Errorf("%s answered %s", i.name, event)
			}
		}
		_, _ = i.stdout.next(t), i.stderr.next(t)
		if a := i.post(t, "x", "y"); a.status/100 != 4 {
			t.Errorf("%s: status %d afterwards", i.name, a.status)
		}
	}
}

// On a laptop a file takes the place of Secrets Manager.
func TestKeysFile(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	path := filepath.Join(t.TempDir(), "keys.json")
	must(t, keys.NewFile(path))
	text, err := os.ReadFile(path)
	must(t, err)
	var file struct{ Mint, Check map[string]any }
	must(t, json.Unmarshal(text, &file))
	s.know("mint key", file.Mint["1"].(string))
	s.know("check key", file.Check["1"].(string))

	functions := s.runAll(t, func(i *instance, environment map[string]string) {
		i.secrets.setDown(true)
		delete(environment, "FOB_CHECK_SECRET")
		delete(environment, "FOB_MINT_SECRET")
		environment["FOB_KEYS_FILE"] = path
	})
	login := functions["token"].login(t, "device_ipad")
	if a := functions["introspect"].introspectToken(t, login.text(t, "access_token")); a.members(t)["active"] != true {
		t.Errorf("introspect: %s", a.body)
	}
	if a := functions["revoke"].revokeToken(t, login.text(t, "refresh_token")); a.status != http.StatusOK {
		t.Errorf("revoke: %d %s", a.status, a.body)
	}
	if a := functions["introspect"].introspectToken(t, login.text(t, "access_token")); a.body != `{"active":false}` {
		t.Errorf("introspect after revoke: %s", a.body)
	}
	for name, i := range functions {
		if asked := i.secrets.counts(); len(asked) > 0 {
			t.Errorf("%s asked Secrets Manager: %v", name, asked)
		}
	}
}
