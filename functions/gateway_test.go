package functions_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
)

// What other gateways send than the template's own: REST APIs, and what either
// asks the authorizer.

// isGatewaySample picks the samples that are tested here, or by TestTrial.
func isGatewaySample(path string) bool {
	folder := strings.Split(filepath.ToSlash(path), "/")[0]
	return folder == hookName || slices.Contains(gatewayNames, folder) || strings.HasPrefix(filepath.Base(path), "rest-")
}

// restSamples are the samples of REST APIs, by the one for the HTTP API that has
// the same reply but for the address.
var restSamples = map[string]string{
	"token/events/rest-password.json":        "token/events/password.json",
	"revoke/events/rest-revoke.json":         "revoke/events/revoke.json",
	"introspect/events/rest-introspect.json": "introspect/events/introspect.json",
	"devices/events/rest-list.json":          "devices/events/list.json",
	"devices/events/rest-end.json":           "devices/events/end.json",
	"devices/events/rest-sign-out.json":      "devices/events/sign-out.json",
	"metadata/events/rest-metadata.json":     "metadata/events/metadata.json",
}

const restAddress = "https://f6g7h8i9j0.execute-api.eu-central-1.amazonaws.com/prod"

func TestRESTSamples(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	functions := s.runAll(t)
	paths, err := filepath.Glob("*/events/rest-*.json")
	must(t, err)
	paths = slices.DeleteFunc(paths, func(path string) bool {
		return slices.Contains(gatewayNames, strings.Split(filepath.ToSlash(path), "/")[0])
	})
	for i := range paths {
		paths[i] = filepath.ToSlash(paths[i])
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(restSamples)), slices.Sorted(slices.Values(paths))); diff != "" {
		t.Fatalf("samples without a reply (+) or replies without a sample (-):\n%s", diff)
	}
	for path, like := range restSamples {
		want := samples()[like]
		for _, encoding := range []string{"as it is", "in base64"} {
			t.Run(path+" "+encoding, func(t *testing.T) {
				name := strings.Split(path, "/")[0]
				i := functions[name]
				send := func(e events.APIGatewayProxyRequest) answer {
					t.Helper()
					if encoding != "as it is" {
						e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(e.Body)), true
					}
					return i.send(t, encode(t, e))
				}
				e := readEvent[events.APIGatewayProxyRequest](t, filepath.FromSlash(path))
				check(t, send(e), atREST(want.asItIs))
				if want.filledIn == nil {
					return
				}
				scope := "read device_sample"
				if name == "devices" {
					scope = "devices device_sample"
				}
				token := tokenFor(t, e.Headers["Authorization"]+e.Body, functions["token"].login(t, scope))
				e.Body = placeholder.ReplaceAllString(e.Body, token)
				if has, ok := e.Headers["Authorization"]; ok {
					e.Headers["Authorization"] = placeholder.ReplaceAllString(has, token)
					e.MultiValueHeaders["Authorization"] = []string{e.Headers["Authorization"]}
				}
				check(t, send(e), atREST(*want.filledIn))
			})
		}
	}
}

// atREST is the reply with the addresses of the REST API, stage and all.
func atREST(r reply) reply {
	r.body = maps.Clone(r.body)
	for name, value := range r.body {
		if text, ok := value.(string); ok {
			r.body[name] = strings.Replace(text, httpAddress, restAddress, 1)
		}
	}
	return r
}

