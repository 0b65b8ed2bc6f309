package dynamo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// TableError is an outage, or a table that is not one of fob, with the table that was asked.
type TableError struct {
	Table string
	err   error
}

func (e *TableError) Error() string { return e.err.Error() }
func (e *TableError) Unwrap() error { return e.err }

// ForeignError is the answer of something that is not DynamoDB, such as another HTTP
// server, or a proxy on the way. It matches [oauth.ErrUnavailable]: a write may have
// been made before a proxy answered.
type ForeignError struct {
	Status int // of the HTTP response
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("the answer is not from DynamoDB: %d %s", e.Status, http.StatusText(e.Status))
}

// refuseForeign makes a call fail that was not answered by DynamoDB. To the SDK an
// empty body, or any JSON object, is an answer: nothing was found, or the write was
// made.
func refuseForeign(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("FobRefuseForeign",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleDeserialize(ctx, in)
			// The SDK tries again after 5xx, whose answer may be a load balancer's.
			if r, ok := out.RawResponse.(*smithyhttp.Response); ok && err == nil && r.StatusCode < 500 && !fromDynamoDB(r.Header) {
				err = &ForeignError{r.StatusCode}
			}
			return out, metadata, err
		}), middleware.After)
}

// fromDynamoDB takes what any engine says: not all of them have both headers.
func fromDynamoDB(h http.Header) bool {
	return h.Get("Content-Type") == "application/x-amz-json-1.0" || h.Get("X-Amzn-Requestid") != ""
}

// inOneWrite sends the head of a request together with its body. The SDK wraps the body,
// and net/http does not see that it is in memory: it would send the head first, in a TLS
// record and a packet of its own, in case the body takes long.
type inOneWrite struct{ aws.HTTPClient }

func (c inOneWrite) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.ContentLength > 0 {
		body := make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, body)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return c.HTTPClient.Do(r)
}

// call makes one call of the API for the request of ctx and puts it on the
// request's account. An error is either a failed condition, see conflict, or an
// outage, which is a [*TableError].
func call[In, Out any](ctx context.Context, table, doing string,
	operation func(context.Context, *In, ...func(*dynamodb.Options)) (*Out, error), in *In,
) (*Out, error) {
	event := oauth.EventOf(ctx)
	event.StoreCalls++
	out, err := operation(ctx, in)
	if err != nil {
		if _, failed := conflict(err); failed {
			return nil, err
		}
		return nil, oauth.Unavailable(doing, &TableError{table, err})
	}
	switch out := any(out).(type) {
	case *dynamodb.BatchGetItemOutput:
		for i := range out.ConsumedCapacity {
			event.ReadUnits += units(&out.ConsumedCapacity[i])
		}
	case *dynamodb.GetItemOutput:
		event.ReadUnits += units(out.ConsumedCapacity)
	case *dynamodb.QueryOutput:
		event.ReadUnits += units(out.ConsumedCapacity)
	case *dynamodb.ScanOutput:
		event.ReadUnits += units(out.ConsumedCapacity)
	case *dynamodb.PutItemOutput:
		event.WriteUnits += units(out.ConsumedCapacity)
	case *dynamodb.UpdateItemOutput:
		event.WriteUnits += units(out.ConsumedCapacity)
	case *dynamodb.DeleteItemOutput:
		event.WriteUnits += units(out.ConsumedCapacity)
	}
	return out, nil
}

func units(c *types.ConsumedCapacity) float64 {
	if c == nil {
		return 0
	}
	return aws.ToFloat64(c.CapacityUnits)
}

// conflict reports whether err is a condition that failed, and for which item.
func conflict(err error) (there item, failed bool) {
	e, failed := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !failed {
		return nil, false
	}
	return e.Item, true
}

// table is one table and the way to it.
type table struct {
	db   *dynamodb.Client
	name string
}

// get reads one item; nil is none.
func (t table) get(ctx context.Context, doing string, key item) (item, error) {
	out, err := call(ctx, t.name, doing, t.db.GetItem, &dynamodb.GetItemInput{
		TableName:              &t.name,
		Key:                    key,
		ConsistentRead:         aws.Bool(true),
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	})
	if err != nil || len(out.Item) == 0 {
		return nil, err
	}
	return out.Item, nil
}

// remove deletes one item, and reports whether it was there.
func (t table) remove(ctx context.Context, doing string, key item) (existed bool, err error) {
	return t.removeIf(ctx, doing, key, "", nil)
}

