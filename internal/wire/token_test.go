package wire_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// The transcript at the top of the README.
func TestOneTokenForEachDevice(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		a := w.login(t, by, asShop, "device_ipad").text("access_token")
		w.now.Add(10)
		again := w.login(t, by, asShop, "device_ipad")
		if again.text("access_token") != a || again.json("expires_in") != 3590.0 {
			t.Errorf("asked again: %s", again.body)
		}
		b := w.login(t, by, asShop, "device_iphone").text("access_token")
		if a == b {
			t.Error("two devices share a token")
		}
		w.expect(t, by, step{call: asShop("revoke", "token", a), status: 200})
		if w.isActive(t, by, a) || !w.isActive(t, by, b) {
			t.Error("revoking the one did not end it, or ended the other")
		}
		if renewed := w.login(t, by, asShop, "device_ipad").text("access_token"); renewed == a || !w.isActive(t, by, renewed) {
			t.Error("after its end the token came back, or its successor is inactive")
		}
	})
}

// N20
func TestGrantType(t *testing.T) {
	run(t, []step{
		{name: "missing", call: asShop("token"), status: 400, error: "invalid_request", idle: true},
		{name: "unknown", call: asShop("token", "grant_type", "authorization_code"), status: 400, error: "unsupported_grant_type", idle: true},
		{name: "other case", call: asShop("token", "grant_type", "Password"), status: 400, error: "unsupported_grant_type", idle: true},
		{
			name:   "not registered",
			call:   call{endpoint: "token", header: basic("other", shopSecret), body: form("grant_type", "client_credentials")},
			status: 400, error: "unauthorized_client",
		},
		{name: "not for public clients", call: asApp("token", "grant_type", "client_credentials"), status: 400, error: "unauthorized_client"},
	})
}

// N21
func TestTokenAnswer(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		a := w.login(t, by, asShop, "write read device_ipad")
		decoder := json.NewDecoder(strings.NewReader(a.body))
		decoder.UseNumber()
		members := map[string]any{}
		must(t, decoder.Decode(&members))
		for name, prefix := range map[string]string{"access_token": "fob_at_", "refresh_token": "fob_rt_"} {
			if text, _ := members[name].(string); !strings.HasPrefix(text, prefix) {
				t.Errorf("%s: %v", name, members[name])
			}
			delete(members, name)
		}
		want := map[string]any{
			"token_type": "Bearer",
			"expires_in": json.Number("3600"), // an integer, written as one
			"scope":      "read write device_ipad",

			"refresh_token_expires_in": json.Number("2592000"),
		}
		if diff := cmp.Diff(members, want); diff != "" {
			t.Errorf("got -, want +:\n%s", diff)
		}
	})
}

// N22 to N24
func TestScopeOfATokenRequest(t *testing.T) {
	granted := func(want any) func(*testing.T, answer) {
		return func(t *testing.T, a answer) {
			if got := a.json("scope"); got != want {
				t.Errorf("scope %v, want %v", got, want)
			}
		}
	}
	bare := func(scope string) call {
		return call{endpoint: "token", header: basic("bare", shopSecret), body: form("grant_type", "client_credentials", "scope", scope)}
	}
	steps := []step{
		{name: "as asked", call: asShop("token", "grant_type", "client_credentials", "scope", "read"), status: 200, and: granted("read")},
		{name: "doubled", call: asShop("token", "grant_type", "client_credentials", "scope", "read device_x read"), status: 200, and: granted("read device_x")},
		{name: "default", call: asShop("token", "grant_type", "client_credentials"), status: 200, and: granted("read")},
		{name: "default with device", call: asShop("token", "grant_type", "client_credentials", "scope", "device_x"), status: 200, and: granted("read device_x")},
		{name: "binding", call: asShop("token", "grant_type", "client_credentials", "tokenBindingId", "x"), status: 200, and: granted("read device_x")},
		{name: "none at all", call: bare(""), status: 200, and: granted(nil)},
		{name: "device alone", call: bare("device_x"), status: 200, and: granted("device_x")},
		{name: "role-bound", call: asShop("token", "grant_type", "client_credentials", "scope", "write"), status: 400, error: "invalid_scope"},
		{name: "not registered", call: asShop("token", "grant_type", "client_credentials", "scope", "read admin"), status: 400, error: "invalid_scope"},
	}
	for _, bad := range []string{"read  write", " read", "read ", "read\twrite", "unheard-of", "Read", `re"ad`, `re\ad`, "r\u00e9ad", "device_", "device_a device_b", "device_x device_\u00e9"} {
		steps = append(steps, step{name: bad, call: asShop("token", "grant_type", "client_credentials", "scope", bad), status: 400, error: "invalid_scope"})
	}
	run(t, steps)
}

