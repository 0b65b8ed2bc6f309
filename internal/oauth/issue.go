package oauth

import (
	"errors"

	"github.com/fob-oauth/fob/internal/bearer"
)

// What an Authorization does when it is asked for a token. Everything here is a
// pure function of its arguments: no clock, no store, no randomness.
//
// "Active" tokens of one Authorization are at most two, because a new one is
// made only when the one before the current has run out; and making one never
// ends a live one.

// situation is all that a decision depends on.
type situation struct {
	known  known
	ring   *bearer.MintRing
	client Client

	// granted says that this very request was decided in its favour before, and
	// lost a race for the write.
	granted bool

	record Record     // what stands, if alive
	alive  bool       // else there is nothing, or nothing worth keeping
	rid    bearer.RID // for a record that is made anew
}

// decision is what to do: refuse, end the Authorization and refuse, answer, or
// save the record and then answer.
type decision struct {
	refusal  error
	end      bool
	save     bool
	tampered bool // the record holds what we did not put there

	record   Record
	response TokenResponse
	outcome  Outcome
}

var errCannotMint = errors.New("the key ring cannot mint under its active key")

// floor is how much of an access token's life must be left for Issue to return
// it: min(max(60 s, lifetime/10), lifetime/2).
func floor(lifetime int64) int64 { return min(max(60, lifetime/10), lifetime/2) }

// refreshFloor is the same for Refresh: whoever refreshes wants a token that
// lasts.
func refreshFloor(lifetime int64) int64 { return lifetime / 2 }

// issue decides what a login gets: the current access token while enough of it
// is left, else the next generation; and with withRefresh the current refresh
// token while half of its absolute life is left, else the next.
func issue(s situation, a Authorization, withRefresh bool) decision {
	// The key is a hash of the Authorization; that they are equal is not left to it.
	if s.alive && s.record.Authorization.Equal(a) {
		d := draft{situation: s, next: s.record}
		access := d.access(floor)
		var refresh bearer.Bearer
		if withRefresh {
			refresh = d.refreshAtLogin()
		}
		if !d.tampered {
			return d.decide(access, refresh)
		}
	}
	// Replaced whole: new rid, generations from 1, nothing carried over.
	d := draft{situation: s, next: Record{
		Created:       s.known.now,
		Authorization: a,
		RID:           s.rid,
		Epochs:        s.known.epochs,
	}}
	access := d.access(floor)
	var refresh bearer.Bearer
	if withRefresh {
		refresh = d.refreshAtLogin()
	}
	if d.tampered {
		return decision{refusal: errCannotMint}
	}
	made := d.decide(access, refresh)
	made.tampered = s.alive
	return made
}
