package faults

import (
	"encoding/json"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

// What back ends do to users: each request is sent again until its answer is not 503, as
// docs/users.md says.

// crm is the back end that looks after the users of all runs.
const (
	crm      ledger.ClientID = "crm"
	crmScope string          = "users sign-out"
)

// manage is one request of the back end, sent again as long as the answer is 503.
func (r *run) manage(in *instance, method, path, body, tag string) answer {
	r.Helper()
	token := r.send(r.other, "token", crm, itsSecret, "grant_type", "client_credentials", "scope", crmScope).access
	return r.request(in, "users", method, path, token, body, tag)
}

// request is one with a token and JSON, sent again as long as the answer is 503.
func (r *run) request(in *instance, endpoint, method, path, token, body, tag string) answer {
	r.Helper()
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "$default",
		Headers: map[string]string{"authorization": "Bearer " + token, "content-type": "application/json"}, Body: body,
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			DomainName: "fob.example", HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: method, SourceIP: "192.0.2.8"},
		},
	}
	if tag != "" {
		e.Headers["if-match"] = tag
	}
	e.RawPath, e.RawQueryString, _ = strings.Cut(path, "?")
	return r.attempt(in, func() answer { r.Helper(); return r.serve(in, endpoint, e) }, func(answer) {})
}

// ends makes a request that must end what which selects. For all says that what was answered
// while the request was under way must have ended too.
func (r *run) ends(which func(*answeredToken) bool, forAll bool, request func() answer) answer {
	r.Helper()
	before, done := r.doubt(which)
	defer done()
	a := request()
	if a.status >= 300 {
		return a
	}
	r.ended(before)
	if forAll {
		now, done := r.doubt(which)
		defer done()
		r.ended(now)
	}
	r.observe()
	return a
}

// ofUser selects all tokens of the run's user.
func (r *run) ofUser(k *answeredToken) bool {
	return k.token.Locator.Subject == ledger.SubjectKey(r.who)
}

// like selects the tokens of the Authorization of an answer.
func (r *run) like(a answer) func(*answeredToken) bool {
	loc := r.find(a.access).token.Locator
	return func(k *answeredToken) bool { return k.token.Locator == loc }
}

// change changes the run's user, which ends all that the user had.
func (r *run) change(in *instance, body, tag string, forAll bool) answer {
	r.Helper()
	return r.ends(r.ofUser, forAll, func() answer { r.Helper(); return r.manage(in, "PATCH", r.place(), body, tag) })
}

func (r *run) place() string { return "/users/" + r.who.ID }

// try is a login with a password that may be refused.
func (r *run) try(in *instance, name, password string) answer {
	r.Helper()
	return r.ask(in, "grant_type", "password", "username", name, "password", password, "scope", onIPad)
}

// asBefore logs in as the user could before the flow.
func asBefore(r *run, in *instance) answer {
	r.Helper()
	return r.try(in, r.user, oauthtest.Password(r.user))
}

// signsIn says whether the run's user can log in as before.
func (r *run) signsIn(want bool) {
	r.Helper()
	status := 400
	if want {
		status = 200
	}
	a := asBefore(r, r.front)
	r.expect(a.status == status, "a login as before answered %v, want %d", a, status)
}

const newPassword = "a password that nobody had before"

func addBody(name string, disabled bool) string {
	body, _ := json.Marshal(map[string]any{"username": name, "password": oauthtest.Password(name), "disabled": disabled}) // texts and a bool
	return string(body)
}

// added sends what adds a user, and returns the user's id: 409 has it too, when an answer got
// lost.
func (r *run) added(name string, disabled bool) (id string) {
	r.Helper()
	a := r.manage(r.front, "POST", "/users", addBody(name, disabled), "")
	id, _ = a.body["id"].(string)
	r.expect((a.status == 201 || a.status == 409) && id != "", "adding a user answered %v", a)
	return id
}

