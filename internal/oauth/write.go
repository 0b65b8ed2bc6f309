package oauth

import "github.com/fob-oauth/fob/internal/ledger"

// Write is what one write to the tokens table did, for those who follow the table. It has
// one of Made, Ended and Raised, or none where nothing happened that others ask about: a
// token was renewed, or the sweep took what had ended before.
type Write struct {
	ID string // of this write alone; the same each time that it is delivered
	At int64  // Unix seconds

	Made     *ledger.Record // there was no record at its key
	Ended    *ledger.Record // deleted by fob
	Replayed bool           // Ended was, see Tokens.MarkReplayed
	Raised   *Raise
}

// Raise is an epoch that was raised.
type Raise struct {
	Subject       ledger.Subject
	Before, After SubjectState
	Why           []Cause // see StateChange.Why
}
