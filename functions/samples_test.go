package functions_test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/oauth"
)

// reply is what a sample event is answered with.
type reply struct {
	status int
	header map[string]string
	body   map[string]any // nil is an empty body; see settled
}

type sample struct {
	asItIs reply
	// filledIn is the reply once a real token is where the sample has none.
	filledIn *reply
}

// httpAddress is that of the API that the samples of HTTP APIs came from.
const httpAddress = "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com"

func samples() map[string]sample {
	issued := func(scope string, more ...string) reply {
		body := map[string]any{"access_token": "an access token", "token_type": "Bearer", "expires_in": "seconds", "scope": scope}
		for _, name := range more {
			body[name], body[name+"_expires_in"] = "a refresh token", "a month"
		}
		return reply{status: http.StatusOK, body: body}
	}
	refused := func(status int, code, description string) reply {
		return reply{status: status, body: map[string]any{"error": code, "error_description": description}}
	}
	wrongMethod := refused(http.StatusMethodNotAllowed, "invalid_request", "the method must be POST")
	wrongMethod.header = map[string]string{"Allow": "POST"}
	refreshed := issued("read device_sample", "refresh_token")
	asserted, signedFor := issued("read device_ipad", "refresh_token"), issued("read")
	exchanged := issued("read device_ipad", "refresh_token")
	exchanged.body["issued_token_type"] = oauth.AccessTokenType
	revoked := reply{status: http.StatusOK, body: map[string]any{}}
	badToken := refused(http.StatusUnauthorized, "invalid_token", "the token is invalid, expired, revoked or not for this resource")
	badToken.header = map[string]string{"Www-Authenticate": `Bearer realm="fob", error="invalid_token"`}
	listed := reply{status: http.StatusOK, body: map[string]any{"devices": "a list with this device"}}
	done := reply{status: http.StatusNoContent}
	badEvent := reply{
		status: http.StatusBadRequest, header: map[string]string{"Content-Language": "en"},
		body: map[string]any{"err": "invalid_request", "description": "the event is not accepted"},
	}
	noUser := refused(http.StatusNotFound, "not_found", "there is no such user")
	const base = httpAddress
	described := reply{status: http.StatusOK, body: map[string]any{
		"issuer": base, "token_endpoint": base + "/token", "revocation_endpoint": base + "/revoke", "introspection_endpoint": base + "/introspect",
		"grant_types_supported":                            []any{"password", "client_credentials", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"token_endpoint_auth_methods_supported":            []any{"client_secret_basic", "client_secret_post", "none", "private_key_jwt"},
		"token_endpoint_auth_signing_alg_values_supported": []any{"RS256", "ES256", "ES384", "EdDSA"},
		"revocation_endpoint_auth_methods_supported":       []any{"client_secret_basic", "client_secret_post", "none"},
		"introspection_endpoint_auth_methods_supported":    []any{"client_secret_basic", "client_secret_post"},
		"jwks_uri": base + "/.well-known/jwks.json",
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
		"token/events/token-exchange.json": {
			asItIs:   refused(http.StatusBadRequest, "invalid_request", "the subject_token is not accepted"),
			filledIn: &exchanged,
		},
		"token/events/jwt-bearer.json": {
			asItIs:   refused(http.StatusBadRequest, "invalid_grant", "the assertion is not accepted"),
			filledIn: &asserted,
		},
		"token/events/private_key_jwt.json": {
			asItIs:   refused(http.StatusUnauthorized, "invalid_client", "client authentication failed"),
			filledIn: &signedFor,
		},
		"events/events/set.json":            {asItIs: badEvent, filledIn: &reply{status: http.StatusAccepted}},
		"events/events/apple.json":          {asItIs: badEvent, filledIn: &reply{status: http.StatusOK}},
		"token/events/wrong-method.json":    {asItIs: wrongMethod},
		"revoke/events/revoke.json":         {asItIs: revoked, filledIn: &revoked},
		"introspect/events/introspect.json": {asItIs: reply{status: http.StatusOK, body: map[string]any{"active": false}}, filledIn: &active},
		"introspect/events/jwks.json":       {asItIs: reply{status: http.StatusOK, body: map[string]any{"keys": []any{}}}},
		"devices/events/list.json":          {asItIs: badToken, filledIn: &listed},
		"devices/events/end.json":           {asItIs: badToken, filledIn: &done},
		"devices/events/sign-out.json":      {asItIs: badToken, filledIn: &done},
		"account/events/password.json":      {asItIs: badToken, filledIn: &reply{status: http.StatusOK, body: map[string]any{"signed_in": true}}},
		"account/events/leave.json":         {asItIs: badToken, filledIn: &done},
		"users/events/list.json":            {asItIs: badToken, filledIn: &reply{status: http.StatusOK, body: map[string]any{"users": "the sample's user"}}},
		"users/events/change.json":          {asItIs: badToken, filledIn: &noUser},
		"users/events/devices.json":         {asItIs: badToken, filledIn: &reply{status: http.StatusOK, body: map[string]any{"devices": []any{}}}},
		"users/events/end.json":             {asItIs: badToken, filledIn: &done},
		"users/events/sign-out-user.json":   {asItIs: badToken, filledIn: &done},
		"users/events/sign-out.json":        {asItIs: badToken, filledIn: &noUser},
		"metadata/events/metadata.json":     {asItIs: described},
	}
}

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
		case name == "refresh_token_expires_in" && whole && 2591940 <= number && number <= 2592000:
			body[name] = "a month"
		case name == "exp" && whole && now < number && number <= now+3600, name == "iat" && whole && now-600 < number && number <= now:
			body[name] = "time"
		case name == "sub" && userID.MatchString(text):
			body[name] = "a user id"
		case name == "jti" && tokenID.MatchString(text):
			body[name] = "an id"
		case name == "devices" && listsThisDevice(value):
			body[name] = "a list with this device"
		case name == "users" && isSamplesUser(value):
			body[name] = "the sample's user"
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

func isSamplesUser(value any) bool {
	list, _ := value.([]any)
	return len(list) == 1 && list[0].(map[string]any)["username"] == demoUser
}

// Every sample event gets the answer that it is a sample of, in the encoding
// that it is in and in the other.
func TestSamples(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	key := s.addSigners(t)
	functions := s.runAll(t)

	paths, err := filepath.Glob("*/events/*.json")
	must(t, err)
	// See TestRESTSamples, TestAuthorizer and TestAnnounce.
	paths = slices.DeleteFunc(paths, func(path string) bool { return isGatewaySample(path) || strings.HasPrefix(path, "announce/") })
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
				forJWT := signedPlaceholder.MatchString(textOf(t, e))
				if has := forJWT || placeholder.MatchString(textOf(t, e)); has != (want.filledIn != nil) {
					t.Fatalf("the sample has a place for a token: %v; there is a reply for one: %v", has, want.filledIn != nil)
				} else if !has {
					return
				}
				// A forged token is not worth a call. The client's record may be one.
				after := functions[name].tables.counts()
				delete(before, "GetItem")
				delete(after, "GetItem")
				if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("calls for a forged token (-before +after):\n%s", diff)
				}
				scope := "read device_sample"
				if name == "devices" || name == "account" {
					scope = name + " device_sample"
				}
				if name == "users" {
					e = filledIn(t, e, functions["token"].asBackEnd(t))
				} else if forJWT {
					_, body := bodyOf(t, e)
					e.Body, e.IsBase64Encoded = s.signed(t, key, body), false
				} else {
					e = filledIn(t, e, functions["token"].login(t, scope))
				}
				if encoding != "as it is" {
					e = recoded(t, e)
				}
				check(t, functions[name].send(t, encode(t, e)), *want.filledIn)
				if path == "account/events/leave.json" {
					s.addUser(t) // for those that follow
				}
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

// tokenFor is the token of a login that a placeholder in text means.
func tokenFor(t *testing.T, text string, login answer) string {
	t.Helper()
	if strings.Contains(text, "fob_rt_") {
		return login.text(t, "refresh_token")
	}
	return login.text(t, "access_token")
}

// filledIn is the event with a token of a login in the place of its placeholder.
func filledIn(t *testing.T, e events.APIGatewayV2HTTPRequest, login answer) events.APIGatewayV2HTTPRequest {
	t.Helper()
	token := tokenFor(t, textOf(t, e), login)
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
	"devices":    {"/devices", "/devices/{device}", "/devices/sign-out"},
	"users":      {"/users", "/users/{id}", "/users/{id}/devices", "/users/{id}/devices/{device}", "/users/{id}/devices/sign-out", "/sign-out"},
	"account":    {"/account", "/account/password", "/devices/{device}"},
	"metadata":   {"/.well-known/oauth-authorization-server"},
	"introspect": {"/introspect", "/.well-known/jwks.json"},
}

// contentTypeOf is that of the body of a sample.
func contentTypeOf(path string) string {
	switch path {
	case "events/events/set.json":
		return "application/secevent+jwt"
	case "events/events/apple.json":
		return "application/json"
	}
	if strings.HasPrefix(path, "users/") || strings.HasPrefix(path, "account/") {
		return "application/json"
	}
	return "application/x-www-form-urlencoded"
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
				if route = strings.TrimPrefix(e.RouteKey, e.RequestContext.HTTP.Method+" "); !slices.Contains(routes, route) {
					t.Errorf("the function has no route %s", route)
				}
			}
			called := strings.NewReplacer("{device}", e.PathParameters["device"], "{id}", e.PathParameters["id"]).Replace(route)
			at := e.RequestContext
			got := []string{e.Version, e.RouteKey, at.RouteKey, e.RawPath, at.HTTP.Path, at.AccountID, at.DomainName, at.Stage, at.HTTP.SourceIP, at.HTTP.UserAgent, at.HTTP.Protocol}
			want := []string{"2.0", at.HTTP.Method + " " + route, at.HTTP.Method + " " + route, called, called, "123456789012", e.Headers["host"], "$default", e.Headers["x-forwarded-for"], e.Headers["user-agent"], "HTTP/1.1"}
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
			if e.Headers["content-length"] != strconv.Itoa(len(body)) || e.Headers["content-type"] != contentTypeOf(path) {
				t.Errorf("a body of %d bytes has the headers %v", len(body), e.Headers)
			}
		})
	}
	if encodings[true] == 0 || encodings[false] == 0 {
		t.Errorf("bodies in base64: %d, plain: %d; want some of both", encodings[true], encodings[false])
	}
}
