package proof_test

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/anishathalye/porcupine"
)

// What fob promises, one operation at a time. A history is linearizable if each
// operation can be thought to happen at one moment between its call and its
// return, so that this model gives the same answers in that order.
//
// Tokens are numbers here, from 1 in the order in which the driver saw them; 0
// is none. Access tokens live for an hour and a history for seconds, so nothing
// expires and no access token has a successor.

type raceVerb string

const (
	raceIssue      raceVerb = "issue"
	raceRefresh    raceVerb = "refresh"
	raceIntrospect raceVerb = "introspect"
	raceRevoke     raceVerb = "revoke"
	raceSignOut    raceVerb = "sign-out"
)

// raceInput is what is asked of one Authorization, or for a sign-out of all of a
// subject's.
type raceInput struct {
	Verb          raceVerb
	Subject       string
	Authorization string // empty for a sign-out
	Token         int
	// Rotates: the client is public, and refresh tokens serve once.
	Rotates bool
	// SigningOut: an issue was under way at once with a sign-out of its subject.
	SigningOut bool
	// Overtaken: at least two refreshes of the Authorization that succeeded, or may
	// have, were under way at once with this one.
	Overtaken bool
}

type raceOutput struct {
	Access, Refresh int
	Active          bool
	Refused         bool
	// Unknown: the answer was lost, or a 503. It may have happened or not, and
	// may yet.
	Unknown bool
}

// raceState is the state of one Authorization. It is comparable, which spares
// porcupine an Equal.
type raceState struct {
	Live            bool
	Access, Refresh int     // in force, while Live
	Previous        int     // the refresh token before Refresh
	Older           raceSet // refresh tokens before that, of the same life
	Seen            raceSet // all tokens that were ever handed out
	Stillborn       raceSet // those of them that were inactive at birth
}

// raceUnseen stands for a refresh token that was made, and whose reply was lost:
// the next who gets it says which it is.
const raceUnseen = -1

// raceSet is a set of small numbers that can be compared.
type raceSet string

func (s raceSet) has(n int) bool {
	return n >= 0 && n/8 < len(s) && s[n/8]&(1<<(n%8)) != 0
}

func (s raceSet) with(n int) raceSet {
	if n <= 0 || s.has(n) {
		return s
	}
	bits := make([]byte, max(len(s), n/8+1))
	copy(bits, s)
	bits[n/8] |= 1 << (n % 8)
	return raceSet(bits)
}

// raceModel is deterministic. Doubt needs no choice: an operation whose answer is
// unknown never returns, so that it may also happen after all others, which is as
// good as never. What an unknown issue made is made by the first one who shows
// it; the driver leaves it out.
var raceModel = porcupine.Model{
	Partition: racePartition,
	Init:      func() any { return raceState{} },
	Step: func(state, input, output any) (bool, any) {
		return raceStep(state.(raceState), input.(raceInput), output.(raceOutput))
	},
	DescribeOperation: func(input, output any) string {
		return raceDescribe(input.(raceInput), output.(raceOutput))
	},
}

// racePartition gives each Authorization its own operations and its subject's
// sign-outs.
func racePartition(history []porcupine.Operation) [][]porcupine.Operation {
	parts := map[string][]porcupine.Operation{}
	subjects := map[string]string{}
	for _, op := range history {
		if in := op.Input.(raceInput); in.Authorization != "" {
			parts[in.Authorization] = append(parts[in.Authorization], op)
			subjects[in.Authorization] = in.Subject
		}
	}
	for _, out := range history {
		in := out.Input.(raceInput)
		if in.Authorization != "" {
			continue
		}
		for name, subject := range subjects {
			if subject != in.Subject {
				continue
			}
			for n, op := range parts[name] {
				if at := op.Input.(raceInput); at.Verb == raceIssue && op.Call <= out.Return && out.Call <= op.Return {
					at.SigningOut = true
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
		in, out := op.Input.(raceInput), op.Output.(raceOutput)
		return in.Verb == raceRefresh && in.Rotates && !out.Refused
	}
	for n, op := range ops {
		others := 0
		for m, other := range ops {
			if m != n && rotates(other) && other.Call <= op.Return && op.Call <= other.Return {
				others++
			}
		}
		if in := op.Input.(raceInput); in.Verb == raceRefresh && others >= 2 {
			in.Overtaken = true
			ops[n].Input = in
		}
	}
}

func raceStep(s raceState, in raceInput, out raceOutput) (bool, raceState) {
	ended := raceState{Seen: s.Seen, Stillborn: s.Stillborn}
	held := s.Live && in.Token > 0 && (in.Token == s.Access || in.Token == s.Refresh || in.Token == s.Previous)
	switch in.Verb {
	case raceSignOut:
		return true, ended

	case raceRevoke:
		if held {
			return true, ended
		}
		return true, s

	case raceIntrospect:
		// Of the refresh tokens only the one in force is active.
		return out.Active == (held && in.Token != s.Previous), s

	case raceIssue:
		switch {
		case out.Refused:
			return false, s
		case s.Live && s.Access == out.Access:
			return s.shows(out.Refresh), s.showing(out.Refresh)
		case s.Stillborn.has(out.Access):
			return in.SigningOut, s
		}
		made := raceState{Live: true, Access: out.Access, Refresh: out.Refresh, Seen: s.Seen.with(out.Access).with(out.Refresh), Stillborn: s.Stillborn}
		isNew := !s.Seen.has(out.Access) && !s.Seen.has(out.Refresh)
		if s.Live {
			// The epoch is read before the record is written. Between the two another
			// request can make a token, the sign-out end it, and a revocation sweep it
			// away: then what is written is dead, and the token with it.
			s.Seen, s.Stillborn = made.Seen, s.Stillborn.with(out.Access)
			return in.SigningOut && isNew, s
		}
		return isNew, made

	case raceRefresh:
		switch {
		case s.Live && in.Token == s.Refresh && !in.Rotates:
			return out.Unknown || !out.Refused && out.Access == s.Access && out.Refresh == in.Token, s

		case s.Live && in.Token == s.Refresh:
			next := s
			next.Older, next.Previous = s.Older.with(s.Previous), in.Token
			if out.Unknown {
				next.Refresh = raceUnseen
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
func (s raceState) shows(refresh int) bool {
	if s.Refresh == raceUnseen {
		return refresh > 0 && !s.Seen.has(refresh)
	}
	return s.Refresh == refresh
}

func (s raceState) showing(refresh int) raceState {
	if s.Refresh == raceUnseen {
		s.Refresh, s.Seen = refresh, s.Seen.with(refresh)
	}
	return s
}

// raceForever is the return of what never returned.
const raceForever = math.MaxInt64

func raceDescribe(in raceInput, out raceOutput) string {
	asked := string(in.Verb)
	if in.Token > 0 {
		asked = fmt.Sprintf("%s %d", in.Verb, in.Token)
	}
	switch {
	case out.Unknown:
		return asked + ": unknown"
	case out.Refused:
		return asked + ": refused"
	case in.Verb == raceIntrospect:
		return fmt.Sprintf("%s: %v", asked, out.Active)
	case out.Refresh > 0:
		return fmt.Sprintf("%s: %d and %d", asked, out.Access, out.Refresh)
	case out.Access > 0:
		return fmt.Sprintf("%s: %d", asked, out.Access)
	}
	return asked + ": done"
}