// N25
func TestPasswordGrant(t *testing.T) {
	run(t, []step{
		{name: "no username", call: asShop("token", "grant_type", "password", "password", password), status: 400, error: "invalid_request", idle: true},
		{name: "no password", call: asShop("token", "grant_type", "password", "username", username), status: 400, error: "invalid_request", idle: true},
		{name: "long password", call: asShop("token", "grant_type", "password", "username", username, "password", strings.Repeat("p", 1025)), status: 400, error: "invalid_request", idle: true},
	})
	each(t, func(t *testing.T, w *world, by transport) {
		w.login(t, by, asShop, "") // a live token must not help
		bodies := map[string]bool{}
		for _, pair := range [][2]string{{username, "CANARY"}, {"nobody", password}, {strings.ToUpper(username), password}, {username, password + " "}} {
			a := w.expect(t, by, step{
				call:   asShop("token", "grant_type", "password", "username", pair[0], "password", pair[1]),
				status: 400, error: "invalid_grant",
			})
			bodies[a.body] = true
		}
		if len(bodies) != 1 {
			t.Errorf("wrong and unknown can be told apart: %v", bodies)
		}
	})
}

// A53, A54
func TestEncodingsOfAPassword(t *testing.T) {
	head := "grant_type=password&username=" + "ada%26%3D%25%3A%2B%C3%BC%40example.com" + "&password="
	good := []string{
		"CANARY+correct+horse%26%3D%25%3A%2B+%C3%BC%E2%82%AC",
		"CANARY%20correct%20horse%26%3D%25%3A%2B%20%C3%BC%E2%82%AC",
		"CANARY+correct%20horse%26=%25:%2b+\u00fc\u20ac", // as much unescaped as a form allows
	}
	steps := []step{}
	for _, text := range good {
		c := asShop("token")
		c.body = head + text + "&scope=read+write%20device_x"
		steps = append(steps, step{name: text, call: c, status: 200, and: func(t *testing.T, a answer) {
			if got := a.text("scope"); got != "read write device_x" {
				t.Errorf("scope %q", got)
			}
		}})
		c.body = head + text + "&scope=read%2Bwrite" // a plus, not a space
		steps = append(steps, step{name: "plus in scope", call: c, status: 400, error: "invalid_scope"})
	}
	c := asShop("token")
	c.body = head + "CANARY%2Bcorrect%2Bhorse%26%3D%25%3A%2B%2B%C3%BC%E2%82%AC"
	steps = append(steps, step{name: "pluses are not spaces", call: c, status: 400, error: "invalid_grant"})
	run(t, steps)
}

// N26
func TestClientCredentialsGrant(t *testing.T) {
	run(t, []step{{call: asShop("token", "grant_type", "client_credentials", "scope", "device_x"), status: 200, and: func(t *testing.T, a answer) {
		if a.json("refresh_token") != nil {
			t.Error("with a refresh token")
		}
	}}})
}

// N27, N28
func TestRefreshGrant(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		first := w.login(t, by, asShop, "read write device_ipad")
		refresh := first.text("refresh_token")
		for _, scope := range []string{"", "device_ipad write read", "read write read device_ipad"} {
			a := w.expect(t, by, step{call: asShop("token", "grant_type", "refresh_token", "refresh_token", refresh, "scope", scope), status: 200})
			if a.text("refresh_token") != refresh || a.line["outcome"] != "refreshed" {
				t.Errorf("refreshed with scope %q: %v", scope, a.line)
			}
		}
		for _, scope := range []string{"read device_ipad", "read write", "read write device_iphone"} {
			w.expect(t, by, step{call: asShop("token", "grant_type", "refresh_token", "refresh_token", refresh, "scope", scope), status: 400, error: "invalid_scope"})
		}
		for name, c := range map[string]call{
			"missing":         asShop("token", "grant_type", "refresh_token"),
			"another client":  {endpoint: "token", header: basic("other", shopSecret), body: form("grant_type", "refresh_token", "refresh_token", refresh)},
			"by id alone":     {endpoint: "token", body: form("grant_type", "refresh_token", "refresh_token", refresh, "client_id", "shop")},
			"an access token": asShop("token", "grant_type", "refresh_token", "refresh_token", first.text("access_token")),
			"garbage":         asShop("token", "grant_type", "refresh_token", "refresh_token", "CANARY"),
		} {
			want := step{name: name, call: c, status: 400, error: "invalid_grant"}
			switch name {
			case "missing":
				want.error = "invalid_request"
			case "by id alone":
				want.status, want.error = 401, "invalid_client"
			}
			w.expect(t, by, want)
		}
		w.now.Add(91 * 24 * 3600)
		w.expect(t, by, step{call: asShop("token", "grant_type", "refresh_token", "refresh_token", refresh), status: 400, error: "invalid_grant"})
	})
}

