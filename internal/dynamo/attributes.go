package dynamo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/scope"
)

// Names of attributes, and how texts, numbers, bytes, lists and slots
// go in and come out. Each store encodes and decodes its own items.

// The attributes. Short names, because a record must stay below 1 KB: that is
// one capacity unit for each write.
//
// A record of the tokens table is decoded leniently: what is missing or of the
// wrong type becomes zero, and the domain, which computes the key and the hashes
// again, finds that the item was edited. Only so can it be replaced. Everything
// else is decoded strictly, since nobody would notice: a subject's state that
// became "epoch 0" would revive what was revoked.
const (
	attrTTL   = "ttl" // N, Unix seconds; DynamoDB sweeps the item some time after
	attrNonce = "wn"  // B, drawn anew for each write
	attrAdded = "cr"  // N, created, Unix seconds; of the item of an id, last written
	attrWhy   = "why" // of a record and of a state, for those who follow the table

	// A record.
	attrKind          = "kd"
	attrSubject       = "sb" // also of a state, for those who follow the table
	attrUsername      = "un" // also of a user
	attrClient        = "cl"
	attrFormat        = "fm"
	attrScope         = "sc" // without the device
	attrDevice        = "dv"
	attrAudiences     = "au"
	attrTokenIssuer   = "is"
	attrRID           = "rid"
	attrSubjectEpoch  = "es"
	attrClientEpoch   = "ec"
	attrIssuerEpoch   = "ei"
	attrAccess        = "at"
	attrAccessPrev    = "at_prev"
	attrRefresh       = "rt"
	attrRefreshPrev   = "rt_prev"
	attrRefreshRotate = "rt_rotated"
	attrRefreshIdle   = "rt_idle"
	attrScopesVersion = "sv" // of the resource scopes
	attrLabel         = "label"

	// A slot of a record.
	attrGeneration = "g"
	attrKID        = "k"
	attrIssued     = "i"
	attrExpiry     = "e"
	attrHash       = "h"

	// The state of a subject; epoch also of a client, disabled also of a client and a
	// user.
	attrEpoch       = "epoch"
	attrDisabled    = "disabled"
	attrUserVersion = "user_version"

	// A client, the resource scopes, an issuer, a user.
	attrVersion           = "v"
	attrID                = "id"
	attrPublic            = "public"
	attrSecrets           = "secrets"
	attrGrants            = "grants"
	attrScopes            = "scopes"
	attrDefaultScopes     = "default_scopes"
	attrIntrospects       = "introspects"
	attrLoginAudiences    = "login_audiences"
	attrAccessLifetime    = "access_lifetime"
	attrIdleLifetime      = "idle_lifetime"
	attrRefreshLifetime   = "refresh_lifetime"
	attrRefreshGrace      = "refresh_grace"
	attrSendsUserAddress  = "sends_user_address"
	attrMaxAuthorizations = "max_authorizations"
	attrLongestLife       = "longest_life"
	attrTokenFormat       = "token_format"
	attrRoles             = "roles"
	attrPasswordHash      = "ph"
	attrSince             = "since" // of resource scopes
	attrKnown             = "known"
	attrOrigin            = "origin" // of a user whom a login added
	attrUserKey           = "user"   // the pk of a user, in the item of the user's id
	attrTrusts            = "trusts" // of a client: an issuer, and a subject of it
	attrIssuer            = "issuer"

	// An issuer.
	attrAlgorithms       = "algorithms"
	attrJWKS             = "jwks"
	attrJWKSURL          = "jwks_url"
	attrMaxAge           = "max_age"
	attrNonceRequired    = "nonce_required"
	attrPrivateAddresses = "private_addresses"
	attrSubjects         = "subjects"
	attrUsernameClaim    = "username_claim"
	attrRolesClaim       = "roles_claim"
	attrEvents           = "events"

	// A counter.
	attrCount = "n"
	attrLast  = "last"
)

// item is a row as the SDK has it.
type item map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number[N int | int64 | uint64](n N) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: fmt.Sprint(n)}
}

