package dynamo

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/oauth"
)

// The item of an id has the key of its user. It is written before the user and deleted
// after, so each user has one. An item that is left over leads to nobody, or to a user
// with another id, and counts as absent (decision 63).

// UserByID implements oauth.UserRegistry with two reads.
func (u *Users) UserByID(ctx context.Context, id string) (oauth.User, bool, error) {
	const doing = "read a user by id"
	key, ok := userIDKey(id)
	if !ok {
		return oauth.User{}, false, nil
	}
	of, found, err := readOne(ctx, u.table, doing, key, decodeUserID)
	if err != nil || !found {
		return oauth.User{}, false, err
	}
	user, found, err := readOne(ctx, u.table, doing, of, decodeUser)
	if err != nil || !found || user.ID != id {
		return oauth.User{}, false, err
	}
	return user, true, nil
}

// claimTime is for how many seconds the item of an id keeps other names out while its user is
// not there yet. The request that wrote it may still save the user: functions and fob serve
// end requests after 10 seconds.
const claimTime = 60

// saveID writes the item of the id of a new user. It returns oauth.ErrConflict if a user of
// that id has another name, or if one is about to be saved.
func (u *Users) saveID(ctx context.Context, user oauth.User) error {
	const doing, update = "save a user's id", "SET #user = :user, #cr = :now"
	key, ok := userIDKey(user.ID)
	if !ok {
		return errors.New("save a user: the id is longer than a key or not UTF-8")
	}
	own, now := userKey(user.Username)[partitionKey], time.Now().Unix()
	condition, values := "attribute_not_exists(#user) OR #user = :user", item{":user": own, ":now": number(now)}
	for again := false; ; again = true {
		in := u.table.updateInput(key, update, condition, values)
		in.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
		err := u.table.update(ctx, doing, in)
		there, failed := conflict(err)
		if !failed {
			return err
		}
		of, err := decodeUserID(there)
		if err != nil {
			return oauth.Unavailable(doing, err)
		}
		if of.identity() == userKey(user.Username).identity() {
			return nil // an earlier try of the SDK's, whose reply was lost
		}
		free, err := u.leftOver(ctx, doing, there, of, user.ID, now)
		if err != nil {
			return err
		}
		if again || !free {
			return oauth.ErrConflict
		}
		// Once more for an item that was left over, if nobody has written it since.
		condition = "#user = :seen AND (attribute_not_exists(#cr) OR #cr = :when)"
		values = item{":user": own, ":now": number(now), ":seen": there[attrUserKey], ":when": number(0)}
		if when, ok := there[attrAdded]; ok {
			values[":when"] = when
		}
	}
}

// leftOver reports whether the item of an id leads to nobody of that id, who would have the key
// of, and no request can be left that is about to save that user.
func (u *Users) leftOver(ctx context.Context, doing string, it, of item, id string, now int64) (bool, error) {
	users, err := u.table.batchGet(ctx, doing, of)
	if err != nil {
		return false, err
	}
	if users[0] == nil {
		in := reader{item: it}
		if claimed := in.signed(attrAdded); in.fault() == nil {
			return claimed+claimTime < now, nil
		}
		return false, oauth.Unavailable(doing, in.fault())
	}
	other, err := decodeUser(users[0])
	if err != nil {
		return false, oauth.Unavailable(doing, err)
	}
	return other.ID != id, nil
}

// forgetID deletes the item of a user's id, unless it is of a user with another name.
func (u *Users) forgetID(ctx context.Context, user oauth.User) error {
	key, ok := userIDKey(user.ID)
	if !ok {
		return nil
	}
	_, err := u.table.removeIf(ctx, "forget a user's id", key, "#user = :user", item{":user": userKey(user.Username)[partitionKey]})
	return err
}

// decodeUserID returns the key of the user.
func decodeUserID(it item) (item, error) {
	in := reader{item: it}
	of := in.text(attrUserKey)
	if !strings.HasPrefix(of, userPrefix) {
		in.markDamaged(attrUserKey)
	}
	return item{partitionKey: text(of)}, in.fault()
}