// N29
func TestRotationAndReplay(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		if w.login(t, by, asApp, "read").json("refresh_token") != nil {
			t.Error("a public client without a device got a refresh token")
		}
		old := w.login(t, by, asApp, "device_ipad").text("refresh_token")
		use := asApp("token", "grant_type", "refresh_token", "refresh_token", old)
		first := w.expect(t, by, step{call: use, status: 200})
		w.now.Add(oauth.DefaultRefreshGrace)
		retried := w.expect(t, by, step{call: use, status: 200})
		if next := first.text("refresh_token"); next == old || next != retried.text("refresh_token") {
			t.Error("not one successor")
		}
		// A copy of the token looks like this as well, so the operator can count them.
		if first.line["outcome"] != "refreshed" || retried.line["outcome"] != "repeated" || retried.line["repeated"] != 1.0 || retried.line["refreshed"] != nil {
			t.Errorf("line %v, then %v", first.line, retried.line)
		}
		w.now.Add(1)
		replayed := w.expect(t, by, step{call: use, status: 400, error: "invalid_grant"})
		if replayed.line["outcome"] != "replayed" || replayed.line["level"] != "WARN" || replayed.line["replayed"] != 1.0 || replayed.line["denied"] != nil {
			t.Errorf("line %v", replayed.line)
		}
		w.expect(t, by, step{
			call:   asApp("token", "grant_type", "refresh_token", "refresh_token", first.text("refresh_token")),
			status: 400, error: "invalid_grant",
		})
		if w.isActive(t, by, first.text("access_token")) {
			t.Error("the access token outlived the replay")
		}
	})
}

// N30
func TestAlteredTokens(t *testing.T) {
	w, by := newWorld(t), transports[1]
	login := w.login(t, by, asShop, "device_ipad")
	for _, name := range []string{"access_token", "refresh_token"} {
		token := login.text(name)
		for i := range len(token) {
			altered := token[:i] + string(token[i]^1) + token[i+1:]
			w.expect(t, by, step{
				call: asShop("introspect", "token", altered), status: 200, idle: true,
				and: func(t *testing.T, a answer) {
					if a.body != `{"active":false}` {
						t.Errorf("byte %d: %s", i, a.body)
					}
				},
			})
			if name == "refresh_token" {
				w.expect(t, by, step{
					call:   asShop("token", "grant_type", "refresh_token", "refresh_token", altered),
					status: 400, error: "invalid_grant",
				})
			}
		}
	}
}

// A64: The throttle counts by the address that the gateway saw. A header may say what
// it likes.
func TestSourceIsTheGatewaysWord(t *testing.T) {
	w := newWorld(t)
	try := func(source, password string, forwarded string) answer {
		c := asShop("token", "grant_type", "password", "username", username, "password", password)
		c.header["X-Forwarded-For"] = []string{forwarded}
		c.header["Forwarded"] = []string{"for=" + forwarded}
		return w.check(t, c, func(c call) answer {
			e := eventOf(c, true)
			e.RequestContext.HTTP.SourceIP = source
			return sendEvent(t, t.Context(), w.handlers["token"], e)
		})
	}
	for i := range 11 {
		try(fmt.Sprintf("2001:db8:1:2::%x", i), "CANARY", fmt.Sprintf("198.51.100.%d", i))
	}
	var got []int
	for _, source := range []string{"2001:db8:1:2:ffff::1", "2001:db8:1:3::1", "192.0.2.7"} {
		got = append(got, try(source, password, "2001:db8:1:2::1").status)
	}
	if want := []int{400, 200, 200}; !slices.Equal(got, want) {
		t.Errorf("from the same /64, another and IPv4: %v, want %v", got, want)
	}
}

