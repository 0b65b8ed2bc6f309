package wire_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/oauth"
)

// What holds for the three endpoints: N01 to N16 of docs/cases.md, and the A
// cases about HTTP.

// endpoints are calls that succeed, one for each.
var endpoints = []call{
	asShop("token", "grant_type", "client_credentials"),
	asShop("revoke", "token", "garbage"),
	asShop("introspect", "token", "garbage"),
}

// forEach makes a step of each endpoint's good call.
func forEach(name string, change func(c call) call, s step) (steps []step) {
	for _, c := range endpoints {
		s.name, s.call = c.endpoint+" "+name, change(c)
		steps = append(steps, s)
	}
	return steps
}

func TestN01ContentType(t *testing.T) {
	const formType = "application/x-www-form-urlencoded"
	var steps []step
	with := func(values ...string) func(call) call {
		return func(c call) call {
			c.header = map[string][]string{"Authorization": c.header["Authorization"], "Content-Type": values}
			return c
		}
	}
	for _, good := range []string{
		formType,
		"Application/X-WWW-Form-Urlencoded",
		formType + ";charset=utf-8",
		formType + "; charset=UTF-8",
		formType + `; Charset="Utf-8"`,
	} {
		steps = append(steps, forEach(good, with(good), step{status: 200})...)
	}
	for _, bad := range []string{
		"",
		"text/plain",
		"application/json",
		"multipart/form-data; boundary=x",
		formType + "; charset=iso-8859-1",
		formType + "; charset=",
		formType + ", application/json",
		formType + "; charset=utf-8, application/json",
		"application/x-www-form-urlencoded-too",
	} {
		steps = append(steps, forEach(bad, with(bad), step{status: 400, error: "invalid_request", idle: true})...)
	}
	steps = append(steps, forEach("none", with(), step{status: 400, error: "invalid_request", idle: true})...)
	steps = append(steps, forEach("twice", with(formType, formType), step{status: 400, error: "invalid_request", idle: true})...)
	run(t, steps)
}

func TestN02Method(t *testing.T) {
	var steps []step
	for _, method := range []string{"GET", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "post"} {
		steps = append(steps, forEach(method, func(c call) call {
			c.method, c.query = method, "token=CANARY"
			return c
		}, step{status: 405, error: "invalid_request", idle: true, and: func(t *testing.T, a answer) {
			if got := a.header.Get("Allow"); got != "POST" {
				t.Errorf("Allow is %q", got)
			}
		}})...)
	}
	run(t, steps)
}

func TestN03SecretsInTheQuery(t *testing.T) {
	var steps []step
	with := func(query string) func(call) call {
		return func(c call) call {
			c.query = query
			return c
		}
	}
	for _, bad := range []string{
		"token=CANARY",
		"client_secret=CANARY",
		"password=CANARY",
		"refresh_token=CANARY",
		"access_token=CANARY",
		"client_assertion=CANARY",
		"a=b&token=CANARY",
		"%74oken=CANARY",
		"%70%61%73%73%77%6F%72%64=CANARY",
		"Password=CANARY",
		"+token=CANARY",
		"a=%zz&token=CANARY",
		"%zz&%ff=%00&token=CANARY",
		"token=CANARY&a=%zz",
		"token=%zzCANARY",
		"a;token=CANARY",
		"?token=CANARY",
		"token=",
		"token",
		"&&token==CANARY",
	} {
		steps = append(steps, forEach(bad, with(bad), step{status: 400, error: "invalid_request", idle: true})...)
	}
	for _, harmless := range []string{
		"",
		"grant_type=password&grant_type=password&scope=%zz",
		"tokens=1&my_token=2&x=token&token%20x=3",
		"scope=unheard-of&client_id=nobody",
	} {
		steps = append(steps, forEach(harmless, with(harmless), step{status: 200})...)
	}
	run(t, steps)
}

