package wire_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
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

// N01
func TestFormContentType(t *testing.T) {
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
		formType + "; charset=iso-8859-1", // the body is ASCII
		formType + "; charset=ISO-8859-1",
	} {
		steps = append(steps, forEach(good, with(good), step{status: 200})...)
	}
	for _, bad := range []string{
		"",
		"text/plain",
		"application/json",
		"multipart/form-data; boundary=x",
		formType + "; charset=",
		formType + ", application/json",
		formType + "; charset=utf-8, application/json",
		"application/x-www-form-urlencoded-too",
	} {
		steps = append(steps, forEach(bad, with(bad), step{status: 400, error: "invalid_request", idle: true})...)
	}
	// One byte that UTF-8 and ISO-8859-1 read otherwise.
	steps = append(steps, step{name: "two readings", call: with(formType + "; charset=iso-8859-1")(asShop("token", "grant_type", "password", "username", username, "password", password)), status: 400, error: "invalid_request", idle: true})
	steps = append(steps, forEach("none", with(), step{status: 400, error: "invalid_request", idle: true})...)
	steps = append(steps, forEach("twice", with(formType, formType), step{status: 400, error: "invalid_request", idle: true})...)
	run(t, steps)
}

// N01: A body is read as it is. One that is coded would else be a broken form, and the
// client would look for the fault in its parameters.
func TestContentEncoding(t *testing.T) {
	with := func(values ...string) func(call) call {
		return func(c call) call {
			c.header = map[string][]string{"Authorization": c.header["Authorization"], "Content-Encoding": values}
			return c
		}
	}
	var steps []step
	for _, good := range []string{"", "identity", "Identity"} {
		steps = append(steps, forEach("coding "+good, with(good), step{status: 200})...)
	}
	for _, bad := range [][]string{{"gzip"}, {"GZIP"}, {"br"}, {"deflate"}, {"identity, gzip"}, {"identity", "gzip"}, {"CANARY"}} {
		steps = append(steps, forEach(bad[0], with(bad...), step{status: 415, error: "invalid_request", idle: true, and: wantsIdentity})...)
	}
	steps = append(steps, forEach("gzip without a token's name", func(c call) call {
		c = with("gzip")(c)
		c.body = "\x1f\x8b\x08"
		return c
	}, step{status: 415, error: "invalid_request", idle: true, and: wantsIdentity})...)
	for _, c := range []call{
		{endpoint: "devices", path: "/devices/sign-out", body: "which=all"},
		{endpoint: "me", method: "GET", body: "\x1f\x8b\x08"},
	} {
		c.header = map[string][]string{"Authorization": {"Bearer CANARY"}, "Content-Encoding": {"gzip"}}
		steps = append(steps, step{name: c.endpoint, call: c, status: 415, error: "invalid_request", idle: true, and: wantsIdentity})
	}
	run(t, steps)
}

// wantsIdentity: the answer says what is taken (RFC 9110 §12.5.3).
func wantsIdentity(t *testing.T, a answer) {
	t.Helper()
	if got := a.header.Get("Accept-Encoding"); got != "identity" || a.header.Get("WWW-Authenticate") != "" {
		t.Errorf("Accept-Encoding %q, challenge %q", got, a.header.Get("WWW-Authenticate"))
	}
}

// N02
func TestMethod(t *testing.T) {
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

// N03
func TestSecretsInTheQuery(t *testing.T) {
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
		"subject_token=CANARY",
		"actor_token=CANARY",
		"assertion=CANARY",
		"nonce=CANARY",
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

// N04
func TestRepeatedParameter(t *testing.T) {
	steps := []step{
		{name: "unknown", call: asShop("token", "grant_type", "client_credentials", "x", "1", "x", "2"), status: 200},
		{name: "resource", call: asShop("token", "grant_type", "client_credentials", "resource", "a:1", "resource", "a:2"), status: 400, error: "invalid_request", idle: true},
		{name: "other case", call: asShop("token", "grant_type", "client_credentials", "Grant_Type", "password", "SCOPE", "x"), status: 200},
	}
	for _, name := range []string{
		"grant_type", "scope", "username", "password", "refresh_token", "tokenBindingId", "client_id", "client_secret",
		"client_assertion", "client_assertion_type", "token", "token_type_hint", "resource", "audience", "assertion", "nonce",
		"subject_token", "subject_token_type", "requested_token_type", "actor_token", "actor_token_type",
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

// N05
func TestUnknownParameter(t *testing.T) {
	run(t, forEach("unknown", func(c call) call {
		c.body += "&" + form("unknown", "CANARY", "another", "", "", "CANARY") + "&&alone"
		return c
	}, step{status: 200}))
}

// N06
func TestParameterWithoutValue(t *testing.T) {
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
			name:   "an empty client_secret is absent",
			call:   call{endpoint: "token", body: form("grant_type", "client_credentials", "client_id", "shop", "client_secret", "")},
			status: 401, error: "invalid_client",
		},
		{
			name:   "client_secret next to Basic is not a second mechanism",
			call:   asShop("token", "grant_type", "client_credentials", "client_secret", "", "client_assertion", ""),
			status: 200,
		},
		{
			name: "an empty client_secret of a public client is absent",
			call: asApp("token", "grant_type", "password", "username", username, "password", password, "client_secret", ""), status: 200,
		},
		{name: "token at revoke", call: asShop("revoke", "token", ""), status: 400, error: "invalid_request"},
		{name: "token at introspect", call: asShop("introspect", "token", ""), status: 400, error: "invalid_request"},
	})
}

// A55
func TestEncoding(t *testing.T) {
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

// A56
func TestFormSize(t *testing.T) {
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

// A57
func TestOtherBodies(t *testing.T) {
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

// N04: whatever parameter the code reads may not come twice. They are read out
// of the source, so that one that is added is among them.
func TestEveryParameterThatIsRead(t *testing.T) {
	names := []string{"token_type_hint"} // known and not read
	for _, dir := range []string{".", "../oauth"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		must(t, err)
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			must(t, err)
			ast.Inspect(file, func(n ast.Node) bool {
				spec, ok := n.(*ast.ValueSpec)
				if !ok || len(spec.Names) != 1 || !strings.HasPrefix(spec.Names[0].Name, "param") {
					return true
				}
				value, ok := spec.Values[0].(*ast.BasicLit)
				if !ok {
					t.Fatalf("%s is not a plain text", spec.Names[0].Name)
				}
				text, err := strconv.Unquote(value.Value)
				must(t, err)
				names = append(names, text)
				return true
			})
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) < 12 {
		t.Fatalf("found %q: the search does not see them", names)
	}
	var steps []step
	for _, name := range names {
		steps = append(steps, forEach(name, func(c call) call {
			c.body = form(name, "CANARY", "between", "1", name, "CANARY")
			return c
		}, step{status: 400, error: "invalid_request", idle: true})...)
	}
	run(t, steps)
}
