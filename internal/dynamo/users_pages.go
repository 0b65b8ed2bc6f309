package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/oauth"
)

const (
	// A page reads as many items for each user that it wants: next to users the table has
	// their ids and, in a flood of wrong passwords, counters.
	itemsForUser = 3
	// maxPageScans bounds what one page costs while the table is full of counters.
	maxPageScans = 4
)

// UsersAfter implements oauth.UserRegistry in the order of DynamoDB, by a scan of a part
// of the table. A position is the partition key of the last item that was read.
func (u *Users) UsersAfter(ctx context.Context, after string, limit int) (page []oauth.User, next string, err error) {
	const doing, filter = "list the users", "begins_with(#pk, :prefix)"
	next = after
	for range maxPageScans {
		in := &dynamodb.ScanInput{
			TableName:                 &u.table.name,
			ConsistentRead:            aws.Bool(true),
			Limit:                     aws.Int32(int32(limit * itemsForUser)), //nolint:gosec // a few hundred
			FilterExpression:          aws.String(filter),
			ExpressionAttributeNames:  names(filter),
			ExpressionAttributeValues: item{":prefix": text(userPrefix)},
			ReturnConsumedCapacity:    types.ReturnConsumedCapacityTotal,
		}
		if next != "" {
			in.ExclusiveStartKey = item{partitionKey: text(next)}
		}
		out, err := call(ctx, u.table.name, doing, u.table.db.Scan, in)
		if err != nil {
			return nil, "", err
		}
		for _, it := range out.Items {
			if len(page) == limit { // and there is one more
				return page, keyText(userKey(page[limit-1].Username)[partitionKey]), nil
			}
			user, err := decodeUser(it)
			if err != nil {
				return nil, "", oauth.Unavailable(doing, err)
			}
			page = append(page, user)
		}
		next = keyText(out.LastEvaluatedKey[partitionKey])
		if next == "" || len(page) == limit {
			return page, next, nil
		}
	}
	return page, next, nil
}
