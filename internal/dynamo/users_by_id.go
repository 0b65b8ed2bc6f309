package dynamo

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
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

// saveID writes the item of the id of a new user. It returns oauth.ErrConflict if there is
// a user of that id with another name. Of two at once both may be made.
func (u *Users) saveID(ctx context.Context, user oauth.User) error {
	const doing, update, condition = "save a user's id", "SET #user = :user", "attribute_not_exists(#user) OR #user = :seen"
	key, ok := userIDKey(user.ID)
	if !ok {
		return errors.New("save a user: the id is longer than a key or not UTF-8")
	}
	own := userKey(user.Username)[partitionKey]
	// The second time for an item that was left over.
	for seen := own; ; {
		_, err := call(ctx, u.table.name, doing, u.table.db.UpdateItem, &dynamodb.UpdateItemInput{
			TableName:                           &u.table.name,
			Key:                                 key,
			UpdateExpression:                    aws.String(update),
			ConditionExpression:                 aws.String(condition),
			ExpressionAttributeNames:            names(update, condition),
			ExpressionAttributeValues:           item{":user": own, ":seen": seen},
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
			ReturnConsumedCapacity:              types.ReturnConsumedCapacityTotal,
		})
		there, failed := conflict(err)
		if !failed {
			return err
		}
		of, err := decodeUserID(there)
		if err != nil {
			return oauth.Unavailable(doing, err)
		}
		users, err := u.table.batchGet(ctx, doing, of)
		if err != nil {
			return err
		}
		if it := users[0]; it != nil {
			other, err := decodeUser(it)
			if err != nil {
				return oauth.Unavailable(doing, err)
			}
			if other.ID == user.ID {
				return oauth.ErrConflict
			}
		}
		if seen != own {
			return oauth.ErrConflict // somebody else was faster
		}
		seen = of[partitionKey]
	}
}

// forgetID deletes the item of a user's id, unless it is of a user with another name.
func (u *Users) forgetID(ctx context.Context, user oauth.User) error {
	const condition = "#user = :user"
	key, ok := userIDKey(user.ID)
	if !ok {
		return nil
	}
	_, err := call(ctx, u.table.name, "forget a user's id", u.table.db.DeleteItem, &dynamodb.DeleteItemInput{
		TableName:                 &u.table.name,
		Key:                       key,
		ConditionExpression:       aws.String(condition),
		ExpressionAttributeNames:  names(condition),
		ExpressionAttributeValues: item{":user": userKey(user.Username)[partitionKey]},
		ReturnConsumedCapacity:    types.ReturnConsumedCapacityTotal,
	})
	if _, failed := conflict(err); failed {
		return nil
	}
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
