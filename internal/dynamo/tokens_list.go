package dynamo

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// List implements oauth.Tokens with one query for each megabyte.
func (t *Tokens) List(ctx context.Context, subject ledger.Subject, client ledger.ClientID) ([]ledger.Record, error) {
	const doing = "list authorizations"
	in := t.queryAll(subject, client)
	var records []ledger.Record
	for {
		page, err := call(ctx, t.table.name, doing, t.table.db.Query, in)
		if err != nil {
			return nil, err
		}
		records = append(records, recordsOf(page, client)...)
		if len(page.LastEvaluatedKey) == 0 {
			return records, nil
		}
		in.ExclusiveStartKey = page.LastEvaluatedKey
	}
}

// Near implements oauth.Tokens with one query where at most most records are stored,
// and a second one where there are more. Its order is that of the sort keys.
func (t *Tokens) Near(ctx context.Context, a ledger.Authorization, most int, after bool) (oauth.Neighbours, error) {
	const doing = "list authorizations near one"
	in := t.queryAll(a.Subject, a.Client)
	in.Limit = aws.Int32(int32(most) + 1) //nolint:gosec // a small constant
	page, err := call(ctx, t.table.name, doing, t.table.db.Query, in)
	if err != nil {
		return oauth.Neighbours{}, err
	}
	if len(page.LastEvaluatedKey) == 0 {
		return oauth.Neighbours{Records: recordsOf(page, a.Client), Share: 1}, nil
	}

	own := a.Locator()
	prefix := listPrefix(&own.Client)
	from, to := keyText(recordKey(own)[sortKey]), prefix+afterBase64URL
	if !after {
		from, to = prefix, from
	}
	in = t.queryOf(a.Subject, "#sk BETWEEN :from AND :to", item{":from": text(from), ":to": text(to)})
	in.Limit, in.ScanIndexForward = aws.Int32(int32(most)), &after //nolint:gosec // a small constant
	if page, err = call(ctx, t.table.name, doing, t.table.db.Query, in); err != nil {
		return oauth.Neighbours{}, err
	}
	switch farthest := keyText(page.LastEvaluatedKey[sortKey]); {
	case farthest == "": // all of that side
	case after:
		to = farthest
	default:
		from = farthest
	}
	share := placeOf(strings.TrimPrefix(to, prefix)) - placeOf(strings.TrimPrefix(from, prefix))
	return oauth.Neighbours{Records: recordsOf(page, a.Client), Share: share}, nil
}

// queryAll asks for the records of a subject, of one client only unless that is
// empty.
func (t *Tokens) queryAll(subject ledger.Subject, client ledger.ClientID) *dynamodb.QueryInput {
	prefix := listPrefix(nil)
	if client != "" {
		k := ledger.ClientKey(client)
		prefix = listPrefix(&k)
	}
	return t.queryOf(subject, "begins_with(#sk, :prefix)", item{":prefix": text(prefix)})
}

func (t *Tokens) queryOf(subject ledger.Subject, sortKeys string, values item) *dynamodb.QueryInput {
	condition := "#pk = :subject AND " + sortKeys
	key := ledger.SubjectKey(subject)
	values[":subject"] = text(base64url(key[:]))
	return &dynamodb.QueryInput{
		TableName:                 &t.table.name,
		ConsistentRead:            aws.Bool(true),
		KeyConditionExpression:    &condition,
		ExpressionAttributeNames:  names(condition),
		ExpressionAttributeValues: values,
		ReturnConsumedCapacity:    types.ReturnConsumedCapacityTotal,
	}
}

// recordsOf are those of a page, of one client only unless that is empty.
func recordsOf(page *dynamodb.QueryOutput, client ledger.ClientID) (records []ledger.Record) {
	for _, it := range page.Items {
		// The key of a client is a cut hash: the id itself decides.
		if r, ok := recordInPlace(it); ok && (client == "" || r.Authorization.Client == client) {
			records = append(records, r)
		}
	}
	return records
}

// Each implements oauth.TokenRegistry with one scan for each megabyte.
func (t *Tokens) Each(ctx context.Context, visit func(ledger.Record) error) error {
	return t.table.scan(ctx, "read all authorizations", sortKey, recordPrefix, func(it item) error {
		if r, ok := recordInPlace(it); ok {
			return visit(r)
		}
		return nil
	})
}

// recordInPlace reports false for an item whose fields do not give its key:
// somebody edited it.
func recordInPlace(it item) (ledger.Record, bool) {
	r := decodeRecord(it)
	return r, recordKey(r.Locator()).identity() == it.identity()
}