// removeIf is remove on condition, unless that is empty. An item that does not fulfil it
// stays, and existed is false.
func (t table) removeIf(ctx context.Context, doing string, key item, condition string, values item) (existed bool, err error) {
	in := &dynamodb.DeleteItemInput{
		TableName:              &t.name,
		Key:                    key,
		ReturnValues:           types.ReturnValueAllOld,
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	}
	if condition != "" {
		in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues = &condition, names(condition), values
	}
	out, err := call(ctx, t.name, doing, t.db.DeleteItem, in)
	if _, failed := conflict(err); failed {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return len(out.Attributes) > 0, nil
}

// updateInput changes the item of key, on condition unless that is empty.
func (t table) updateInput(key item, update, condition string, values item) *dynamodb.UpdateItemInput {
	in := &dynamodb.UpdateItemInput{
		TableName:                 &t.name,
		Key:                       key,
		UpdateExpression:          &update,
		ExpressionAttributeNames:  names(update, condition),
		ExpressionAttributeValues: values,
		ReturnConsumedCapacity:    types.ReturnConsumedCapacityTotal,
	}
	if condition != "" {
		in.ConditionExpression = &condition
	}
	return in
}

func (t table) update(ctx context.Context, doing string, in *dynamodb.UpdateItemInput) error {
	_, err := call(ctx, t.name, doing, t.db.UpdateItem, in)
	return err
}

var errUnprocessed = errors.New("keys are still unprocessed after several tries")

// batchGet reads the items of keys in one call, in their order; nil is none.
// Keys that DynamoDB leaves unprocessed are asked for again a few times: they
// are never taken for absent.
func (t table) batchGet(ctx context.Context, doing string, keys ...item) ([]item, error) {
	var asked []map[string]types.AttributeValue
	found := map[[2]string]item{}
	for _, key := range keys {
		if _, twice := found[key.identity()]; !twice { // DynamoDB refuses that
			found[key.identity()] = nil
			asked = append(asked, key)
		}
	}
	for try := 1; ; try++ {
		out, err := call(ctx, t.name, doing, t.db.BatchGetItem, &dynamodb.BatchGetItemInput{
			RequestItems:           map[string]types.KeysAndAttributes{t.name: {Keys: asked, ConsistentRead: aws.Bool(true)}},
			ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		})
		if err != nil {
			return nil, err
		}
		for _, it := range out.Responses[t.name] {
			found[item(it).identity()] = it
		}
		asked = out.UnprocessedKeys[t.name].Keys
		if len(asked) == 0 {
			break
		}
		if try == batchTries {
			return nil, oauth.Unavailable(doing, errUnprocessed)
		}
		if err := pause(ctx, backoff(try)); err != nil {
			return nil, oauth.Unavailable(doing, err)
		}
	}
	items := make([]item, len(keys))
	for i, key := range keys {
		items[i] = found[key.identity()]
	}
	return items, nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// scan visits every item whose attribute begins with prefix, page by page, and
// stops at the first error of visit. It costs the whole table, so it is for
// operators.
func (t table) scan(ctx context.Context, doing, attribute, prefix string, visit func(item) error) error {
	filter := "begins_with(#" + attribute + ", :prefix)"
	var next item
	for {
		out, err := call(ctx, t.name, doing, t.db.Scan, &dynamodb.ScanInput{
			TableName:                 &t.name,
			ConsistentRead:            aws.Bool(true),
			FilterExpression:          aws.String(filter),
			ExpressionAttributeNames:  names(filter),
			ExpressionAttributeValues: item{":prefix": text(prefix)},
			ExclusiveStartKey:         next,
			ReturnConsumedCapacity:    types.ReturnConsumedCapacityTotal,
		})
		if err != nil {
			return err
		}
		for _, it := range out.Items {
			if err := visit(it); err != nil {
				return err
			}
		}
		if len(out.LastEvaluatedKey) == 0 {
			return nil
		}
		next = out.LastEvaluatedKey
	}
}

// readOne reads the item of key as a T.
func readOne[T any](ctx context.Context, t table, doing string, key item, decode func(item) (T, error)) (v T, found bool, err error) {
	it, err := t.get(ctx, doing, key)
	if err != nil || it == nil {
		return v, false, err
	}
	if v, err = decode(it); err != nil {
		var none T
		return none, false, oauth.Unavailable(doing, err)
	}
	return v, true, nil
}

// readAll scans for the items whose partition key begins with prefix, and returns
// them as Ts in the order of compare.
func readAll[T any](ctx context.Context, t table, doing, prefix string, decode func(item) (T, error), compare func(a, b T) int) ([]T, error) {
	all := []T{}
	err := t.scan(ctx, doing, partitionKey, prefix, func(it item) error {
		v, err := decode(it)
		if err != nil {
			return oauth.Unavailable(doing, err)
		}
		all = append(all, v)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, compare)
	return all, nil
}

// putVersion replaces the version seen, or nothing if seen is zero, by it. It
// returns the new version, see [oauth.NextVersion], or [oauth.ErrConflict].
func (t table) putVersion(ctx context.Context, doing string, it item, seen uint64) (uint64, error) {
	nonce := oauth.NewNonce()
	it[attrNonce] = octets(nonce[:])
	next := oauth.NextVersion(seen, time.Now())
	it[attrVersion] = number(next)
	in := &dynamodb.PutItemInput{
		TableName:                           &t.name,
		Item:                                it,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		ReturnConsumedCapacity:              types.ReturnConsumedCapacityTotal,
	}
	condition := ifNothingIsThere
	if seen > 0 {
		condition = "#v = :seen"
		in.ExpressionAttributeValues = item{":seen": number(seen)}
	}
	in.ConditionExpression, in.ExpressionAttributeNames = &condition, names(condition)
	_, err := call(ctx, t.name, doing, t.db.PutItem, in)
	if there, failed := conflict(err); failed {
		if nonceOf(there) == nonce {
			return next, nil // an earlier try of the SDK's, whose reply was lost
		}
		return 0, oauth.ErrConflict
	}
	if err != nil {
		return 0, err
	}
	return next, nil
}

func nonceOf(it item) (n ledger.Nonce) {
	in := reader{item: it}
	in.octets(attrNonce, n[:])
	return n
}

// ifNothingIsThere is the condition of a write that must not replace an item.
const ifNothingIsThere = "attribute_not_exists(#pk)"

// names maps each #name in the expressions to the attribute called so. Written
// like this, no attribute collides with DynamoDB's long list of reserved words.
func names(expressions ...string) map[string]string {
	m := map[string]string{}
	for _, expression := range expressions {
		for _, word := range strings.FieldsFunc(expression, endsName) {
			if name, ok := strings.CutPrefix(word, "#"); ok {
				m[word] = name
			}
		}
	}
	return m
}

func endsName(c rune) bool {
	return c != '#' && c != ':' && c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c)
}
