package dynamo

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

// Users is the users table: oauth.Users and oauth.UserRegistry. Only the
// functions token and users may read it.
type Users struct{ table table }

var (
	_ oauth.Users        = (*Users)(nil)
	_ oauth.UserRegistry = (*Users)(nil)
)

// NewUsers takes a client of NewClient.
func NewUsers(db *dynamodb.Client, tableName string) *Users {
	return &Users{table{db, tableName}}
}

// Login implements oauth.Users with one call that costs a read unit for the user and
// one for each counter.
func (u *Users) Login(ctx context.Context, username string, counters ...oauth.CounterKey) (oauth.Login, error) {
	const doing = "read a user for a login"
	keys := []item{userKey(username)}
	for _, c := range counters {
		keys = append(keys, counterKey(c))
	}
	items, err := u.table.batchGet(ctx, doing, keys...)
	if err != nil {
		return oauth.Login{}, err
	}
	var login oauth.Login
	if it := items[0]; it != nil {
		login.User, err = decodeUser(it)
		if err != nil {
			return oauth.Login{}, oauth.Unavailable(doing, err)
		}
		login.Found = true
	}
	for _, it := range items[1:] {
		c, err := decodeCounter(it)
		if err != nil {
			return oauth.Login{}, oauth.Unavailable(doing, err)
		}
		login.Counters = append(login.Counters, c)
	}
	return login, nil
}

// CountFailure implements oauth.Users with one write for each counter.
func (u *Users) CountFailure(ctx context.Context, now int64, counters ...oauth.ExpiringCounter) error {
	for _, c := range counters {
		in := u.table.updateInput(counterKey(c.Key), "ADD #n :one SET #last = :now, #ttl = :ttl", "",
			item{":one": number(1), ":now": number(now), ":ttl": number(c.TTL)})
		if err := u.table.update(ctx, "count a wrong password", in); err != nil {
			return err
		}
	}
	return nil
}

// ClearFailures implements oauth.Users.
func (u *Users) ClearFailures(ctx context.Context, counter oauth.CounterKey) error {
	_, err := u.table.remove(ctx, "clear a counter of wrong passwords", counterKey(counter))
	return err
}

// SaveUser implements oauth.Users and oauth.UserRegistry.
func (u *Users) SaveUser(ctx context.Context, user oauth.User) (oauth.User, error) {
	if user.Version == 0 {
		if err := u.saveID(ctx, user); err != nil {
			return oauth.User{}, err
		}
	}
	version, err := u.table.putVersion(ctx, "save a user", encodeUser(user), user.Version)
	if err != nil {
		return oauth.User{}, err
	}
	user.Version = version
	return user, nil
}

// SaveSources implements oauth.Users with one conditional write.
func (u *Users) SaveSources(ctx context.Context, user oauth.User) error {
	in := u.table.updateInput(userKey(user.Username), "SET #known = :known", "#id = :id AND #v = :v",
		item{":known": sources(user.Sources), ":id": text(user.ID), ":v": number(user.Version)})
	err := u.table.update(ctx, "save where a user signed in", in)
	if _, failed := conflict(err); failed {
		return nil
	}
	return err
}

// User implements oauth.UserRegistry.
func (u *Users) User(ctx context.Context, username string) (oauth.User, bool, error) {
	return readOne(ctx, u.table, "read a user", userKey(username), decodeUser)
}

// RemoveUser implements oauth.UserRegistry with two conditional deletes: the user, and
// then the item of the id, which an earlier try may have left.
func (u *Users) RemoveUser(ctx context.Context, user oauth.User) (existed bool, err error) {
	existed, err = u.table.removeIf(ctx, "remove a user", userKey(user.Username), "#id = :id", item{":id": text(user.ID)})
	if err != nil {
		return false, err
	}
	return existed, u.forgetID(ctx, user)
}

// encodeUser leaves out what putVersion adds.
func encodeUser(u oauth.User) item {
	it := userKey(u.Username)
	it[attrUsername] = text(u.Username)
	it[attrID] = text(u.ID)
	it[attrPasswordHash] = text(u.PasswordHash.Reveal())
	it.setTexts(attrRoles, u.Roles)
	it[attrAdded] = number(u.Created)
	if u.Disabled {
		it[attrDisabled] = flag(true)
	}
	if len(u.Sources) > 0 {
		it[attrKnown] = sources(u.Sources)
	}
	if u.Origin != oauth.UserOfFob {
		it[attrOrigin] = text(string(u.Origin))
	}
	return it
}

func decodeUser(it item) (oauth.User, error) {
	in := reader{item: it}
	in.require(attrUsername, attrID, attrVersion, attrPasswordHash, attrAdded)
	u := oauth.User{
		Username:     in.text(attrUsername),
		ID:           in.text(attrID),
		Version:      in.unsigned(attrVersion, 64),
		PasswordHash: secret.New(in.text(attrPasswordHash)),
		Roles:        in.texts(attrRoles),
		Disabled:     in.flag(attrDisabled),
		Created:      in.signed(attrAdded),
		Sources:      decodeSources(it),
		Origin:       oauth.UserOrigin(in.text(attrOrigin)),
	}
	if !u.Origin.IsKnown() {
		in.markDamaged(attrOrigin)
	}
	// The key is a cut hash: the name itself decides, byte for byte.
	if userKey(u.Username).identity() != it.identity() {
		in.markDamaged(attrUsername)
	}
	return u, in.fault()
}

// Each source is 16 bytes of one attribute: its hash, and when the user was last there.
func sources(list []oauth.KnownSource) types.AttributeValue {
	b := []byte{}
	for _, s := range list {
		b = append(b, s.Hash[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(s.Last)) //nolint:gosec // never negative
	}
	return &types.AttributeValueMemberB{Value: b}
}

// decodeSources leaves out what it cannot read: then that source is not known.
func decodeSources(it item) (list []oauth.KnownSource) {
	v, _ := it[attrKnown].(*types.AttributeValueMemberB)
	if v == nil {
		return nil
	}
	for b := range slices.Chunk(v.Value, 16) {
		if len(b) == 16 {
			list = append(list, oauth.KnownSource{Hash: [8]byte(b[:8]), Last: int64(binary.BigEndian.Uint64(b[8:]))}) //nolint:gosec // see above
		}
	}
	return list
}

func decodeCounter(it item) (oauth.Counter, error) {
	if it == nil {
		return oauth.Counter{}, nil
	}
	in := reader{item: it}
	in.require(attrCount, attrLast)
	c := oauth.Counter{
		Count: int(in.unsigned(attrCount, 31)), //nolint:gosec // 31 bits
		Last:  in.signed(attrLast),
	}
	return c, in.fault()
}