func TestN04RepeatedParameter(t *testing.T) {
	steps := []step{
		{name: "unknown", call: asShop("token", "grant_type", "client_credentials", "x", "1", "x", "2"), status: 200},
		{name: "resource", call: asShop("token", "grant_type", "client_credentials", "resource", "a:1", "resource", "a:2"), status: 200},
		{name: "audience", call: asShop("token", "grant_type", "client_credentials", "audience", "1", "audience", "2"), status: 200},
		{name: "other case", call: asShop("token", "grant_type", "client_credentials", "Grant_Type", "password", "SCOPE", "x"), status: 200},
	}
	for _, name := range []string{
		"grant_type", "scope", "username", "password", "refresh_token", "tokenBindingId", "client_id", "client_secret",
		"client_assertion", "client_assertion_type", "token", "token_type_hint",
	} {
		for _, values := range [][2]string{{"CANARY", "CANARY"}, {"CANARY", "CANARY2"}, {"", "CANARY"}, {"CANARY", ""}, {"", ""}} {
			steps = append(steps, forEach(fmt.Sprintf("%s %q", name, values), func(c call) call {
				c.body = form(name, values[0], "between", "1", name, values[1])
				return c
			}, step{status: 400, error: "invalid_request", idle: true})...)
		}
		steps = append(steps, step{
			name:   name + " in two spellings",
			call:   call{endpoint: "token", body: name + "=CANARY&" + fmt.Sprintf("%%%X", name[0]) + name[1:] + "=CANARY"},
			status: 400, error: "invalid_request", idle: true,
		})
	}
	run(t, steps)
}

func TestN05UnknownParameter(t *testing.T) {
	run(t, forEach("unknown", func(c call) call {
		c.body += "&" + form("unknown", "CANARY", "another", "", "", "CANARY") + "&&alone"
		return c
	}, step{status: 200}))
}

func TestN06ParameterWithoutValue(t *testing.T) {
	run(t, []step{
		{
			name: "scope", call: asShop("token", "grant_type", "client_credentials", "scope", ""), status: 200,
			and: func(t *testing.T, a answer) {
				if got := a.text("scope"); got != "read" {
					t.Errorf("scope %q is not the default", got)
				}
			},
		},
		{name: "password", call: asShop("token", "grant_type", "password", "username", username, "password", ""), status: 400, error: "invalid_request"},
		{name: "grant_type", call: asShop("token", "grant_type", ""), status: 400, error: "invalid_request"},
		{name: "grant_type without =", call: call{endpoint: "token", header: basic("shop", shopSecret), body: "grant_type"}, status: 400, error: "invalid_request"},
		{
			name:   "client_secret is none",
			call:   call{endpoint: "token", body: form("grant_type", "client_credentials", "client_id", "shop", "client_secret", "")},
			status: 401, error: "invalid_client",
		},
		{
			name:   "client_secret beside Basic is no second mechanism",
			call:   asShop("token", "grant_type", "client_credentials", "client_secret", "", "client_assertion", ""),
			status: 200,
		},
		{
			name: "client_secret of a public client is none",
			call: asApp("token", "grant_type", "password", "username", username, "password", password, "client_secret", ""), status: 200,
		},
		{name: "token at revoke", call: asShop("revoke", "token", ""), status: 400, error: "invalid_request"},
		{name: "token at introspect", call: asShop("introspect", "token", ""), status: 400, error: "invalid_request"},
	})
}

// TestN07Headers names the answers whose headers world.check holds to N07.
func TestN07Headers(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		for _, s := range []step{
			{call: asShop("token", "grant_type", "client_credentials"), status: 200},
			{call: asShop("introspect", "token", "x"), status: 200},
			{call: asShop("revoke", "token", "x"), status: 200},
			{call: asShop("token"), status: 400, error: "invalid_request"},
			{call: call{endpoint: "token", body: form("grant_type", "password")}, status: 400, error: "invalid_request"},
			{call: call{endpoint: "introspect"}, status: 401, error: "invalid_client"},
			{call: call{endpoint: "token", body: strings.Repeat("x", 20_000)}, status: 413, error: "invalid_request"},
		} {
			a := w.expect(t, by, s)
			if s.call.endpoint == "revoke" && a.body != "" {
				t.Errorf("revoke answered with a body: %s", a.body)
			}
		}
	})
}