// A64: a back end that may says where its user is.
func TestUserAddress(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		login := func(address string) call {
			return asShop("token", "grant_type", "password", "username", username, "password", password, "user_address", address)
		}
		w.expect(t, by, step{name: "not registered for it", call: login("192.0.2.1"), status: 400, error: "invalid_request"})
		c, _, err := w.registry.Client(t.Context(), "shop")
		must(t, err)
		c.SendsUserAddress = true
		_, err = w.registry.SaveClient(t.Context(), c)
		must(t, err)
		w.now.Add(10)
		w.expect(t, by, step{name: "no address", call: login("192.0.2.1, 192.0.2.2"), status: 400, error: "invalid_request"})
		w.expect(t, by, step{name: "an address", call: login("2001:db8:1:2:3:4:5:6"), status: 200})
		if line := w.line(t); line["user_source"] != "2001:db8:1:2::/64" {
			t.Errorf("the line has %v", line["user_source"])
		}
	})
}

// N25: who guesses learns nothing from the answer, whatever the reason is.
func TestAnswersAreIdentical(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		try := func(name, pass, scope string) call {
			return asShop("token", "grant_type", "password", "username", name, "password", pass, "scope", scope)
		}
		refused := func(c call) map[string]any {
			t.Helper()
			a := w.expect(t, by, step{call: c, status: 400, error: "invalid_grant"})
			a.header.Del("Date")
			return map[string]any{"header": a.header, "body": a.body}
		}
		answers := map[string]map[string]any{
			"unknown":         refused(try("nobody", password, "")),
			"wrong":           refused(try(username, "CANARY", "")),
			"wrong, bad role": refused(try(username, "CANARY", "read admin")),
		}
		// The user gets the right password in. Then the name is delayed.
		w.expect(t, by, step{call: try(username, password, ""), status: 200})
		for range 10 {
			refused(try(username, "CANARY", ""))
		}
		answers["delayed, wrong"] = refused(try(username, "CANARY", ""))
		answers["delayed, right"] = refused(try(username, password, ""))
		w.now.Add(3600)
		w.expect(t, by, step{call: try(username, password, ""), status: 200})

		ada := ledger.Subject{Kind: ledger.UserSubject, ID: "u_ada"}
		must(t, w.subjects.Raise(t.Context(), ada, oauth.StateChange{Disabled: new(true)}))
		answers["disabled, right"] = refused(try(username, password, ""))
		answers["disabled, wrong"] = refused(try(username, "CANARY", ""))
		answers["disabled, bad scope"] = refused(try(username, password, "admin"))
		for what, a := range answers {
			if diff := cmp.Diff(answers["wrong"], a); diff != "" {
				t.Errorf("%s can be told from a wrong password:\n%s", what, diff)
			}
		}
	})
}

// N31: RFC 8707. The client's only audience changes nothing; any other, and more than
// one, is refused.
func TestResource(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		plain := w.expect(t, by, step{call: asShop("token", "grant_type", "client_credentials"), status: 200})
		for _, resource := range []string{shopAudience, ""} {
			a := w.expect(t, by, step{call: asShop("token", "grant_type", "client_credentials", "resource", resource), status: 200})
			if a.text("access_token") != plain.text("access_token") {
				t.Errorf("resource %q made another token", resource)
			}
		}
		for _, resource := range []string{"https://other.example", "not a URI", shopAudience + "/"} {
			w.expect(t, by, step{call: asShop("token", "grant_type", "client_credentials", "resource", resource), status: 400, error: "invalid_target"})
		}
		w.expect(t, by, step{call: asShop("token", "grant_type", "client_credentials", "resource", shopAudience, "resource", shopAudience), status: 400, error: "invalid_request"})
	})
}

// RFC 8693 §2.2.1: the answer of an exchange says which type of token it has, and no
// other answer does.
func TestIssuedTokenType(t *testing.T) {
	each(t, func(t *testing.T, w *world, by transport) {
		exchanged := w.expect(t, by, step{call: asApp("token", "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange",
			"subject_token", idToken, "subject_token_type", "urn:ietf:params:oauth:token-type:id_token", "scope", "device_ipad"), status: 200})
		if got := exchanged.text("issued_token_type"); got != "urn:ietf:params:oauth:token-type:access_token" {
			t.Errorf("issued_token_type %q", got)
		}
		if got := exchanged.line["issuer"]; got != issuerName {
			t.Errorf("the log names the issuer %v", got)
		}
		asserted := w.expect(t, by, step{call: asApp("token", "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", idToken, "scope", "device_ipad"), status: 200})
		if got := asserted.json("issued_token_type"); got != nil {
			t.Errorf("an assertion: issued_token_type %v", got)
		}
		refused := w.expect(t, by, step{call: asApp("token", "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", "CANARY"), status: 400, error: "invalid_grant"})
		if got := refused.line["refusal"]; got != "no JWT" {
			t.Errorf("the log says %v", got)
		}
	})
}
