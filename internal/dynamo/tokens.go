package dynamo

import (
	"bytes"
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

// Tokens is the tokens table: oauth.Tokens, oauth.Subjects and oauth.TokenRegistry.
type Tokens struct {
	table table
	once  func(*dynamodb.Options) // for the write that must not be repeated
}

var (
	_ oauth.Tokens        = (*Tokens)(nil)
	_ oauth.Subjects      = (*Tokens)(nil)
	_ oauth.TokenRegistry = (*Tokens)(nil)
)

// NewTokens takes a client of NewClient.
func NewTokens(db *dynamodb.Client, tableName string) *Tokens {
	retryer := newRetryer(retryable(isThrottled), retryable(neverLeft))
	return &Tokens{table{db, tableName}, func(o *dynamodb.Options) { o.Retryer = retryer }}
}

// Read implements oauth.Tokens with one call that costs two read units.
func (t *Tokens) Read(ctx context.Context, loc bearer.Locator) (oauth.Reading, error) {
	const doing = "read an authorization"
	items, err := t.table.batchGet(ctx, doing, recordKey(loc), stateKey(loc.Subject))
	if err != nil {
		return oauth.Reading{}, err
	}
	var reading oauth.Reading
	if record := items[0]; record != nil {
		reading.Record, reading.Found = decodeRecord(record), true
	}
	if state := items[1]; state != nil {
		if reading.State, err = decodeState(state); err != nil {
			return oauth.Reading{}, oauth.Unavailable(doing, err)
		}
	}
	return reading, nil
}

// Save implements [oauth.Tokens] with one conditional write, and a read after it
// only if the reply leaves it in doubt which record is there.
//
// The condition is one of two and never both joined by OR: a record that was
// read and has been ended since must not come back.
//
// For the same reason a record is not made twice. Had the first try landed and
// its reply been lost, another request could hand the token out and see it
// revoked before the second try, which would find no record and bring it back. So
// the caller learns that there is no record, and decides again: with another rid,
// under which that token does not exist.
func (t *Tokens) Save(ctx context.Context, r ledger.Record, seen ledger.Nonce) (won ledger.Record, found bool, err error) {
	const doing = "save an authorization"
	in := &dynamodb.PutItemInput{
		TableName:                           &t.table.name,
		Item:                                encodeRecord(r),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		ReturnConsumedCapacity:              types.ReturnConsumedCapacityTotal,
	}
	condition, put := ifNothingIsThere, t.putOnce
	if seen != (ledger.Nonce{}) {
		put = t.table.db.PutItem
		condition, in.ExpressionAttributeValues = ifSeen(seen)
	}
	in.ConditionExpression, in.ExpressionAttributeNames = &condition, names(condition)

	_, err = call(ctx, t.table.name, doing, put, in)
	if err == nil {
		return r, true, nil
	}
	it, failed := conflict(err)
	inDoubt := !failed && seen == (ledger.Nonce{}) && !didNothing(err)
	switch {
	case inDoubt:
		if pause(ctx, backoff(1)) != nil {
			return ledger.Record{}, false, err
		}
	case !failed:
		return ledger.Record{}, false, err
	}
	if len(it) == 0 {
		// In doubt, or swept or ended since it was read, or the engine does not return
		// it.
		if it, err = t.table.get(ctx, doing, recordKey(r.Locator())); err != nil || it == nil {
			return ledger.Record{}, false, err
		}
	}
	won = decodeRecord(it)
	if won.Nonce == r.Nonce {
		// An earlier try of this call landed and its reply was lost.
		return r, true, nil
	}
	return won, true, nil
}

func (t *Tokens) putOnce(ctx context.Context, in *dynamodb.PutItemInput, options ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return t.table.db.PutItem(ctx, in, append(options, t.once)...)
}

// ifSeen is the condition that the item has the nonce seen.
func ifSeen(seen ledger.Nonce) (condition string, values item) {
	if seen == damagedNonce {
		return ifDamaged, item{":binary": text("B"), ":length": number(len(seen)), ":none": octets(make([]byte, len(seen))), ":seen": octets(seen[:])}
	}
	return "#wn = :seen", item{":seen": octets(seen[:])}
}

// ifDamaged is the condition that the item has a nonce that decodes to damagedNonce.
const ifDamaged = "attribute_exists(#pk) AND (attribute_not_exists(#wn) OR NOT attribute_type(#wn, :binary) OR size(#wn) <> :length OR #wn = :none OR #wn = :seen)"

// The translations of ledger.EndCondition.Met.
const (
	ifAccessHash  = "#cl = :client AND (#at.#g > :zero AND #at.#h = :hash OR #at_prev.#g > :zero AND #at_prev.#h = :hash)"
	ifRefreshHash = "#cl = :client AND (#rt.#g > :zero AND #rt.#h = :hash OR #rt_prev.#g > :zero AND #rt_prev.#h = :hash)"
)

// End implements oauth.Tokens with one conditional delete that costs one write
// unit. An item that is not there fails the condition too, and then the failure
// comes without an item: it is what the caller wanted.
func (t *Tokens) End(ctx context.Context, loc bearer.Locator, when ledger.EndCondition) (left ledger.Record, ended bool, err error) {
	condition, values := ifSeen(when.Nonce)
	if when.Nonce == (ledger.Nonce{}) {
		condition = ifAccessHash
		if when.Kind == bearer.Refresh {
			condition = ifRefreshHash
		}
		values = item{":client": text(string(when.Client)), ":zero": number(0), ":hash": octets(when.Hash[:])}
	}
	_, err = call(ctx, t.table.name, "end an authorization", t.table.db.DeleteItem, &dynamodb.DeleteItemInput{
		TableName:                           &t.table.name,
		Key:                                 recordKey(loc),
		ConditionExpression:                 &condition,
		ExpressionAttributeNames:            names(condition),
		ExpressionAttributeValues:           values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		ReturnConsumedCapacity:              types.ReturnConsumedCapacityTotal,
	})
	if err == nil {
		return ledger.Record{}, true, nil
	}
	it, failed := conflict(err)
	switch {
	case !failed:
		return ledger.Record{}, false, err
	case len(it) == 0:
		return ledger.Record{}, true, nil
	}
	return decodeRecord(it), false, nil
}

// replayed is why a record ends, for those who follow the table.
const replayed = "replayed"

// MarkReplayed implements oauth.Tokens with one conditional update.
func (t *Tokens) MarkReplayed(ctx context.Context, loc bearer.Locator, seen ledger.Nonce) error {
	condition, values := ifSeen(seen)
	values[":why"] = text(replayed)
	err := t.table.update(ctx, "note a replay", t.table.updateInput(recordKey(loc), "SET #why = :why", condition, values))
	if _, failed := conflict(err); failed {
		return nil
	}
	return err
}

func encodeRecord(r ledger.Record) item {
	it := recordKey(r.Locator())
	a := r.Authorization
	it[attrNonce] = octets(r.Nonce[:])
	it[attrTTL] = number(r.TTL())
	it[attrAdded] = number(r.Created)
	it[attrKind] = text(string(a.Subject.Kind))
	it[attrSubject] = text(a.Subject.ID)
	it.setText(attrUsername, a.Username)
	it[attrClient] = text(string(a.Client))
	it[attrFormat] = text(string(a.Format))
	it.setText(attrScope, a.Scope.WithDevice("").String())
	it.setText(attrDevice, string(a.Scope.Device()))
	it.setTexts(attrAudiences, a.Audiences)
	it.setText(attrTokenIssuer, a.Issuer)
	it[attrRID] = octets(r.RID[:])
	it[attrSubjectEpoch] = number(r.Epochs.Subject)
	it[attrClientEpoch] = number(r.Epochs.Client)
	it[attrIssuerEpoch] = number(r.Epochs.Issuer)
	it.setSlot(attrAccess, r.Access)
	it.setSlot(attrAccessPrev, r.AccessPrev)
	it.setSlot(attrRefresh, r.Refresh)
	it.setSlot(attrRefreshPrev, r.RefreshPrev)
	setNumber(it, attrRefreshRotate, r.RefreshRotated)
	setNumber(it, attrRefreshIdle, r.RefreshIdle)
	setNumber(it, attrScopesVersion, r.ScopesVersion)
	it.setText(attrLabel, r.Label)
	return it
}

// damagedNonce is the nonce of an item whose own is missing, of another type, or
// zero, so that such an item can be replaced too.
var damagedNonce = ledger.Nonce(bytes.Repeat([]byte{0xff}, len(ledger.Nonce{})))

// decodeRecord is lenient, see attributes.go.
func decodeRecord(it item) (r ledger.Record) {
	in := reader{item: it}
	if in.octets(attrNonce, r.Nonce[:]); r.Nonce == (ledger.Nonce{}) {
		r.Nonce = damagedNonce
	}
	r.Created = in.signed(attrAdded)
	r.Authorization = ledger.Authorization{
		Subject:   ledger.Subject{Kind: ledger.SubjectKind(in.text(attrKind)), ID: in.text(attrSubject)},
		Username:  in.text(attrUsername),
		Client:    ledger.ClientID(in.text(attrClient)),
		Format:    ledger.TokenFormat(in.text(attrFormat)),
		Scope:     in.scope(attrScope),
		Audiences: in.texts(attrAudiences),
		Issuer:    in.text(attrTokenIssuer),
	}
	if device := in.text(attrDevice); device != "" {
		// An invalid one would be an edited item: without it the key does not fit.
		if d, err := scope.ParseDevice(device); err == nil {
			r.Authorization.Scope = r.Authorization.Scope.WithDevice(d)
		}
	}
	in.octets(attrRID, r.RID[:])
	r.Epochs = ledger.Epochs{
		Subject: in.unsigned(attrSubjectEpoch, 64),
		Client:  in.unsigned(attrClientEpoch, 64),
		Issuer:  in.unsigned(attrIssuerEpoch, 64),
	}
	r.ScopesVersion = in.unsigned(attrScopesVersion, 64)
	r.Access = in.slot(attrAccess)
	r.AccessPrev = in.slot(attrAccessPrev)
	r.Refresh = in.slot(attrRefresh)
	r.RefreshPrev = in.slot(attrRefreshPrev)
	r.RefreshRotated = in.signed(attrRefreshRotate)
	r.RefreshIdle = in.signed(attrRefreshIdle)
	r.Label = in.text(attrLabel)
	return r
}

func decodeState(it item) (oauth.SubjectState, error) {
	in := reader{item: it}
	in.require(attrEpoch)
	s := oauth.SubjectState{
		Epoch:       in.unsigned(attrEpoch, 64),
		Disabled:    in.flag(attrDisabled),
		UserVersion: in.unsigned(attrUserVersion, 64),
	}
	if _, mortal := it[attrTTL]; mortal {
		in.markDamaged(attrTTL) // the sweep would make it epoch 0
	}
	return s, in.fault()
}