// isThere holds the three ways to look at a user to each other.
func (r *run) isThere(name, id string, disabled bool) {
	r.Helper()
	one := r.manage(r.front, "GET", "/users/"+id, "", "")
	r.expect(one.status == 200 && one.body["username"] == name && one.body["disabled"] == disabled, "the user is %v, want disabled %v", one, disabled)
	found := r.manage(r.front, "GET", "/users?username="+name, "", "")
	list, _ := found.body["users"].([]any)
	r.expect(found.status == 200 && len(list) == 1 && strings.Contains(found.text, id), "a search found %v", found)
	a := r.manage(r.front, "POST", "/users", addBody(name, false), "")
	r.expect(a.status == 409 && a.body["id"] == id, "the name is free: %v", a)
}

var userFlows = []clientFlow{
	{name: "add a user", act: func(r *run, _ []answer) {
		r.added("new-"+r.user, false)
		a := r.try(r.front, "new-"+r.user, oauthtest.Password("new-"+r.user))
		r.expect(a.status == 200, "a login of a new user answered %v", a)
	}, finish: func(r *run) {
		r.isThere("new-"+r.user, r.added("new-"+r.user, false), false)
		a := r.try(r.front, "new-"+r.user, oauthtest.Password("new-"+r.user))
		r.expect(a.status == 200, "a login of a new user answered %v", a)
	}},
	{name: "add a disabled user", act: func(r *run, _ []answer) {
		r.added("new-"+r.user, true)
		a := r.try(r.front, "new-"+r.user, oauthtest.Password("new-"+r.user))
		r.expect(a.status == 400, "a login of a disabled user answered %v", a)
	}, finish: func(r *run) {
		id := r.added("new-"+r.user, true)
		r.isThere("new-"+r.user, id, true)
		a := r.manage(r.front, "PATCH", "/users/"+id, `{"disabled":false}`, "")
		r.expect(a.status == 200, "enabling a new user answered %v", a)
		a = r.try(r.front, "new-"+r.user, oauthtest.Password("new-"+r.user))
		r.expect(a.status == 200, "a login after enabling answered %v", a)
	}},
	{name: "set a password", prepare: loggedIn, ask: asBefore, act: setPassword, finish: func(r *run) {
		setPassword(r, nil)
		r.isThere(r.user, r.who.ID, false)
	}},
	{name: "take a password away", prepare: loggedIn, ask: asBefore, act: func(r *run, _ []answer) {
		a := r.change(r.front, `{"password":null}`, "", true)
		r.expect(a.status == 200 && a.body["has_password"] == false, "taking a password away answered %v", a)
		r.signsIn(false)
	}, finish: setNewPassword},
	{name: "set roles", prepare: loggedIn, act: setRoles, finish: func(r *run) { setRoles(r, nil) }},
	{name: "disable", prepare: loggedIn, ask: asBefore, act: disable, finish: func(r *run) {
		disable(r, nil)
		r.isThere(r.user, r.who.ID, true)
		enable(r, nil)
	}},
	{name: "enable", prepare: func(r *run) []answer {
		before := loggedIn(r)
		r.change(r.other, `{"disabled":true}`, "", true)
		return before
	}, ask: asBefore, act: enable, finish: func(r *run) {
		enable(r, nil)
		r.isThere(r.user, r.who.ID, false)
	}},
	{name: "change what was read", prepare: loggedIn, ask: asBefore, act: changeWhatWasRead, finish: func(r *run) { changeWhatWasRead(r, nil) }},
	{name: "remove", prepare: loggedIn, ask: asBefore, act: remove, finish: func(r *run) {
		remove(r, nil)
		a := r.manage(r.front, "GET", r.place(), "", "")
		r.expect(a.status == 404, "a removed user is %v", a)
		id := r.added(r.user, false)
		r.expect(id != r.who.ID, "an id was given twice")
		r.isThere(r.user, id, false)
		r.signsIn(true)
	}},
	{name: "end a device", prepare: loggedIn, act: func(r *run, before []answer) {
		a := r.ends(r.like(before[0]), false, func() answer { return r.manage(r.front, "DELETE", r.place()+"/devices/ipad", "", "") })
		r.expect(a.status == 204, "ending a device answered %v", a)
	}},
	{name: "end other devices", prepare: func(r *run) []answer {
		return []answer{r.login(r.other, onIPad), r.login(r.other, "read device_iphone"), r.login(r.other, "read")}
	}, act: func(r *run, before []answer) {
		iphone, nameless := r.like(before[1]), r.like(before[2])
		others := func(k *answeredToken) bool { return iphone(k) || nameless(k) }
		a := r.ends(others, false, func() answer {
			return r.manage(r.front, "POST", r.place()+"/devices/sign-out", `{"which":"others","device":"ipad"}`, "")
		})
		r.expect(a.status == 204, "ending other devices answered %v", a)
	}},
	{name: "end all devices", prepare: loggedIn, act: func(r *run, _ []answer) {
		a := r.ends(r.ofUser, false, func() answer {
			return r.manage(r.front, "POST", r.place()+"/devices/sign-out", `{"which":"all"}`, "")
		})
		r.expect(a.status == 204, "ending all devices answered %v", a)
	}},
	{name: "global sign-out", prepare: loggedIn, act: func(r *run, _ []answer) {
		a := r.ends(r.ofUser, false, func() answer {
			return r.manage(r.front, "POST", "/sign-out", `{"sub_id":{"format":"opaque","id":"`+r.who.ID+`"}}`, "")
		})
		r.expect(a.status == 204, "a global sign-out answered %v", a)
	}},
}

