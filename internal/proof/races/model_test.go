package races

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/anishathalye/porcupine"
)

// The promises of fob, one operation at a time. A history is linearizable if each
// operation can be thought to happen at one moment between its call and its
// return, so that this model gives the same answers in that order.
//
// Tokens are numbers here, from 1 in the order in which the driver saw them; 0
// is none. Access tokens live for an hour and a history for seconds, so nothing
// expires and no access token has a successor.

type action string

const (
	doIssue      action = "issue"
	doRefresh    action = "refresh"
	doIntrospect action = "introspect"
	doRevoke     action = "revoke"
	doSignOut    action = "sign-out"
	doDisable    action = "disable"
	doEnable     action = "enable" // signs out too
	doEndDevice  action = "end device"
	doEvent      action = "event" // of the provider about its user

	// What a back end does to a user is two writes, in this order.
	doSave  action = "save"  // a user, with another password or flag
	doRaise action = "raise" // the epoch, with the flag
	doGone  action = "gone"  // is the user, after a disable
)

// input is what is asked of one Authorization, or of all of a subject's, with which a
// sign-out, a disable and an enable are concerned. How an issue was proved makes no difference.
type input struct {
	Verb          action
	Subject       string
	Authorization string // empty for all of the subject's
	Token         int
	// Rotates: the client is public, and refresh tokens serve once.
	Rotates bool
	// SigningOut: an issue was under way at once with one of these of its subject.
	SigningOut bool
	// Overtaken: at least two refreshes of the Authorization that succeeded, or may
	// have, were under way at once with this one.
	Overtaken bool

	// Dated is the second in which the provider signed what an issue shows, or an event. An
	// issue that another proves has none.
	Dated  int64
	Device string // of the Authorization; of an end, which
	// ByPassword: an issue shows Password, the number of one.
	ByPassword bool
	Password   int
	// Change is the number of the change that a save and a raise are of.
	Change int
	// A save sets Password or UserDisabled, and a raise what the state says of the flag.
	SetsPassword, SetsDisabled, Disables bool
	// Raises is how often an issue may have been told to start over by others.
	Raises int
}

type output struct {
	Access, Refresh int
	Active          bool
	Refused         bool
	// Unknown: the answer was lost, or a 503. It may have happened or not, and
	// may yet.
	Unknown bool
}

// authorizationState is the state of one Authorization and its user. It is comparable, which
// spares porcupine an Equal.
type authorizationState struct {
	UserDisabled, Gone bool
	Password           int
	Saved, Raised      tokenSet // changes of the user, by their numbers
	Earliest           int64    // the second that an issue must be of, since an event

	Disabled        bool
	Live            bool     // never while Disabled
	Access, Refresh int      // in force, while Live
	Previous        int      // the refresh token before Refresh
	Older           tokenSet // refresh tokens before that, of the same life
	Seen            tokenSet // all tokens that were ever handed out
	Stillborn       tokenSet // those of them that were inactive at birth
}

// unseen is a refresh token that was made, and whose reply was lost:
// the next who gets it says which it is.
const unseen = -1

// tokenSet is a set of small numbers that can be compared.
type tokenSet string

func (s tokenSet) has(n int) bool {
	return n >= 0 && n/8 < len(s) && s[n/8]&(1<<(n%8)) != 0
}

func (s tokenSet) with(n int) tokenSet {
	if n <= 0 || s.has(n) {
		return s
	}
	bits := make([]byte, max(len(s), n/8+1))
	copy(bits, s)
	bits[n/8] |= 1 << (n % 8)
	return tokenSet(bits)
}

// model is deterministic. Doubt needs no choice: an operation whose answer is
// unknown never returns, so that it may also happen after all others, which is as
// good as never. A token of an unknown issue is made by the first request that shows
// it; the driver leaves it out.
var model = porcupine.Model{
	Partition: partition,
	Init:      func() any { return authorizationState{} },
	Step: func(state, in, out any) (bool, any) {
		return step(state.(authorizationState), in.(input), out.(output))
	},
	DescribeOperation: func(in, out any) string {
		return describe(in.(input), out.(output))
	},
}

// partition gives each Authorization its own operations and those of its whole subject.
func partition(history []porcupine.Operation) [][]porcupine.Operation {
	parts := map[string][]porcupine.Operation{}
	subjects, devices := map[string]string{}, map[string]string{}
	for _, op := range history {
		if in := op.Input.(input); in.Authorization != "" {
			parts[in.Authorization] = append(parts[in.Authorization], op)
			subjects[in.Authorization], devices[in.Authorization] = in.Subject, in.Device
		}
	}
	for _, out := range history {
		in := out.Input.(input)
		if in.Authorization != "" {
			continue
		}
		for name, subject := range subjects {
			if subject != in.Subject {
				continue
			}
			if in.Verb == doEndDevice {
				if in.Device == devices[name] {
					parts[name] = append(parts[name], out)
				}
				continue
			}
			for n, op := range parts[name] {
				if at := op.Input.(input); at.Verb == doIssue && op.Call <= out.Return && out.Call <= op.Return {
					at.SigningOut = true
					if in.Verb != doSave && in.Verb != doGone {
						at.Raises++
					}
					parts[name][n].Input = at
				}
			}
			parts[name] = append(parts[name], out)
		}
	}
	for _, ops := range parts {
		markOvertaken(ops)
	}
	return slices.Collect(maps.Values(parts))
}