// TestN08NothingIsRepeated plants a value in every parameter and header that
// could be quoted back. That no answer and no line has it, and that each body has
// the form of N08, is held by world.check.
func TestN08NothingIsRepeated(t *testing.T) {
	const planted = `CANARY"<script>`
	var steps []step
	for _, name := range []string{"grant_type", "scope", "username", "tokenBindingId", "token_type_hint", "client_id", "refresh_token", "token"} {
		values := map[string]string{"grant_type": "password", "username": "nobody", "password": planted}
		values[name] = planted
		var pairs []string
		for k, v := range values {
			pairs = append(pairs, k, v)
		}
		c := asShop("token", pairs...)
		c.header["X-Planted"], c.header["User-Agent"] = []string{planted}, []string{planted}
		s := step{name: name, call: c, status: 400}
		switch name {
		case "grant_type":
			s.error = "unsupported_grant_type"
		case "scope":
			s.error = "invalid_scope"
		case "tokenBindingId", "client_id":
			s.error = "invalid_request"
		default:
			s.error = "invalid_grant"
		}
		steps = append(steps, s)
	}
	run(t, steps)
}

func TestN09Basic(t *testing.T) {
	good := basic("shop", shopSecret)["Authorization"][0]
	encoded := strings.TrimPrefix(good, "Basic ")
	grant := form("grant_type", "client_credentials")
	var steps []step
	for name, header := range map[string]map[string][]string{
		"lower case":        authorization("basic " + encoded),
		"upper case":        authorization("BASIC " + encoded),
		"two spaces":        authorization("Basic  " + encoded),
		"not escaped":       rawBasic("shop:" + shopSecret),
		"wholly escaped":    rawBasic("%73%68%6F%70:" + shopSecret),
		"plus and colon":    basic(oddID, oddSecret),
		"colons not in id":  rawBasic("odd%3Aid%25%2B%26%3D%3B%2C%3F%2F:CANARY+odd:%25%2B%26=;,?/\"\\+\u00fc\u20ac"),
		"space as plus":     rawBasic("odd%3Aid%25%2B%26%3D%3B%2C%3F%2F:CANARY+odd%3A%25%2B%26%3D%3B%2C%3F%2F%22%5C+%C3%BC%E2%82%AC"),
		"space as escape":   rawBasic("odd%3Aid%25%2B%26%3D%3B%2C%3F%2F:CANARY%20odd%3A%25%2B%26%3D%3B%2C%3F%2F%22%5C%20%C3%BC%E2%82%AC"),
		"the older secret":  basic("shop", shopOldSecret),
		"lower-case escape": rawBasic("odd%3aid%25%2b%26%3d%3b%2c%3f%2f:CANARY+odd%3a%25%2b%26%3d%3b%2c%3f%2f%22%5c+%c3%bc%e2%82%ac"),
	} {
		steps = append(steps, step{name: name, call: call{endpoint: "token", header: header, body: grant}, status: 200})
	}
	for name, header := range map[string]map[string][]string{
		"nothing":              authorization(""),
		"no credentials":       authorization("Basic"),
		"empty credentials":    authorization("Basic "),
		"broken base64":        authorization("Basic !!!!"),
		"base64url":            authorization("Basic c2hvcDpDQU5BUllf_w=="),
		"no padding":           authorization("Basic " + strings.TrimRight(encoded, "=") + "x"),
		"more after":           authorization("Basic " + encoded + " x"),
		"tab":                  authorization("Basic\t" + encoded),
		"no colon":             rawBasic("shop"),
		"broken percent":       rawBasic("shop:CANARY%zz"),
		"broken percent in id": rawBasic("sho%p:" + shopSecret),
		"invalid UTF-8":        rawBasic("shop:CANARY\xff"),
		"escaped invalid":      rawBasic("shop:CANARY%ff"),
		"NUL":                  rawBasic("shop:" + shopSecret + "\x00"),
		"escaped NUL":          rawBasic("sho%00p:" + shopSecret),
		"no id":                rawBasic(":" + shopSecret),
		"no secret":            rawBasic("shop:"),
		"plus is a space":      rawBasic(oddID + ":" + oddSecret),
		"other scheme":         authorization("Bearer " + encoded),
		"scheme is a prefix":   authorization("Basically " + encoded),
	} {
		steps = append(steps, step{name: name, call: call{endpoint: "token", header: header, body: grant}, status: 401, error: "invalid_client"})
	}
	run(t, steps)
}

