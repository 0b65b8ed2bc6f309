package dynamo

import (
	"cmp"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

// Users is the users table: oauth.Users and oauth.UserRegistry. Only the token
// endpoint may read it.
type Users struct{ table table }

var (
	_ oauth.Users        = (*Users)(nil)
	_ oauth.UserRegistry = (*Users)(nil)
)

// NewUsers takes a client of NewClient.
func NewUsers(db *dynamodb.Client, tableName string) *Users {
	return &Users{table{db, tableName}}
}

// Login implements oauth.Users with one call that costs three read units.
func (u *Users) Login(ctx context.Context, username string, pair, name oauth.CounterKey) (oauth.Login, error) {
	const doing = "read a user for a login"
	items, err := u.table.batchGet(ctx, doing, userKey(username), counterKey(pair), counterKey(name))
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
	if login.Pair, err = decodeCounter(items[1]); err != nil {
		return oauth.Login{}, oauth.Unavailable(doing, err)
	}
	if login.Name, err = decodeCounter(items[2]); err != nil {
		return oauth.Login{}, oauth.Unavailable(doing, err)
	}
	return login, nil
}

// CountFailure implements oauth.Users with one write for each counter.
func (u *Users) CountFailure(ctx context.Context, now int64, counters ...oauth.ExpiringCounter) error {
	const update = "ADD #n :one SET #last = :now, #ttl = :ttl"
	for _, c := range counters {
		_, err := call(ctx, u.table.name, "count a wrong password", u.table.db.UpdateItem, &dynamodb.UpdateItemInput{
			TableName:                 &u.table.name,
			Key:                       counterKey(c.Key),
			UpdateExpression:          aws.String(update),
			ExpressionAttributeNames:  names(update),
			ExpressionAttributeValues: item{":one": number(1), ":now": number(now), ":ttl": number(c.TTL)},
			ReturnConsumedCapacity:    types.ReturnConsumedCapacityTotal,
		})
		if err != nil {
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
	version, err := u.table.putVersion(ctx, "save a user", encodeUser(user), user.Version)
	if err != nil {
		return oauth.User{}, err
	}
	user.Version = version
	return user, nil
}

// User implements oauth.UserRegistry.
func (u *Users) User(ctx context.Context, username string) (oauth.User, bool, error) {
	return readOne(ctx, u.table, "read a user", userKey(username), decodeUser)
}

// ListUsers implements oauth.UserRegistry with a scan.
func (u *Users) ListUsers(ctx context.Context) ([]oauth.User, error) {
	return readAll(ctx, u.table, "list the users", userPrefix, decodeUser,
		func(a, b oauth.User) int { return cmp.Compare(a.Username, b.Username) })
}

// RemoveUser implements oauth.UserRegistry with one conditional delete.
func (u *Users) RemoveUser(ctx context.Context, user oauth.User) (existed bool, err error) {
	const condition = "#id = :id"
	out, err := call(ctx, u.table.name, "remove a user", u.table.db.DeleteItem, &dynamodb.DeleteItemInput{
		TableName:                 &u.table.name,
		Key:                       userKey(user.Username),
		ConditionExpression:       aws.String(condition),
		ExpressionAttributeNames:  names(condition),
		ExpressionAttributeValues: item{":id": text(user.ID)},
		ReturnValues:              types.ReturnValueAllOld,
		ReturnConsumedCapacity:    types.ReturnConsumedCapacityTotal,
	})
	if _, failed := conflict(err); failed {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return len(out.Attributes) > 0, nil
}

// encodeUser leaves out what putVersion adds.
func encodeUser(u oauth.User) item {
	it := userKey(u.Username)
	it[attrUsername] = text(u.Username)
	it[attrID] = text(u.ID)
	it[attrPasswordHash] = text(u.PasswordHash.Reveal())
	it.setTexts(attrRoles, u.Roles)
	it[attrAdded] = number(u.Created)
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
		Created:      in.signed(attrAdded),
	}
	// The key is a cut hash: the name itself decides, byte for byte.
	if userKey(u.Username).identity() != it.identity() {
		in.markDamaged(attrUsername)
	}
	return u, in.fault()
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