func markOvertaken(ops []porcupine.Operation) {
	rotates := func(op porcupine.Operation) bool {
		in, out := op.Input.(input), op.Output.(output)
		return in.Verb == doRefresh && in.Rotates && !out.Refused
	}
	for n, op := range ops {
		others := 0
		for m, other := range ops {
			if m != n && rotates(other) && other.Call <= op.Return && op.Call <= other.Return {
				others++
			}
		}
		if in := op.Input.(input); in.Verb == doRefresh && others >= 2 {
			in.Overtaken = true
			ops[n].Input = in
		}
	}
}

func step(s authorizationState, in input, out output) (bool, authorizationState) {
	ended := s.end()
	held := s.Live && in.Token > 0 && (in.Token == s.Access || in.Token == s.Refresh || in.Token == s.Previous)
	switch in.Verb {
	case doSave, doRaise, doGone:
		return s.changed(in, out)

	case doSignOut, doDisable, doEnable:
		if in.Verb != doSignOut {
			ended.Disabled = in.Verb == doDisable
		}
		if in.Change > 0 {
			ended.Saved, ended.Raised = s.Saved.with(in.Change), s.Raised.with(in.Change)
		}
		return true, ended

	case doEndDevice:
		return true, ended

	case doEvent:
		if s.Earliest > in.Dated { // done before, or overtaken
			return true, s
		}
		ended.Earliest = in.Dated + 1
		return true, ended

	case doRevoke:
		if held {
			return true, ended
		}
		return true, s

	case doIntrospect:
		// Of the refresh tokens only the one in force is active.
		return out.Active == (held && in.Token != s.Previous), s

	case doIssue:
		proves := s.admits(in)
		// Between the two writes of a change an issue may still be judged by what it read
		// before the first. The second ends what comes of it.
		may := proves || in.SigningOut && s.Saved != s.Raised
		switch {
		case out.Refused:
			return s.Disabled || !proves || in.Raises >= 2, s
		case may && s.Live && s.Access == out.Access:
			return s.shows(out.Refresh), s.showing(out.Refresh)
		case s.Stillborn.has(out.Access):
			return in.SigningOut, s
		}
		made := s.end()
		made.Live, made.Access, made.Refresh, made.Seen = true, out.Access, out.Refresh, s.Seen.with(out.Access).with(out.Refresh)
		isNew := !s.Seen.has(out.Access) && !s.Seen.has(out.Refresh)
		if s.Live || s.Disabled || !may {
			// The epoch is read before the record is written. Between the two another
			// request can make a token, the sign-out end it, and a revocation sweep it
			// away: then what is written is dead, and the token with it.
			s.Seen, s.Stillborn = made.Seen, s.Stillborn.with(out.Access)
			return in.SigningOut && isNew, s
		}
		return isNew, made

	case doRefresh:
		switch {
		case s.Live && in.Token == s.Refresh && !in.Rotates:
			return out.Unknown || !out.Refused && out.Access == s.Access && out.Refresh == in.Token, s

		case s.Live && in.Token == s.Refresh:
			next := s
			next.Older, next.Previous = s.Older.with(s.Previous), in.Token
			if out.Unknown {
				next.Refresh = unseen
				return true, next
			}
			next.Refresh, next.Seen = out.Refresh, s.Seen.with(out.Refresh)
			return !out.Refused && out.Access == s.Access && out.Refresh > 0 && !s.Seen.has(out.Refresh), next

		case s.Live && in.Token == s.Previous:
			// Within the grace a predecessor gets the same successor again.
			if out.Unknown {
				return true, s
			}
			return !out.Refused && out.Access == s.Access && s.shows(out.Refresh), s.showing(out.Refresh)

		case s.Live && s.Older.has(in.Token):
			if !out.Unknown && !out.Refused {
				// The token was in force when the request read it, and rotated twice until
				// it came to write: it gets what is in force.
				return in.Overtaken && out.Access == s.Access && s.shows(out.Refresh), s.showing(out.Refresh)
			}
			// Replayed: the Authorization ends.
			return true, ended
		}
		return out.Unknown || out.Refused, s
	}
	return false, s
}

// shows reports whether an answer may name this refresh token as the one in
// force.
func (s authorizationState) shows(refresh int) bool {
	if s.Refresh == unseen {
		return refresh > 0 && !s.Seen.has(refresh)
	}
	return s.Refresh == refresh
}

func (s authorizationState) showing(refresh int) authorizationState {
	if s.Refresh == unseen {
		s.Refresh, s.Seen = refresh, s.Seen.with(refresh)
	}
	return s
}

// forever is the return of what never returned.
const forever = math.MaxInt64

func describe(in input, out output) string {
	asked := string(in.Verb)
	if in.Token > 0 {
		asked = fmt.Sprintf("%s %d", in.Verb, in.Token)
	}
	if in.Change > 0 {
		asked = fmt.Sprintf("%s, change %d, password %d, disables %v", asked, in.Change, in.Password, in.Disables)
	}
	switch {
	case out.Unknown:
		return asked + ": unknown"
	case out.Refused:
		return asked + ": refused"
	case in.Verb == doIntrospect:
		return fmt.Sprintf("%s: %v", asked, out.Active)
	case out.Refresh > 0:
		return fmt.Sprintf("%s: %d and %d", asked, out.Access, out.Refresh)
	case out.Access > 0:
		return fmt.Sprintf("%s: %d", asked, out.Access)
	}
	return asked + ": done"
}
