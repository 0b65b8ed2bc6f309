package dynamo_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/storetest"
)

// An item whose write nonce somebody damaged can still be replaced and ended, and
// only while it is there.
func TestDamagedNonce(t *testing.T) {
	onEngines(t, func(t *testing.T, endpoint string) {
		for how, wn := range map[string]types.AttributeValue{
			"gone":      nil,
			"text":      &types.AttributeValueMemberS{Value: "0123456789abcdef"},
			"a number":  &types.AttributeValueMemberN{Value: "16"},
			"short":     &types.AttributeValueMemberB{Value: []byte{1}},
			"zero":      &types.AttributeValueMemberB{Value: make([]byte, 16)},
			"null":      &types.AttributeValueMemberNULL{Value: true},
			"a list":    &types.AttributeValueMemberL{Value: []types.AttributeValue{}},
			"all of it": &types.AttributeValueMemberB{Value: []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")},
		} {
			f := dynamotest.New(t, endpoint)
			stores := f.Stores()
			damage := func(r ledger.Record) ledger.Nonce {
				t.Helper()
				for _, it := range f.Items(t, f.Tables.Tokens) {
					delete(it, "wn")
					if wn != nil {
						it["wn"] = wn
					}
					f.Put(t, f.Tables.Tokens, it)
				}
				got, err := stores.Tokens.Read(t.Context(), r.Locator())
				if err != nil || !got.Found || got.Record.Nonce == r.Nonce || got.Record.Nonce == (ledger.Nonce{}) {
					t.Fatalf("wn is %s: Read = found %v, nonce %x, %v", how, got.Found, got.Record.Nonce, err)
				}
				return got.Record.Nonce
			}
			first, second := storetest.Record("ipad"), storetest.Record("ipad")
			if err := saved(stores.Tokens.Save(t.Context(), first, ledger.Nonce{})); err != nil {
				t.Fatal(err)
			}
			seen := damage(first)
			there, found, err := stores.Tokens.Save(t.Context(), second, seen)
			if err != nil || !found || there.Nonce != second.Nonce {
				t.Errorf("wn is %s: it cannot be replaced: %v, %v", how, found, err)
			}
			there, found, err = stores.Tokens.Save(t.Context(), first, seen)
			if err != nil || !found || there.Nonce != second.Nonce {
				t.Errorf("wn was %s: the record that replaced it was replaced too: %v, %v", how, found, err)
			}
			seen = damage(second)
			if _, ended, err := stores.Tokens.End(t.Context(), second.Locator(), ledger.EndCondition{Nonce: seen}); !ended || err != nil {
				t.Errorf("wn is %s: it cannot be ended: %v", how, err)
			}
			if _, found, err := stores.Tokens.Save(t.Context(), second, seen); found || err != nil {
				t.Errorf("wn was %s: an ended record came back: %v, %v", how, found, err)
			}
		}
	})
}
