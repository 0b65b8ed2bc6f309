package races

import (
	"testing"

	"github.com/anishathalye/porcupine"
)

// The model is code too: what it allows and refuses, one after the other unless
// a step says that it was under way at once with the one before.
func TestModelOfTokens(t *testing.T) {
	type step struct {
		verb   action
		token  int
		out    output
		atOnce bool
	}
	signOut, disable, enable := step{verb: doSignOut}, step{verb: doDisable}, step{verb: doEnable}
	denied := step{verb: doIssue, out: output{Refused: true}}
	issue := func(access, refresh int) step {
		return step{verb: doIssue, out: output{Access: access, Refresh: refresh}}
	}
	refresh := func(token, access, renewed int) step {
		return step{verb: doRefresh, token: token, out: output{Access: access, Refresh: renewed}}
	}
	refused := func(token int) step {
		return step{verb: doRefresh, token: token, out: output{Refused: true}}
	}
	introspect := func(token int, active bool) step {
		return step{verb: doIntrospect, token: token, out: output{Active: active}}
	}
	revoke := func(token int) step { return step{verb: doRevoke, token: token} }
	unknown := func(s step) step { s.out = output{Unknown: true}; return s }
	atOnce := func(s step) step { s.atOnce = true; return s }

	for _, test := range []struct {
		name  string
		steps []step
		stays bool // the refresh token serves more than once
		want  bool
	}{
		{name: "the same token again", steps: []step{issue(1, 2), issue(1, 2), introspect(1, true)}, want: true},
		{name: "two tokens", steps: []step{issue(1, 2), issue(3, 4)}},
		{name: "two tokens at once", steps: []step{issue(1, 2), atOnce(issue(3, 4))}},
		{name: "another refresh token", steps: []step{issue(1, 2), issue(1, 3)}},
		{name: "inactive at birth", steps: []step{issue(1, 2), introspect(1, false)}},
		{name: "inactive at once with the issue", steps: []step{issue(1, 2), atOnce(introspect(1, false))}, want: true},

		{name: "revoked", steps: []step{issue(1, 2), revoke(1), introspect(1, false), issue(3, 4)}, want: true},
		{name: "active after revoke", steps: []step{issue(1, 2), revoke(1), introspect(1, true)}},
		{name: "active at once with revoke", steps: []step{issue(1, 2), revoke(1), atOnce(introspect(1, true))}, want: true},
		{name: "revoked by the refresh token", steps: []step{issue(1, 2), revoke(2), introspect(1, true)}},
		{name: "the old token again", steps: []step{issue(1, 2), revoke(1), issue(1, 2)}},
		{name: "the old refresh token again", steps: []step{issue(1, 2), revoke(1), issue(3, 2)}},
		{name: "a dead token ends nothing", steps: []step{issue(1, 2), revoke(1), issue(3, 4), revoke(1), introspect(3, false)}},
		{name: "a revoke that may have been", steps: []step{issue(1, 2), unknown(revoke(1)), introspect(1, true), introspect(1, false)}, want: true},
		{name: "and cannot be undone", steps: []step{issue(1, 2), unknown(revoke(1)), introspect(1, false), introspect(1, true)}},

		{name: "signed out", steps: []step{issue(1, 2), signOut, introspect(1, false), issue(3, 4)}, want: true},
		{name: "active after sign-out", steps: []step{issue(1, 2), signOut, introspect(1, true)}},
		{name: "returned after sign-out", steps: []step{issue(1, 2), signOut, issue(1, 2)}},
		{name: "refreshed after sign-out", steps: []step{issue(1, 2), signOut, refresh(2, 1, 3)}},

		{name: "disabled", steps: []step{issue(1, 2), disable, introspect(1, false), denied, enable, introspect(1, false), issue(3, 4)}, want: true},
		{name: "active while disabled", steps: []step{issue(1, 2), disable, introspect(1, true)}},
		{name: "refreshed while disabled", steps: []step{issue(1, 2), disable, refresh(2, 1, 3)}},
		{name: "issued while disabled", steps: []step{disable, issue(1, 2)}},
		{name: "issued at once with a disable", steps: []step{issue(1, 2), atOnce(disable), introspect(1, false)}, want: true},
		{name: "issued and active after a disable", steps: []step{issue(1, 2), atOnce(disable), introspect(1, true), introspect(1, false), introspect(1, true)}},
		{name: "denied and enabled", steps: []step{denied}},
		{name: "denied after an enable", steps: []step{disable, enable, denied}},
		{name: "denied at once with an enable", steps: []step{disable, enable, atOnce(denied)}, want: true},
		{name: "a sign-out enables nobody", steps: []step{disable, signOut, issue(1, 2)}},
		{name: "the old token after an enable", steps: []step{issue(1, 2), disable, enable, issue(1, 2)}},

		{name: "two tokens and a sign-out", steps: []step{issue(1, 2), issue(3, 4), atOnce(signOut), introspect(3, false), introspect(1, false)}, want: true},
		{name: "two tokens and the first stays", steps: []step{issue(1, 2), issue(3, 4), atOnce(signOut), introspect(1, true)}},
		{name: "two tokens before a sign-out", steps: []step{issue(1, 2), issue(3, 4), signOut}},

		{name: "rotated", steps: []step{issue(1, 2), refresh(2, 1, 3), refresh(3, 1, 4), issue(1, 4)}, want: true},
		{name: "one successor", steps: []step{issue(1, 2), refresh(2, 1, 3), refresh(2, 1, 3)}, want: true},
		{name: "two successors", steps: []step{issue(1, 2), refresh(2, 1, 3), refresh(2, 1, 4)}},
		{name: "two successors at once", steps: []step{issue(1, 2), refresh(2, 1, 3), atOnce(refresh(2, 1, 4))}},
		{name: "refused in the grace", steps: []step{issue(1, 2), refresh(2, 1, 3), refused(2)}},
		{name: "not rotated", steps: []step{issue(1, 2), refresh(2, 1, 2)}},
		{name: "refused in force", steps: []step{issue(1, 2), refused(2)}},
		{name: "replayed", steps: []step{issue(1, 2), refresh(2, 1, 3), refresh(3, 1, 4), refused(2), introspect(1, false), issue(5, 6)}, want: true},
		{name: "replayed without effect", steps: []step{issue(1, 2), refresh(2, 1, 3), refresh(3, 1, 4), refused(2), introspect(1, true)}},
		{name: "replayed and served", steps: []step{issue(1, 2), refresh(2, 1, 3), refresh(3, 1, 4), refresh(2, 1, 4)}},
		{name: "overtaken and served", steps: []step{issue(1, 2), refresh(2, 1, 3), atOnce(refresh(3, 1, 4)), atOnce(refresh(2, 1, 4)), introspect(1, true)}, want: true},
		{name: "overtaken once and replayed", steps: []step{issue(1, 2), refresh(2, 1, 3), refresh(3, 1, 4), atOnce(refresh(2, 1, 4))}},
		{name: "overtaken and refused", steps: []step{issue(1, 2), refresh(2, 1, 3), atOnce(refresh(3, 1, 4)), atOnce(refused(2)), introspect(1, true)}},
		{name: "revoked by the predecessor", steps: []step{issue(1, 2), refresh(2, 1, 3), revoke(2), introspect(1, true)}},
		{name: "another life's token", steps: []step{issue(1, 2), revoke(1), issue(3, 4), refused(2), introspect(3, true)}, want: true},
		{name: "a successor that nobody saw", steps: []step{issue(1, 2), unknown(refresh(2, 0, 0)), issue(1, 3), refresh(2, 1, 3), refresh(3, 1, 4)}, want: true},
		{name: "or that was not made", steps: []step{issue(1, 2), unknown(refresh(2, 0, 0)), issue(1, 2), refresh(2, 1, 3)}, want: true},
		{name: "is only one", steps: []step{issue(1, 2), unknown(refresh(2, 0, 0)), issue(1, 3), refresh(2, 1, 4)}},
		{name: "and no old one", steps: []step{issue(1, 2), revoke(1), issue(3, 4), unknown(refresh(4, 0, 0)), issue(3, 2)}},

		{name: "it stays", stays: true, steps: []step{issue(1, 2), refresh(2, 1, 2), refresh(2, 1, 2), introspect(2, true)}, want: true},
		{name: "it stays and rotates", stays: true, steps: []step{issue(1, 2), refresh(2, 1, 3)}},
		{name: "it serves after revoke", stays: true, steps: []step{issue(1, 2), revoke(1), refresh(2, 1, 2)}},
		{name: "it is active after revoke", stays: true, steps: []step{issue(1, 2), revoke(1), introspect(2, true)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var history []porcupine.Operation
			for n, s := range test.steps {
				op := porcupine.Operation{
					ClientId: n, Call: int64(10 * n), Return: int64(10*n + 5),
					Input:  input{Verb: s.verb, Subject: "ann", Authorization: "ann's ipad", Token: s.token, Rotates: !test.stays},
					Output: s.out,
				}
				if s.verb == doSignOut || s.verb == doDisable || s.verb == doEnable {
					op.Input = input{Verb: s.verb, Subject: "ann"}
				}
				if s.atOnce {
					op.Call = history[n-1].Call
				}
				if s.out.Unknown {
					op.Return = forever
				}
				history = append(history, op)
			}
			if got := porcupine.CheckOperations(model, history); got != test.want {
				t.Errorf("linearizable: %v, want %v", got, test.want)
			}
		})
	}

	// A sign-out is its subject's alone.
	apart := []porcupine.Operation{
		{Call: 1, Return: 2, Input: input{Verb: doIssue, Subject: "ann", Authorization: "ann's ipad"}, Output: output{Access: 1}},
		{Call: 3, Return: 4, Input: input{Verb: doSignOut, Subject: "ben"}, Output: output{}},
		{Call: 5, Return: 6, Input: input{Verb: doIntrospect, Subject: "ann", Authorization: "ann's ipad", Token: 1}, Output: output{Active: true}},
	}
	if !porcupine.CheckOperations(model, apart) {
		t.Error("the sign-out of one subject reached another")
	}
}
