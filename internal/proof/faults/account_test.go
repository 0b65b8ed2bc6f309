package faults

import (
	"encoding/json"
	"strings"

	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

// What signed-in users do to their account: the iPad asks, and the iPhone is signed in too.
var accountFlows = []clientFlow{
	{name: "change the own password", prepare: onTwoDevices, ask: asBefore, act: changeOwnPassword, finish: setNewPassword},
	{name: "leave", prepare: onTwoDevices, ask: asBefore, act: func(r *run, before []answer) {
		leave(r, before, ofAccount(oauthtest.Password(r.user), ""))
	}, finish: isGone},
	{name: "leave after a sign-in", prepare: onTwoDevices, ask: asBefore, act: func(r *run, before []answer) {
		leave(r, before, "")
	}, finish: isGone},
	{name: "label the iPad", act: label, prepare: func(r *run) []answer {
		return []answer{r.login(r.other, "devices read device_ipad"), r.login(r.other, "read device_iphone")}
	}},
}

// label changes no token, and the list has it when the request was answered.
func label(r *run, before []answer) {
	r.Helper()
	ipad := before[0].refresh
	a := r.request(r.front, "labels", "PATCH", "/devices/ipad", ipad, `{"label":"mine"}`, "")
	r.expect(a.status == 204, "a label answered %v", a)
	list := r.request(r.other, "devices", "GET", "/devices", ipad, "", "")
	r.expect(a.status != 204 || strings.Count(list.text, `"label":"mine"`) == 1, "the list of the devices is %v", list)
	for _, device := range before {
		r.expect(r.introspect(r.other, device.access).body["active"] == true, "a label signed a device out")
	}
}

func onTwoDevices(r *run) []answer {
	return []answer{r.login(r.other, "account read device_ipad"), r.login(r.other, "read device_iphone")}
}

func ofAccount(present, next string) string {
	members := map[string]string{"password": present}
	if next != "" {
		members["new_password"] = next
	}
	body, _ := json.Marshal(members) // texts
	return string(body)
}

// changeOwnPassword does what docs/account.md says of each answer.
func changeOwnPassword(r *run, before []answer) {
	r.Helper()
	ipad, iphone := before[0], before[1]
	all, done := r.doubt(r.ofUser)
	defer done()
	ended := r.like(iphone)
	r.pausing = func(k *answeredToken) bool { return r.ofUser(k) && !ended(k) }
	present := oauthtest.Password(r.user)
	var a answer
	for range maxTries {
		a = r.request(r.front, "account", "POST", "/account/password", ipad.refresh, ofAccount(present, newPassword), "")
		if a.status != 400 {
			break
		}
		present = newPassword // the answer got lost that said so
	}
	r.pausing = nil
	r.expect(a.status == 200 || a.status == 401, "a change of one's password answered %v", a)
	stays := a.body["signed_in"] == true
	if a.status == 200 || a.status == 401 {
		for _, k := range all {
			if ended(k) || !stays {
				k.state = hasEnded
			}
		}
		r.observe()
	}
	if r.strict && stays {
		r.expect(r.introspect(r.other, ipad.access).body["active"] == true, "the device was to stay, and is signed out")
	}
	r.signsIn(false)
	a = r.try(r.front, r.user, newPassword)
	r.expect(a.status == 200, "a login with the new password answered %v", a)
}

// leave sends a request once more after 503, which is 401 if the first write was done: then
// all has ended too.
func leave(r *run, before []answer, body string) {
	r.Helper()
	a := r.ends(r.ofUser, true, func() answer {
		r.Helper()
		a := r.request(r.front, "account", "DELETE", "/account", before[0].refresh, body, "")
		r.expect(a.status == 204 || a.status == 401, "leaving answered %v", a)
		if a.status == 401 && r.strict {
			a.status = 204
		}
		return a
	})
	if a.status == 204 {
		r.signsIn(false)
	}
}

// isGone completes what a back end can complete, also where the user never left.
func isGone(r *run) {
	r.Helper()
	remove(r, nil)
	a := r.manage(r.front, "GET", r.place(), "", "")
	r.expect(a.status == 404, "a user who left is %v", a)
}