func TestN10FailedAuthentication(t *testing.T) {
	challenge := func(t *testing.T, a answer) {
		if got := a.header.Values("WWW-Authenticate"); !cmp.Equal(got, []string{`Basic realm="fob"`}) {
			t.Errorf("challenge %q", got)
		}
	}
	var steps []step
	for name, change := range map[string]func(c call) call{
		"wrong Basic": func(c call) call {
			c.header = basic("shop", "CANARY")
			return c
		},
		"wrong in the body": func(c call) call {
			c.header, c.body = nil, c.body+"&"+form("client_id", "shop", "client_secret", "CANARY")
			return c
		},
		"none": func(c call) call {
			c.header = nil
			return c
		},
		"secret without id": func(c call) call {
			c.header, c.body = nil, c.body+"&"+form("client_secret", shopSecret)
			return c
		},
		"Bearer": func(c call) call {
			c.header = authorization("Bearer CANARY")
			return c
		},
	} {
		steps = append(steps, forEach(name, change, step{status: 401, error: "invalid_client", and: challenge})...)
	}
	run(t, steps)
}

func TestN11OneMechanism(t *testing.T) {
	twoAre := step{status: 400, error: "invalid_request", idle: true}
	add := func(pairs ...string) func(call) call {
		return func(c call) call {
			c.body += "&" + form(pairs...)
			return c
		}
	}
	inBody := func(pairs ...string) func(call) call {
		return func(c call) call {
			c.header, c.body = nil, c.body+"&"+form(pairs...)
			return c
		}
	}
	header := func(values ...string) func(call) call {
		return func(c call) call {
			c.header = authorization(values...)
			return c
		}
	}
	good := basic("shop", shopSecret)["Authorization"][0]
	var steps []step
	steps = append(steps, forEach("Basic and client_secret", add("client_secret", shopSecret), twoAre)...)
	steps = append(steps, forEach("Basic and both", add("client_id", "shop", "client_secret", shopSecret), twoAre)...)
	steps = append(steps, forEach("Basic and assertion", add("client_assertion", "CANARY"), twoAre)...)
	steps = append(steps, forEach("Basic and assertion type", add("client_assertion_type", "CANARY"), twoAre)...)
	steps = append(steps, forEach("secret and assertion", inBody("client_id", "shop", "client_secret", shopSecret, "client_assertion", "CANARY"), twoAre)...)
	steps = append(steps, forEach("Basic twice", header(good, good), twoAre)...)
	steps = append(steps, forEach("Basic and Bearer", header(good, "Bearer CANARY"), twoAre)...)
	steps = append(steps, forEach("another client_id", add("client_id", "other"), twoAre)...)
	steps = append(steps, forEach("the same client_id", add("client_id", "shop"), step{status: 200})...)
	run(t, steps)
}

