package races

import (
	"testing"

	"github.com/anishathalye/porcupine"
)

// What the model allows and refuses while a back end changes the user. A change is a save
// and a raise, with what happens between the two between them here.
func TestModelOfUsers(t *testing.T) {
	type step struct {
		in     input
		out    output
		atOnce bool // with all steps from the first on
	}
	issue := func(access, password int) step {
		return step{in: input{Verb: doIssue, ByPassword: true, Password: password}, out: output{Access: access}}
	}
	exchange := func(access int) step { return step{in: input{Verb: doIssue}, out: output{Access: access}} }
	denied := func(password int) step {
		return step{in: input{Verb: doIssue, ByPassword: true, Password: password}, out: output{Refused: true}}
	}
	active := func(token int, is bool) step {
		return step{in: input{Verb: doIntrospect, Token: token}, out: output{Active: is}}
	}
	save := func(change, password int) step {
		return step{in: input{Verb: doSave, Change: change, SetsPassword: true, Password: password}}
	}
	raise := func(change int) step { return step{in: input{Verb: doRaise, Change: change}} }
	flag := func(verb action, change int, disables bool) step {
		return step{in: input{Verb: verb, Change: change, SetsDisabled: true, Disables: disables}}
	}
	remove := step{in: input{Verb: doDisable, Change: 9}}
	gone := step{in: input{Verb: doGone, Change: 9}}
	endDevice := func(device string) step { return step{in: input{Verb: doEndDevice, Device: device}} }
	event := func(second int64) step { return step{in: input{Verb: doEvent, Dated: second}} }
	dated := func(s step, second int64) step { s.in.Dated = second; return s }
	atOnce := func(s step) step { s.atOnce = true; return s }
	refused := func(s step) step { s.out.Refused = true; return s }

	for _, test := range []struct {
		name  string
		steps []step
		want  bool
	}{
		{"another password", []step{issue(1, 0), save(1, 2), raise(1), active(1, false), denied(0), issue(2, 2), active(2, true)}, true},
		{"the old token lives", []step{issue(1, 0), save(1, 2), raise(1), active(1, true)}, false},
		{"the old password logs in", []step{save(1, 2), raise(1), issue(1, 0)}, false},
		{"the new password is refused", []step{save(1, 2), raise(1), denied(2)}, false},
		{"the old password between the two", []step{save(1, 2), atOnce(issue(1, 0)), atOnce(raise(1)), active(1, false)}, true},
		{"it outlives the second", []step{save(1, 2), atOnce(issue(1, 0)), atOnce(raise(1)), active(1, true)}, false},
		{"the first password again", []step{save(1, 2), raise(1), save(2, 0), raise(2), issue(1, 0)}, true},
		{"a raise before its save", []step{raise(1), save(1, 2), active(1, false)}, false},
		{"another login needs no password", []step{save(1, 2), raise(1), exchange(1), active(1, true)}, true},

		{"disabled", []step{issue(1, 0), flag(doSave, 1, true), denied(0), flag(doRaise, 1, true), active(1, false), denied(0)}, true},
		{"disabled, and an exchange", []step{flag(doSave, 1, true), flag(doRaise, 1, true), exchange(1)}, false},
		{"enabled", []step{flag(doSave, 1, true), flag(doRaise, 1, true), flag(doSave, 2, false), denied(0), flag(doRaise, 2, false), issue(1, 0)}, true},
		{"enabled and refused", []step{flag(doSave, 1, true), flag(doRaise, 1, true), flag(doSave, 2, false), flag(doRaise, 2, false), denied(0)}, false},

		{"removed", []step{issue(1, 0), remove, active(1, false), denied(0), gone, denied(0), refused(save(3, 1))}, true},
		{"removed, and a token lives", []step{issue(1, 0), remove, gone, active(1, true)}, false},
		{"removed, and logs in", []step{remove, gone, issue(1, 0)}, false},
		{"removed, and is changed", []step{remove, gone, save(1, 2), active(1, false)}, false},
		{"not there before the removal", []step{refused(save(1, 2)), remove, gone, active(1, false)}, false},

		{"a device ended", []step{issue(1, 0), endDevice("ipad"), active(1, false), issue(2, 0)}, true},
		{"it lives", []step{issue(1, 0), endDevice("ipad"), active(1, true)}, false},
		{"another device ended", []step{issue(1, 0), endDevice("iphone"), active(1, true)}, true},

		{"an event", []step{dated(issue(1, 0), 5), event(6), active(1, false), dated(issue(2, 0), 7), active(2, true)}, true},
		{"it leaves the sign-in alive", []step{dated(issue(1, 0), 5), event(6), active(1, true)}, false},
		{"what was signed before it logs in", []step{event(6), dated(issue(1, 0), 6)}, false},
		{"or is refused", []step{event(6), dated(denied(0), 6)}, true},
		{"it comes again, and ends nothing more", []step{event(6), dated(issue(1, 0), 7), event(6), event(5), active(1, true)}, true},
		{"another one does", []step{event(6), dated(issue(1, 0), 7), event(7), active(1, true)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var history []porcupine.Operation
			for n, s := range test.steps {
				op := porcupine.Operation{ClientId: n, Call: int64(10 * n), Return: int64(10*n + 5), Output: s.out}
				s.in.Subject = "ann"
				if s.in.Verb == doIssue || s.in.Verb == doIntrospect {
					s.in.Authorization, s.in.Device = "ann's ipad", "ipad"
				}
				if s.atOnce {
					op.Call = 0
				}
				op.Input = s.in
				history = append(history, op)
			}
			if got := porcupine.CheckOperations(model, history); got != test.want {
				t.Errorf("linearizable: %v, want %v", got, test.want)
			}
		})
	}
}