func setPassword(r *run, _ []answer) {
	r.Helper()
	a := r.change(r.front, `{"password":"`+newPassword+`"}`, "", true)
	r.expect(a.status == 200, "setting a password answered %v", a)
	r.signsIn(false)
	a = r.try(r.front, r.user, newPassword)
	r.expect(a.status == 200, "a login with the new password answered %v", a)
}

func setNewPassword(r *run) { r.Helper(); setPassword(r, nil) }

func setRoles(r *run, _ []answer) {
	r.Helper()
	a := r.change(r.front, `{"roles":["editor"]}`, "", false)
	r.expect(a.status == 200, "setting roles answered %v", a)
	a = r.manage(r.front, "GET", r.place(), "", "")
	r.expect(strings.Contains(a.text, `"roles":["editor"]`), "the user is %v", a)
	r.signsIn(true)
}

func disable(r *run, _ []answer) {
	r.Helper()
	a := r.change(r.front, `{"disabled":true}`, "", true)
	r.expect(a.status == 200, "disabling answered %v", a)
	r.signsIn(false)
}

func enable(r *run, _ []answer) {
	r.Helper()
	a := r.change(r.front, `{"disabled":false}`, "", false)
	r.expect(a.status == 200, "enabling answered %v", a)
	r.signsIn(true)
}

// changeWhatWasRead does what docs/users.md says of 412 after 503.
func changeWhatWasRead(r *run, _ []answer) {
	r.Helper()
	for range maxTries {
		tag := r.manage(r.front, "GET", r.place(), "", "").header["Etag"]
		a := r.change(r.front, `{"password":"`+newPassword+`"}`, tag, true)
		if a.status != 412 {
			r.expect(a.status == 200, "a change of what was read answered %v", a)
			break
		}
	}
	r.signsIn(false)
	a := r.try(r.front, r.user, newPassword)
	r.expect(a.status == 200, "a login with the new password answered %v", a)
}

func remove(r *run, _ []answer) {
	r.Helper()
	a := r.ends(r.ofUser, true, func() answer { return r.manage(r.front, "DELETE", r.place(), "", "") })
	r.expect(a.status == 204, "removing answered %v", a)
	r.signsIn(false)
}