func TestA51JoinedAuthorization(t *testing.T) {
	good := basic("shop", shopSecret)["Authorization"][0]
	var steps []step
	for _, joined := range []string{good + "," + good, good + ", Bearer CANARY", ",", good + ","} {
		steps = append(steps, forEach("joined", func(c call) call {
			c.header = authorization(joined)
			return c
		}, step{status: 400, error: "invalid_request", idle: true})...)
	}
	run(t, steps)
}

func TestN12FailuresAreAlike(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		bodies := map[string]string{}
		for name, c := range map[string]call{
			"no credentials":           {endpoint: "token"},
			"unknown":                  {endpoint: "token", header: basic("nobody", "CANARY")},
			"wrong secret":             {endpoint: "token", header: basic("shop", "CANARY")},
			"disabled":                 {endpoint: "token", header: basic("disabled", shopSecret)},
			"confidential by id alone": {endpoint: "token", body: "&client_id=shop"},
			"public with secret":       {endpoint: "token", body: "&client_id=app&client_secret=CANARY"},
			"public by Basic":          {endpoint: "token", header: basic("app", "")},
			"implausible id":           {endpoint: "token", header: basic("\u20ac", "CANARY")},
			"broken header":            {endpoint: "token", header: authorization("Basic !")},
			"another scheme":           {endpoint: "token", header: authorization("Bearer CANARY")},
			"assertion":                {endpoint: "token", body: "&client_id=shop&client_assertion=CANARY"},
		} {
			c.body = "grant_type=client_credentials" + c.body
			bodies[w.expect(t, by, step{name: name, call: c, status: 401, error: "invalid_client"}).body] = name
		}
		if len(bodies) != 1 {
			t.Errorf("they can be told apart: %q", bodies)
		}
	})
}

func TestN13BasicAndBody(t *testing.T) {
	run(t, append(
		forEach("basic", func(c call) call { return c }, step{status: 200}),
		forEach("post", func(c call) call {
			c.header, c.body = nil, c.body+"&"+form("client_id", "shop", "client_secret", shopSecret)
			return c
		}, step{status: 200})...,
	))
}

func TestN14AssertionIsNotSupported(t *testing.T) {
	var steps []step
	for _, pairs := range [][]string{
		{"client_assertion", "CANARY"},
		{"client_assertion", "CANARY", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		{"client_assertion", "CANARY", "client_id", "shop"},
		{"client_assertion_type", "CANARY", "client_id", "app"},
	} {
		steps = append(steps, forEach(fmt.Sprint(pairs), func(c call) call {
			c.header, c.body = nil, c.body+"&"+form(pairs...)
			return c
		}, step{status: 401, error: "invalid_client", idle: true})...)
	}
	run(t, steps)
}

func TestN15StoreIsDown(t *testing.T) {
	for name, cause := range map[string]error{
		"unavailable": oauth.Unavailable("read an authorization", fmt.Errorf("connection reset")),
		"deadline":    fmt.Errorf("read an authorization: %w", context.DeadlineExceeded),
		"cancelled":   fmt.Errorf("read an authorization: %w", context.Canceled),
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *world, by transport) {
				token := w.login(t, by, asShop, "device_ipad").text("access_token")
				w.tokens.fault = func(context.Context) error { return cause }
				for _, c := range []call{
					asShop("token", "grant_type", "client_credentials"),
					asShop("revoke", "token", token),
					asShop("introspect", "token", token),
				} {
					w.expect(t, by, step{call: c, status: 503, error: "temporarily_unavailable", and: func(t *testing.T, a answer) {
						if got := a.header.Get("Retry-After"); got != "2" {
							t.Errorf("Retry-After is %q", got)
						}
						if strings.Contains(a.body, "authorization") {
							t.Errorf("the cause is told: %s", a.body)
						}
						if a.line["outcome"] != "failed" || a.line["level"] != "ERROR" || a.line["error"] != cause.Error() {
							t.Errorf("line %v", a.line)
						}
					}})
				}
				w.tokens.fault = nil
				if !w.isActive(t, by, token) {
					t.Error("a revocation that failed ended the token")
				}
			})
		})
	}
}

