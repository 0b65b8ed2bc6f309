package dynamo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

// An item and its attributes: how texts, numbers, bytes, lists and slots go in
// and come out. What they are called stands in items.go.

// item is a row as the SDK has it.
type item map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number[N int | int64 | uint64](n N) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: fmt.Sprint(n)}
}

func binary(b []byte) types.AttributeValue {
	return &types.AttributeValueMemberB{Value: slices.Clone(b)}
}

func flag(b bool) types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: b} }

func texts(list []string) types.AttributeValue {
	values := make([]types.AttributeValue, len(list))
	for i, s := range list {
		values[i] = text(s)
	}
	return &types.AttributeValueMemberL{Value: values}
}

// The setters leave out what is empty.

func (it item) setText(name, s string) {
	if s != "" {
		it[name] = text(s)
	}
}

func (it item) setTexts(name string, list []string) {
	if len(list) > 0 {
		it[name] = texts(list)
	}
}

func setNumber[N int | int64](it item, name string, n N) {
	if n != 0 {
		it[name] = number(n)
	}
}

func (it item) setSlot(name string, s oauth.Slot) {
	if s == (oauth.Slot{}) {
		return
	}
	it[name] = &types.AttributeValueMemberM{Value: item{
		attrGeneration: number(uint64(s.Generation)),
		attrKID:        number(uint64(s.KID)),
		attrIssued:     number(s.IssuedAt),
		attrExpiry:     number(s.Expiry),
		attrHash:       binary(s.Hash[:]),
	}}
}

// reader takes an item apart. What is missing is zero; what is of another type
// than asked for, or missing though required, is zero and remembered. The strict
// decoders return that as an error, the lenient one forgets it.
type reader struct {
	item    item
	spoiled []string
}

func (r *reader) spoil(name string) { r.spoiled = append(r.spoiled, name) }

func (r *reader) require(names ...string) {
	for _, name := range names {
		if r.item[name] == nil {
			r.spoil(name)
		}
	}
}

// fault names the attributes and never their values.
func (r *reader) fault() error {
	if len(r.spoiled) == 0 {
		return nil
	}
	key := r.item.identity()
	return fmt.Errorf("the item %q is damaged: %s", strings.TrimRight(key[0]+" "+key[1], " "), strings.Join(r.spoiled, ", "))
}

func (r *reader) text(name string) string {
	switch v := r.item[name].(type) {
	case nil:
	case *types.AttributeValueMemberS:
		return v.Value
	default:
		r.spoil(name)
	}
	return ""
}

// digits is the text of a number.
func (r *reader) digits(name string) (string, bool) {
	switch v := r.item[name].(type) {
	case nil:
	case *types.AttributeValueMemberN:
		return v.Value, true
	default:
		r.spoil(name)
	}
	return "", false
}

func (r *reader) signed(name string) int64 {
	s, ok := r.digits(name)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		r.spoil(name)
		return 0
	}
	return n
}

func (r *reader) unsigned(name string, bits int) uint64 {
	s, ok := r.digits(name)
	if !ok {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, bits)
	if err != nil {
		r.spoil(name)
		return 0
	}
	return n
}

// binary fills dst, or leaves it alone if the value has another length.
func (r *reader) binary(name string, dst []byte) {
	switch v := r.item[name].(type) {
	case nil:
		return
	case *types.AttributeValueMemberB:
		if len(v.Value) == len(dst) {
			copy(dst, v.Value)
			return
		}
	}
	r.spoil(name)
}

func (r *reader) flag(name string) bool {
	switch v := r.item[name].(type) {
	case nil:
	case *types.AttributeValueMemberBOOL:
		return v.Value
	default:
		r.spoil(name)
	}
	return false
}

func (r *reader) list(name string) []types.AttributeValue {
	switch v := r.item[name].(type) {
	case nil:
	case *types.AttributeValueMemberL:
		return v.Value
	default:
		r.spoil(name)
	}
	return nil
}

func (r *reader) texts(name string) []string {
	var list []string
	for _, v := range r.list(name) {
		s, ok := v.(*types.AttributeValueMemberS)
		if !ok {
			r.spoil(name)
			return nil
		}
		list = append(list, s.Value)
	}
	return list
}

func (r *reader) fields(name string) item {
	switch v := r.item[name].(type) {
	case nil:
	case *types.AttributeValueMemberM:
		return v.Value
	default:
		r.spoil(name)
	}
	return nil
}

// scope takes the canonical form alone. A registration may hold a longer set
// than a request may send, so the limit of scope.Parse is not for here.
func (r *reader) scope(name string) scope.Set {
	s := r.text(name)
	if s == "" {
		return scope.Set{}
	}
	set, err := scope.Of(strings.Split(s, " ")...)
	if err != nil || set.String() != s {
		r.spoil(name)
		return scope.Set{}
	}
	return set
}

func (r *reader) slot(name string) (s oauth.Slot) {
	in := reader{item: r.fields(name)}
	s.Generation = uint32(in.unsigned(attrGeneration, 32)) //nolint:gosec // 32 bits
	s.KID = uint8(in.unsigned(attrKID, 8))                 //nolint:gosec // 8 bits
	s.IssuedAt = in.signed(attrIssued)
	s.Expiry = in.signed(attrExpiry)
	in.binary(attrHash, s.Hash[:])
	return s
}