func octets(b []byte) types.AttributeValue {
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

func setNumber[N int | int64 | uint64](it item, name string, n N) {
	if n != 0 {
		it[name] = number(n)
	}
}

func (it item) setSlot(name string, s ledger.Slot) {
	if s == (ledger.Slot{}) {
		return
	}
	it[name] = &types.AttributeValueMemberM{Value: item{
		attrGeneration: number(uint64(s.Generation)),
		attrKID:        number(uint64(s.KID)),
		attrIssued:     number(s.IssuedAt),
		attrExpiry:     number(s.Expiry),
		attrHash:       octets(s.Hash[:]),
	}}
}

// reader takes an item apart. A missing attribute is zero. One of another type
// than asked for, or missing though required, is zero and remembered. The strict
// decoders return that as an error, the lenient one forgets it.
type reader struct {
	item    item
	damaged []string
}

func (r *reader) markDamaged(name string) { r.damaged = append(r.damaged, name) }

func (r *reader) require(names ...string) {
	for _, name := range names {
		if r.item[name] == nil {
			r.markDamaged(name)
		}
	}
}

// fault names the attributes and never their values.
func (r *reader) fault() error {
	if len(r.damaged) == 0 {
		return nil
	}
	key := r.item.identity()
	return fmt.Errorf("the item %q is damaged: %s", strings.TrimRight(key[0]+" "+key[1], " "), strings.Join(r.damaged, ", "))
}

// attribute is the one called name, if it is there and a V.
func attribute[V types.AttributeValue](r *reader, name string) (v V, found bool) {
	value := r.item[name]
	if v, found = value.(V); !found && value != nil {
		r.markDamaged(name)
	}
	return v, found
}

func (r *reader) text(name string) string {
	if v, found := attribute[*types.AttributeValueMemberS](r, name); found {
		return v.Value
	}
	return ""
}

func (r *reader) signed(name string) (n int64) {
	if v, found := attribute[*types.AttributeValueMemberN](r, name); found {
		var err error
		if n, err = strconv.ParseInt(v.Value, 10, 64); err != nil {
			r.markDamaged(name)
			return 0
		}
	}
	return n
}

func (r *reader) unsigned(name string, bits int) (n uint64) {
	if v, found := attribute[*types.AttributeValueMemberN](r, name); found {
		var err error
		if n, err = strconv.ParseUint(v.Value, 10, bits); err != nil {
			r.markDamaged(name)
			return 0
		}
	}
	return n
}

// octets fills dst, or leaves it alone if the value has another length.
func (r *reader) octets(name string, dst []byte) {
	v, found := attribute[*types.AttributeValueMemberB](r, name)
	switch {
	case found && len(v.Value) == len(dst):
		copy(dst, v.Value)
	case found:
		r.markDamaged(name)
	}
}

func (r *reader) flag(name string) bool {
	v, found := attribute[*types.AttributeValueMemberBOOL](r, name)
	return found && v.Value
}

func (r *reader) list(name string) []types.AttributeValue {
	if v, found := attribute[*types.AttributeValueMemberL](r, name); found {
		return v.Value
	}
	return nil
}

func (r *reader) texts(name string) []string {
	var list []string
	for _, v := range r.list(name) {
		s, ok := v.(*types.AttributeValueMemberS)
		if !ok {
			r.markDamaged(name)
			return nil
		}
		list = append(list, s.Value)
	}
	return list
}

func (r *reader) fields(name string) item {
	if v, found := attribute[*types.AttributeValueMemberM](r, name); found {
		return v.Value
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
		r.markDamaged(name)
		return scope.Set{}
	}
	return set
}

func (r *reader) slot(name string) (s ledger.Slot) {
	in := reader{item: r.fields(name)}
	s.Generation = uint32(in.unsigned(attrGeneration, 32)) //nolint:gosec // 32 bits
	s.KID = uint8(in.unsigned(attrKID, 8))                 //nolint:gosec // 8 bits
	s.IssuedAt = in.signed(attrIssued)
	s.Expiry = in.signed(attrExpiry)
	in.octets(attrHash, s.Hash[:])
	return s
}