func TestN15UnknownErrorIs500(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		w.tokens.fault = func(context.Context) error { return fmt.Errorf("what nobody thought of") }
		a := w.expect(t, by, step{call: asShop("token", "grant_type", "client_credentials"), status: 500, error: "server_error"})
		if want := `{"error":"server_error","error_description":"internal error"}`; a.body != want {
			t.Errorf("body %s, want %s", a.body, want)
		}
		if a.line["outcome"] != "failed" || a.line["error"] != "what nobody thought of" {
			t.Errorf("line %v", a.line)
		}
	})
}

func TestN16StrictTransportOverHTTPSOnly(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		a := w.expect(t, by, step{call: asShop("token"), status: 400, error: "invalid_request"})
		want := "max-age=31536000" // the gateway speaks https
		if by.name == "http" {
			want = ""
			if a.status/100 == 3 {
				t.Error("redirected")
			}
		}
		if got := a.header.Get("Strict-Transport-Security"); got != want {
			t.Errorf("Strict-Transport-Security is %q, want %q", got, want)
		}
	})
}

func TestA55Encoding(t *testing.T) {
	var steps []step
	for _, bad := range []string{
		"x=%ff", "%ff=x", "x=%00", "%00=x", "x=a;y=b", "x;y", "x=%", "x=%4", "x=%zz", "%zz=x", "x=%c3%28", "x=%ed%a0%80", "x=\x00",
		"password=%ff", "client_id=%00",
	} {
		steps = append(steps, forEach(bad, func(c call) call {
			c.body += "&" + bad
			return c
		}, step{status: 400, error: "invalid_request", idle: true})...)
	}
	run(t, steps)

	// Bytes that JSON cannot carry reach a function in base64 only.
	for _, by := range transports[:2] {
		t.Run(by.name+" raw", func(t *testing.T) {
			c := asShop("token", "grant_type", "client_credentials")
			c.body += "&x=\xff"
			newWorld(t).expect(t, by, step{call: c, status: 400, error: "invalid_request", idle: true})
		})
	}
}

func TestA56Size(t *testing.T) {
	const grant = "grant_type=client_credentials&x="
	var steps []step
	for name, s := range map[string]step{
		"16 KiB":              {call: call{body: grant + strings.Repeat("x", 16<<10-len(grant))}, status: 200},
		"16 KiB and one byte": {call: call{body: grant + strings.Repeat("x", 16<<10-len(grant)+1)}, status: 413, error: "invalid_request", idle: true},
		"100 kB":              {call: call{body: grant + strings.Repeat("x", 100_000)}, status: 413, error: "invalid_request", idle: true},
		"100 parameters":      {call: call{body: grant + strings.Repeat("&a=b", 98)}, status: 200},
		"101 parameters":      {call: call{body: grant + strings.Repeat("&a=b", 99)}, status: 400, error: "invalid_request", idle: true},
		"5000 parameters":     {call: call{body: grant + strings.Repeat("&a", 5000)}, status: 400, error: "invalid_request", idle: true},
		"5000 longer ones":    {call: call{body: grant + strings.Repeat("&a=b", 5000)}, status: 413, error: "invalid_request", idle: true},
	} {
		s.name, s.call.endpoint, s.call.header = name, "token", basic("shop", shopSecret)
		steps = append(steps, s)
	}
	run(t, steps)
}

func TestA57OtherBodies(t *testing.T) {
	json := func(c call) call {
		c.body = `{"grant_type": "client_credentials"}`
		c.header = map[string][]string{"Authorization": c.header["Authorization"], "Content-Type": {"application/json"}}
		return c
	}
	multipart := func(c call) call {
		c.body = "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nclient_credentials\r\n--x--\r\n"
		c.header = map[string][]string{"Authorization": c.header["Authorization"], "Content-Type": {"multipart/form-data; boundary=x"}}
		return c
	}
	refused := step{status: 400, error: "invalid_request", idle: true}
	run(t, append(forEach("json", json, refused), forEach("multipart", multipart, refused)...))
}

