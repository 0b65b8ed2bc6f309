package dynamo

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// State implements oauth.Subjects with one read.
func (t *Tokens) State(ctx context.Context, subject ledger.Subject) (oauth.SubjectState, error) {
	state, _, err := readOne(ctx, t.table, "read a subject's state", stateKey(ledger.SubjectKey(subject)), decodeState)
	return state, err
}

// Forget implements oauth.TokenRegistry.
func (t *Tokens) Forget(ctx context.Context, subject ledger.Subject) error {
	_, err := t.table.remove(ctx, "forget a subject's state", stateKey(ledger.SubjectKey(subject)))
	return err
}

// Raise implements oauth.Subjects. The item of a state never gets a ttl: if it
// were swept, everything that its epoch killed would live again.
func (t *Tokens) Raise(ctx context.Context, subject ledger.Subject, change oauth.StateChange) error {
	if change.UserVersion > 0 {
		err := t.raise(ctx, subject, change)
		if _, failed := conflict(err); !failed {
			return err
		}
		if change.Once {
			return nil
		}
		// The item has a version at least as high, and it only grows: the rest of the
		// change needs no condition.
		change.UserVersion = 0
	}
	return t.raise(ctx, subject, change)
}

// raise makes the whole change in one write, on condition that UserVersion, if
// there is one, is higher than that of the item.
func (t *Tokens) raise(ctx context.Context, subject ledger.Subject, change oauth.StateChange) error {
	return t.table.update(ctx, "raise a subject's epoch", t.raiseInput(subject, change))
}

func (t *Tokens) raiseInput(subject ledger.Subject, change oauth.StateChange) *dynamodb.UpdateItemInput {
	// The key is a hash of the subject, which a follower of the table could not name.
	update, condition := "ADD #epoch :one SET #sb = :subject, #why = :why", ""
	values := item{":one": number(1), ":subject": text(subject.ID), ":why": text(joined(change.Why))}
	if change.Disabled != nil {
		update += ", #disabled = :disabled"
		values[":disabled"] = flag(*change.Disabled)
	}
	if change.UserVersion > 0 {
		update += ", #user_version = :version"
		values[":version"] = number(change.UserVersion)
		condition = "attribute_not_exists(#user_version) OR #user_version < :version"
	}
	return t.table.updateInput(stateKey(ledger.SubjectKey(subject)), update, condition, values)
}

// joined are causes as the item has them: with a space between two.
func joined(why []oauth.Cause) string {
	words := make([]string, len(why))
	for i, cause := range why {
		words[i] = string(cause)
	}
	return strings.Join(words, " ")
}
