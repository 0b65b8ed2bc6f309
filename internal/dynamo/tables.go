package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/oauth"
)

// TTLAttribute is the attribute that the tokens and the users table sweep by.
const TTLAttribute = attrTTL

// Tables are the names of the three tables.
type Tables struct {
	Tokens  string
	Clients string
	Users   string
}

// Schema says what one table must be. The template of a deployment is tested
// against it.
type Schema struct {
	Create *dynamodb.CreateTableInput
	Sweeps bool // by TTLAttribute
}

// Schemas are those of the three tables.
func (t Tables) Schemas() []Schema {
	return []Schema{
		{Create: schema(t.Tokens, partitionKey, sortKey), Sweeps: true},
		{Create: schema(t.Clients, partitionKey)},
		{Create: schema(t.Users, partitionKey), Sweeps: true},
	}
}

func schema(name string, keys ...string) *dynamodb.CreateTableInput {
	in := &dynamodb.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest}
	for i, key := range keys {
		kind := types.KeyTypeHash
		if i > 0 {
			kind = types.KeyTypeRange
		}
		in.AttributeDefinitions = append(in.AttributeDefinitions,
			types.AttributeDefinition{AttributeName: &key, AttributeType: types.ScalarAttributeTypeS})
		in.KeySchema = append(in.KeySchema, types.KeySchemaElement{AttributeName: &key, KeyType: kind})
	}
	return in
}

// EnsureTables creates those of the tables that are missing, and returns when all
// three are usable and sweep. Several may do this at once. A table that is there
// with another key is an error and stays as it is.
//
// It is for laptops and tests; a deployment makes its tables by its template.
func EnsureTables(ctx context.Context, db *dynamodb.Client, tables Tables) error {
	for _, s := range tables.Schemas() {
		if err := ensureTable(ctx, db, s); err != nil {
			name := *s.Create.TableName
			return &TableError{name, fmt.Errorf("table %s: %w", name, err)}
		}
	}
	return nil
}

func ensureTable(ctx context.Context, db *dynamodb.Client, s Schema) error {
	described := &dynamodb.DescribeTableInput{TableName: s.Create.TableName}
	out, err := db.DescribeTable(ctx, described)
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		_, err = db.CreateTable(ctx, s.Create)
		if _, exists := errors.AsType[*types.ResourceInUseException](err); exists {
			err = nil // made by somebody else meanwhile
		}
		if err != nil {
			return oauth.Unavailable("create it", err)
		}
	} else if err != nil {
		return oauth.Unavailable("describe it", err)
	}
	if out == nil || out.Table.TableStatus != types.TableStatusActive {
		out, err = dynamodb.NewTableExistsWaiter(db, func(o *dynamodb.TableExistsWaiterOptions) {
			o.MinDelay, o.MaxDelay = 20*time.Millisecond, 2*time.Second
		}).WaitForOutput(ctx, described, 2*time.Minute)
		if err != nil {
			return oauth.Unavailable("wait until it is active", err)
		}
	}
	if !sameKeys(out.Table.KeySchema, s.Create.KeySchema) {
		return errors.New("it exists and has another key")
	}
	if s.Sweeps {
		return ensureSweep(ctx, db, s.Create.TableName)
	}
	return nil
}

func sameKeys(a, b []types.KeySchemaElement) bool {
	return slices.EqualFunc(a, b, func(a, b types.KeySchemaElement) bool {
		return aws.ToString(a.AttributeName) == aws.ToString(b.AttributeName) && a.KeyType == b.KeyType
	})
}

func ensureSweep(ctx context.Context, db *dynamodb.Client, name *string) error {
	sweeps := func() (bool, error) {
		out, err := db.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: name})
		if err != nil {
			return false, oauth.Unavailable("describe its time to live", err)
		}
		d := out.TimeToLiveDescription
		on := d.TimeToLiveStatus == types.TimeToLiveStatusEnabled || d.TimeToLiveStatus == types.TimeToLiveStatusEnabling
		if on && aws.ToString(d.AttributeName) != TTLAttribute {
			return false, fmt.Errorf("it sweeps by the attribute %q and not by %q", aws.ToString(d.AttributeName), TTLAttribute)
		}
		return on, nil
	}
	if on, err := sweeps(); on || err != nil {
		return err
	}
	_, refused := db.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName:               name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String(TTLAttribute), Enabled: aws.Bool(true)},
	})
	if refused == nil {
		return nil
	}
	// Turning on what is on is refused: somebody else may have been faster.
	if on, err := sweeps(); on || err != nil {
		return err
	}
	return oauth.Unavailable("turn on its time to live", refused)
}