func TestA59OddCredentials(t *testing.T) {
	run(t, append(
		forEach("basic", func(c call) call {
			c.header = basic(oddID, oddSecret)
			return c
		}, step{status: 200}),
		forEach("post", func(c call) call {
			c.header, c.body = nil, c.body+"&"+form("client_id", oddID, "client_secret", oddSecret)
			return c
		}, step{status: 200})...,
	))
}

func TestA60TwoSecrets(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		old := asShop("token", "grant_type", "client_credentials")
		old.header = basic("shop", shopOldSecret)
		current := asShop("token", "grant_type", "client_credentials")
		w.expect(t, by, step{call: old, status: 200})
		w.expect(t, by, step{call: current, status: 200})

		c, _, err := w.registry.Client(t.Context(), "shop")
		must(t, err)
		c.Secrets = hashes(shopSecret)
		_, err = w.registry.SaveClient(t.Context(), c)
		must(t, err)
		w.now.Add(11) // past the cache of registrations

		w.expect(t, by, step{call: old, status: 401, error: "invalid_client"})
		w.expect(t, by, step{call: current, status: 200})
	})
}

// A76: a store that hangs is given up in time for an answer.
func TestA76StoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, by := newWorld(t), transports[1]
		token := w.login(t, by, asShop, "device_ipad").text("access_token")
		w.tokens.fault = func(ctx context.Context) error {
			<-ctx.Done()
			return oauth.Unavailable("read an authorization", ctx.Err())
		}
		for _, c := range []call{
			asShop("token", "grant_type", "client_credentials"),
			asShop("revoke", "token", token),
			asShop("introspect", "token", token),
		} {
			began := time.Now()
			a := w.check(t, c, func(c call) answer {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				return sendEvent(t, ctx, w.handlers[c.endpoint], eventOf(c, true))
			})
			if a.status != 503 || a.header.Get("Retry-After") == "" || time.Since(began) != 2700*time.Millisecond {
				t.Errorf("%s: %d %s after %v", c.endpoint, a.status, a.body, time.Since(began))
			}
		}
	})
}

func TestA79Panic(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		for name, value := range map[string]any{
			"text":  "CANARY",
			"error": fmt.Errorf("CANARY"),
			"value": struct{ Secret string }{"CANARY"},
		} {
			w.tokens.fault = func(context.Context) error { panic(value) }
			a := w.expect(t, by, step{call: asShop("token", "grant_type", "client_credentials"), status: 500, error: "server_error"})
			stack := fmt.Sprint(a.line["stack"])
			if a.line["error"] != fmt.Sprintf("panic of type %T", value) || !strings.Contains(stack, "world_test.go:") {
				t.Errorf("%s: line %v", name, a.line)
			}
			if strings.Contains(stack, "0x") {
				t.Errorf("the stack has arguments: %s", stack)
			}
		}
		w.tokens.fault = nil
		w.expect(t, by, step{call: asShop("token", "grant_type", "client_credentials"), status: 200})
	})
}

// TestLeaksFindsWhatIsPlanted shows that the search of world.check is no search
// for nothing.
func TestLeaksFindsWhatIsPlanted(t *testing.T) {
	w := newWorld(t)
	by := transports[0]
	token := w.login(t, by, asShop, "device_ipad").text("access_token")
	for _, line := range []string{
		"token " + token,
		"password " + password,
		"body " + form("password", password),
		"header " + basic("shop", shopSecret)["Authorization"][0],
		"header " + rawBasic("CANARY:x")["Authorization"][0],
		"name " + username,
		"form " + form("username", username),
	} {
		if leaks(line) == "" {
			t.Errorf("not found in %q", line)
		}
	}
	if found := leaks("an honest line"); found != "" {
		t.Errorf("found %q in an honest line", found)
	}
}
