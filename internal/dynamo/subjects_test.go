package dynamo

import (
	"maps"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// The role of the function of events may name these attributes and no others, and be
// shown none: see EventsRole in template.yaml.
func TestAnEventNamesFourAttributes(t *testing.T) {
	in := NewTokens(nil, "tokens").raiseInput(ledger.Subject{ID: "u_x"}, oauth.StateChange{UserVersion: 1, Once: true})
	named := slices.Sorted(maps.Values(in.ExpressionAttributeNames))
	if !slices.Equal(named, []string{"epoch", "sb", "user_version", "why"}) || in.ReturnValues != "" || in.ReturnValuesOnConditionCheckFailure != "" {
		t.Errorf("it names %q and is shown %q, %q", named, in.ReturnValues, in.ReturnValuesOnConditionCheckFailure)
	}
	if _, isText := in.Key[sortKey].(*types.AttributeValueMemberS); !isText || len(in.Key) != 2 {
		t.Errorf("the key %v", in.Key)
	}
}