// The samples have the shape of what a REST API sends.
func TestRESTSamplesHaveTheGatewaysShape(t *testing.T) {
	paths, err := filepath.Glob("*/events/rest-*.json")
	must(t, err)
	for _, path := range paths {
		if filepath.Base(filepath.Dir(filepath.Dir(path))) == "authorizer" {
			continue
		}
		t.Run(path, func(t *testing.T) {
			e := readEvent[events.APIGatewayProxyRequest](t, path)
			name := strings.Split(filepath.ToSlash(path), "/")[0]
			route := "/" + name
			if routes, several := routesOf[name]; several {
				if route = e.Resource; !slices.Contains(routes, route) {
					t.Errorf("the function has no route %s", route)
				}
			}
			called := strings.NewReplacer("{device}", e.PathParameters["device"]).Replace(route)
			at := e.RequestContext
			got := []string{e.Resource, e.Path, at.ResourcePath, at.Path, at.Stage, at.HTTPMethod, "https://" + at.DomainName + "/prod", at.Identity.SourceIP, at.Identity.UserAgent, at.Protocol}
			want := []string{route, called, route, "/prod" + called, "prod", e.HTTPMethod, restAddress, e.Headers["X-Forwarded-For"], e.Headers["User-Agent"], "HTTP/1.1"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if at.RequestID == "" || !strings.HasPrefix(at.DomainName, at.APIID+".") || e.Headers["Host"] != at.DomainName {
				t.Errorf("requestContext lacks something: %+v", at)
			}
			when, err := time.Parse("02/Jan/2006:15:04:05 -0700", at.RequestTime)
			if err != nil || when.UnixMilli() != at.RequestTimeEpoch {
				t.Errorf("time %q and epoch %d are not the same: %v", at.RequestTime, at.RequestTimeEpoch, err)
			}
			many := map[string][]string{}
			for header, value := range e.Headers {
				many[header] = []string{value}
			}
			if diff := cmp.Diff(many, e.MultiValueHeaders); diff != "" {
				t.Errorf("headers, once (-) and as often as they came (+):\n%s", diff)
			}
		})
	}
}

// judgement is what the authorizer says.
type judgement struct {
	outcome
	line line
}

// judge asks the authorizer, and checks what is true of every judgement.
func (i *instance) judge(t *testing.T, event []byte) judgement {
	t.Helper()
	calls := i.tables.total()
	o, err := i.invoke(t.Context(), event, 5*time.Second)
	must(t, err)
	i.stage.answers = append(i.stage.answers, o.raw, []byte(o.message))
	lines := i.stdout.next(t)
	if len(lines) != 1 {
		t.Fatalf("%d lines for one judgement:\n%s", len(lines), i.stdout.all(t))
	}
	// The runtime prints the error that is not a 401.
	if noise := i.stderr.next(t); (len(noise) > 0) != (o.failed && o.message != "Unauthorized") {
		t.Errorf("standard error after %q: %s", o.message, noise)
	}
	l := parseLine(t, lines[0])
	id, source := whence(t, event)
	for name, want := range map[string]any{
		"msg": "request", "function": "authorizer", "endpoint": "authorizer", "request_id": o.id, "gateway_request_id": id, "source": source,
	} {
		if got, _ := l[name].(string); got != want {
			t.Errorf("the line says %s = %v, want %v", name, l[name], want)
		}
	}
	for name := range l {
		if _, may := lineMembers[name]; !may {
			t.Errorf("the line has %s: %s", name, lines[0])
		}
	}
	if i.tables.isOpen() {
		if seen := i.tables.total() - calls; l.number("store_calls") != float64(seen) {
			t.Errorf("the line says %v store calls, and %d were seen", l["store_calls"], seen)
		}
	}
	return judgement{o, l}
}

// said is the context of a yes, in either format, without the user's id.
func (j judgement) said(t *testing.T) (yes bool, context map[string]any) {
	t.Helper()
	var answer struct {
		IsAuthorized   bool
		PrincipalID    string `json:"principalId"`
		PolicyDocument struct{ Statement []struct{ Effect string } }
		Context        map[string]any
	}
	must(t, json.Unmarshal(j.raw, &answer))
	if n := answer.PolicyDocument.Statement; len(n) == 1 {
		answer.IsAuthorized = n[0].Effect == "Allow"
		if sub, has := answer.Context["sub"]; has && sub != answer.PrincipalID {
			t.Errorf("principal %q, sub %v", answer.PrincipalID, sub)
		}
	}
	return answer.IsAuthorized, settled(answer.Context)
}

// From a login to /me and back to a revocation, in the words of each gateway.
func TestAuthorizer(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	defer s.searchForLeaks(t)
	token, revoke := s.run(t, "token"), s.run(t, "revoke")
	authorizer, me := s.run(t, "authorizer"), s.run(t, "me")
	byScope := s.run(t, "authorizer", func(_ *instance, environment map[string]string) {
		environment["FOB_ROUTE_SCOPES"], environment["FOB_AUDIENCE"] = "GET /me=write", demoAPI
	})
	elsewhere := s.run(t, "authorizer", func(_ *instance, environment map[string]string) {
		environment["FOB_AUDIENCE"] = "https://elsewhere.example"
	})
	want := map[string]any{"sub": "a user id", "client_id": demoClient, "scope": "read device_sample", "device": "sample", "username": demoUser}

	paths, err := filepath.Glob("authorizer/events/*.json")
	must(t, err)
	if len(paths) != 3 {
		t.Fatalf("samples %q", paths)
	}
	for _, path := range paths {
		t.Run(path, func(t *testing.T) {
			text, err := os.ReadFile(path)
			must(t, err)
			filled := func(login answer) []byte {
				return placeholder.ReplaceAll(text, []byte(login.text(t, "access_token")))
			}
			login := token.login(t, "read device_sample")

			// As it is, it has no token of fob, and costs no call.
			before := authorizer.tables.total()
			if j := authorizer.judge(t, text); !j.failed || j.message != "Unauthorized" || j.line.text("code") != "invalid_token" || authorizer.tables.total() != before {
				t.Errorf("a placeholder: %s %s, %v", j.raw, j.message, j.line)
			}
			j := authorizer.judge(t, filled(login))
			yes, said := j.said(t)
			if diff := cmp.Diff(want, said); !yes || diff != "" || j.line.number("store_calls") > 2 || j.line.text("outcome") != "active" {
				t.Errorf("%s, %v (-want +got):\n%s", j.raw, j.line, diff)
			}
			// The gateway hands it on, and /me says so.
			if a := me.send(t, handedOn(t, j, strings.Contains(path, "http-api"))); a.status != http.StatusOK {
				t.Errorf("/me behind it: %d %s", a.status, a.body)
			} else if diff := cmp.Diff(want, settled(a.members(t))); diff != "" {
				t.Errorf("/me behind it (-want +got):\n%s", diff)
			}

			if j := elsewhere.judge(t, filled(login)); j.message != "Unauthorized" {
				t.Errorf("for another audience: %s %s", j.raw, j.message)
			}
			j = byScope.judge(t, filled(login))
			if strings.Contains(path, "token") {
				if !j.failed || j.message == "Unauthorized" || j.line.text("outcome") != "failed" {
					t.Errorf("scopes by a route that is not told: %s %s", j.raw, j.message)
				}
			} else if yes, said := j.said(t); j.failed || yes || said["challenge"] != `Bearer realm="fob", error="insufficient_scope", scope="write"` {
				t.Errorf("without the scope: %s %s", j.raw, j.message)
			}
			if !strings.Contains(path, "token") {
				if yes, _ := byScope.judge(t, filled(token.login(t, "write device_sample"))).said(t); !yes {
					t.Error("with the scope it does not pass")
				}
			}

			if a := revoke.revokeToken(t, login.text(t, "access_token")); a.status != http.StatusOK {
				t.Fatalf("revoke: %d", a.status)
			}
			if j := authorizer.judge(t, filled(login)); !j.failed || j.message != "Unauthorized" || j.line.text("outcome") != "denied" {
				t.Errorf("revoked: %s %s", j.raw, j.message)
			}

			// An outage is neither a yes nor a 401.
			login = token.login(t, "read device_sample")
			for _, mode := range []gateMode{broken, silent} {
				authorizer.tables.set(mode)
				if j := authorizer.judge(t, filled(login)); !j.failed || j.message == "Unauthorized" || j.line.text("outcome") != "failed" || j.took > 5*time.Second+lateness {
					t.Errorf("in an outage: %s %s after %v", j.raw, j.message, j.took)
				}
				if j := authorizer.judge(t, text); j.message != "Unauthorized" {
					t.Errorf("in an outage, what is not ours: %s %s", j.raw, j.message)
				}
			}
			authorizer.tables.set(open)
			if yes, _ := authorizer.judge(t, filled(login)).said(t); !yes {
				t.Error("after the outage it does not pass")
			}
		})
	}

	// The authorizer's answer reaches /me, which asks nobody.
	for _, path := range []string{"me/events/me.json", "me/events/rest-me.json"} {
		text, err := os.ReadFile(filepath.FromSlash(path))
		must(t, err)
		a := me.send(t, text)
		if diff := cmp.Diff(map[string]any{"sub": "u_replaceme", "client_id": demoClient, "scope": "read device_sample", "device": "sample", "username": demoUser}, a.members(t)); a.status != http.StatusOK || diff != "" {
			t.Errorf("%s: %d (-want +got):\n%s", path, a.status, diff)
		}
		var bare map[string]any
		must(t, json.Unmarshal(text, &bare))
		delete(bare["requestContext"].(map[string]any), "authorizer")
		if a := me.send(t, encode(t, bare)); a.status != http.StatusInternalServerError || a.text(t, "error") != "server_error" {
			t.Errorf("%s without an authorizer: %d %s", path, a.status, a.body)
		}
	}
	if asked := me.tables.total(); asked > 0 || len(me.secrets.counts()) > 0 {
		t.Errorf("/me asked the tables %d times, and for secrets %v", asked, me.secrets.counts())
	}
	if diff := cmp.Diff(map[string]int{checkARN: 1}, authorizer.secrets.counts()); diff != "" {
		t.Errorf("secrets fetched by the authorizer (-want +got):\n%s", diff)
	}
}

// handedOn is the event of /me with what the authorizer said, where the gateway puts
// it. The sample has another token, and nobody looks at that.
func handedOn(t *testing.T, j judgement, isHTTPAPI bool) []byte {
	t.Helper()
	var said struct {
		Context     map[string]any `json:"context"`
		PrincipalID string         `json:"principalId"`
	}
	must(t, json.Unmarshal(j.raw, &said))
	sample, authorizer := "me/events/me.json", map[string]any{"lambda": said.Context}
	if !isHTTPAPI {
		sample, authorizer = "me/events/rest-me.json", maps.Clone(said.Context)
		authorizer["principalId"], authorizer["integrationLatency"] = said.PrincipalID, 7
	}
	text, err := os.ReadFile(filepath.FromSlash(sample))
	must(t, err)
	var e map[string]any
	must(t, json.Unmarshal(text, &e))
	e["requestContext"].(map[string]any)["authorizer"] = authorizer
	return encode(t, e)
}

// An event that is not a question is an error for Lambda, and never a yes.
func TestQuestionsOfOthers(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	authorizer := s.run(t, "authorizer")
	for _, event := range []string{`{}`, `[]`, `{"Records": []}`, `{"type": "TOKEN"}`} {
		o, err := authorizer.invoke(t.Context(), []byte(event), timeout)
		must(t, err)
		if !o.failed || o.message == "Unauthorized" {
			t.Errorf("%s: %s %s", event, o.raw, o.message)
		}
	}
	said := authorizer.stdout.next(t)
	if len(said) != 4 {
		t.Errorf("want a line for each: %s", said)
	}
	for _, text := range said {
		l := parseLine(t, text)
		if checkFault(t, l); l.text("msg") != "event not judged" {
			t.Errorf("%s", text)
		}
	}
}

// checkFault holds a line to what the alarm on the authorizer hears: the counter
// failed of the namespace fob, under the function's name.
func checkFault(t *testing.T, l line) {
	t.Helper()
	checkMetrics(t, l)
	text := string(encode(t, l["_aws"]))
	if l.number("failed") != 1 || l.text("level") != "ERROR" || l.text("function") != "authorizer" ||
		!strings.Contains(text, `"Namespace":"fob"`) || !strings.Contains(text, `"Dimensions":[["function"]]`) || !strings.Contains(text, `"Name":"failed"`) {
		t.Errorf("no alarm hears of %v", l)
	}
}

func TestAuthorizerRefusesToStart(t *testing.T) {
	f := start(t, "authorizer", map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_LAMBDA_FUNCTION_NAME": "authorizer", "FOB_TOKENS_TABLE": "tokens", "FOB_ROUTE_SCOPES": "GET me=x; GET /me=",
	})
	if status := f.awaitEnd(t); status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	l := parseLine(t, f.stdout.all(t))
	checkFault(t, l)
	if l.text("msg") != "start" {
		t.Errorf("%v", l)
	}
	for _, want := range []string{"FOB_CLIENTS_TABLE", "FOB_CHECK_SECRET", "FOB_ROUTE_SCOPES: entry 1", "FOB_ROUTE_SCOPES: entry 2"} {
		if !strings.Contains(l.text("error"), want) {
			t.Errorf("no word of %s: %v", want, l)
		}
	}
}
