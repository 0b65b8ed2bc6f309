package dynamo

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/ledger"
)

// Show is the item of a record for people to look at: texts, numbers and lists as they
// are, numbers as texts, bytes in base64url. It is made by what writes the item, so it has
// no more in it than the table.
func Show(r ledger.Record) map[string]any { return encodeRecord(r).plain() }

func (it item) plain() map[string]any {
	shown := make(map[string]any, len(it))
	for name, value := range it {
		shown[name] = plain(value)
	}
	return shown
}

func plain(value types.AttributeValue) any {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	case *types.AttributeValueMemberB:
		return base64url(v.Value)
	case *types.AttributeValueMemberM:
		return item(v.Value).plain()
	case *types.AttributeValueMemberL:
		list := make([]any, len(v.Value))
		for i, value := range v.Value {
			list[i] = plain(value)
		}
		return list
	}
	return nil // a record has no others
}
