package dynamo

import (
	"cmp"
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Clients is the clients table: oauth.ClientRegistry.
type Clients struct{ table table }

var _ oauth.ClientRegistry = (*Clients)(nil)

// NewClients takes a client of NewClient.
func NewClients(db *dynamodb.Client, tableName string) *Clients {
	return &Clients{table{db, tableName}}
}

// Client implements oauth.Clients.
func (c *Clients) Client(ctx context.Context, id ledger.ClientID) (oauth.Client, bool, error) {
	key, ok := clientKey(id)
	if !ok {
		return oauth.Client{}, false, nil
	}
	return readOne(ctx, c.table, "read a client", key, decodeClient)
}

// ResourceScopes implements oauth.Clients.
func (c *Clients) ResourceScopes(ctx context.Context) (oauth.ResourceScopes, error) {
	scopes, found, err := readOne(ctx, c.table, "read the resource scopes", resourceScopesKey(), decodeResourceScopes)
	if err == nil && !found {
		scopes.Roles = map[string][]string{}
	}
	return scopes, err
}

// SaveClient implements oauth.ClientRegistry.
func (c *Clients) SaveClient(ctx context.Context, client oauth.Client) (oauth.Client, error) {
	key, ok := clientKey(client.ID)
	if !ok {
		return oauth.Client{}, errors.New("save a client: its id is longer than a key or not UTF-8")
	}
	version, err := c.table.putVersion(ctx, "save a client", encodeClient(client, key), client.Version)
	if err != nil {
		return oauth.Client{}, err
	}
	client.Version = version
	return client, nil
}

// RemoveClient implements oauth.ClientRegistry.
func (c *Clients) RemoveClient(ctx context.Context, id ledger.ClientID) (existed bool, err error) {
	key, ok := clientKey(id)
	if !ok {
		return false, nil
	}
	return c.table.remove(ctx, "remove a client", key)
}

// ListClients implements oauth.ClientRegistry with a scan.
func (c *Clients) ListClients(ctx context.Context) ([]oauth.Client, error) {
	return readAll(ctx, c.table, "list the clients", clientPrefix, decodeClient,
		func(a, b oauth.Client) int { return cmp.Compare(a.ID, b.ID) })
}

// SaveResourceScopes implements oauth.ClientRegistry.
func (c *Clients) SaveResourceScopes(ctx context.Context, s oauth.ResourceScopes) error {
	_, err := c.table.putVersion(ctx, "save the resource scopes", encodeResourceScopes(s), s.Version)
	return err
}

// encodeClient leaves out what putVersion adds.
func encodeClient(c oauth.Client, key item) item {
	it := key
	it[attrID] = text(string(c.ID))
	it[attrAdded] = number(c.Created)
	it[attrEpoch] = number(c.Epoch)
	it[attrDisabled] = flag(c.Disabled)
	it[attrPublic] = flag(c.Public)
	if len(c.Secrets) > 0 {
		secrets := make([]types.AttributeValue, len(c.Secrets))
		for i, s := range c.Secrets {
			secrets[i] = &types.AttributeValueMemberM{Value: item{attrHash: octets(s.Hash[:]), attrAdded: number(s.Created)}}
		}
		it[attrSecrets] = &types.AttributeValueMemberL{Value: secrets}
	}
	it.setText(attrJWKS, c.JWKS)
	if c.Trusts != (oauth.Trust{}) {
		it[attrTrusts] = &types.AttributeValueMemberM{Value: item{attrIssuer: text(c.Trusts.Issuer), attrSubject: text(c.Trusts.Subject)}}
	}
	grants := make([]string, len(c.Grants))
	for i, g := range c.Grants {
		grants[i] = string(g)
	}
	it.setTexts(attrGrants, grants)
	it.setText(attrScopes, c.Scopes.String())
	it.setText(attrDefaultScopes, c.DefaultScopes.String())
	it.setTexts(attrAudiences, c.Audiences)
	it.setTexts(attrIntrospects, c.Introspects)
	if c.SendsUserAddress {
		it[attrSendsUserAddress] = flag(true)
	}
	it.setTexts(attrLoginAudiences, c.LoginAudiences)
	it.setText(attrTokenFormat, string(c.TokenFormat))
	setNumber(it, attrAccessLifetime, c.AccessLifetime)
	setNumber(it, attrIdleLifetime, c.RefreshIdle)
	setNumber(it, attrRefreshLifetime, c.RefreshAbsolute)
	setNumber(it, attrRefreshGrace, c.RefreshGrace)
	setNumber(it, attrMaxAuthorizations, c.MaxAuthorizations)
	setNumber(it, attrLongestLife, c.LongestLife)
	return it
}

func decodeClient(it item) (oauth.Client, error) {
	in := reader{item: it}
	in.require(attrID, attrVersion, attrAdded, attrEpoch, attrDisabled, attrPublic)
	c := oauth.Client{
		ID:                ledger.ClientID(in.text(attrID)),
		Version:           in.unsigned(attrVersion, 64),
		Created:           in.signed(attrAdded),
		Epoch:             in.unsigned(attrEpoch, 64),
		Disabled:          in.flag(attrDisabled),
		Public:            in.flag(attrPublic),
		JWKS:              in.text(attrJWKS),
		Scopes:            in.scope(attrScopes),
		DefaultScopes:     in.scope(attrDefaultScopes),
		Audiences:         in.texts(attrAudiences),
		Introspects:       in.texts(attrIntrospects),
		SendsUserAddress:  in.flag(attrSendsUserAddress),
		LoginAudiences:    in.texts(attrLoginAudiences),
		TokenFormat:       ledger.TokenFormat(in.text(attrTokenFormat)),
		AccessLifetime:    in.signed(attrAccessLifetime),
		RefreshIdle:       in.signed(attrIdleLifetime),
		RefreshAbsolute:   in.signed(attrRefreshLifetime),
		RefreshGrace:      in.signed(attrRefreshGrace),
		MaxAuthorizations: int(in.unsigned(attrMaxAuthorizations, 31)), //nolint:gosec // 31 bits
		LongestLife:       in.signed(attrLongestLife),
	}
	for _, g := range in.texts(attrGrants) {
		c.Grants = append(c.Grants, oauth.GrantType(g))
	}
	for _, v := range in.list(attrSecrets) {
		m, ok := v.(*types.AttributeValueMemberM)
		if !ok {
			in.markDamaged(attrSecrets)
			break
		}
		entry := reader{item: m.Value}
		entry.require(attrHash, attrAdded)
		s := oauth.ClientSecret{Created: entry.signed(attrAdded)}
		entry.octets(attrHash, s.Hash[:])
		if entry.fault() != nil {
			in.markDamaged(attrSecrets)
		}
		c.Secrets = append(c.Secrets, s)
	}
	if trust := in.fields(attrTrusts); trust != nil {
		entry := reader{item: trust}
		entry.require(attrIssuer, attrSubject)
		if c.Trusts = (oauth.Trust{Issuer: entry.text(attrIssuer), Subject: entry.text(attrSubject)}); entry.fault() != nil {
			in.markDamaged(attrTrusts)
		}
	}
	if key, ok := clientKey(c.ID); !ok || key.identity() != it.identity() {
		in.markDamaged(attrID)
	}
	return c, in.fault()
}

func encodeResourceScopes(s oauth.ResourceScopes) item {
	scopes := item{}
	for name, roles := range s.Roles {
		scopes[name] = texts(roles)
	}
	it := resourceScopesKey()
	it[attrScopes] = &types.AttributeValueMemberM{Value: scopes}
	if len(s.Since) > 0 {
		since := item{}
		for name, version := range s.Since {
			since[name] = number(version)
		}
		it[attrSince] = &types.AttributeValueMemberM{Value: since}
	}
	return it
}

func decodeResourceScopes(it item) (oauth.ResourceScopes, error) {
	in := reader{item: it}
	in.require(attrVersion, attrScopes)
	s := oauth.ResourceScopes{Version: in.unsigned(attrVersion, 64), Roles: map[string][]string{}}
	names := reader{item: in.fields(attrScopes)}
	for name := range names.item {
		// Roles that got lost would open the scope to everybody.
		s.Roles[name] = names.texts(name)
	}
	if names.fault() != nil {
		in.markDamaged(attrScopes)
	}
	// A version that got lost would bring tokens back to life.
	versions := reader{item: in.fields(attrSince)}
	for name := range versions.item {
		if s.Since == nil {
			s.Since = map[string]uint64{}
		}
		s.Since[name] = versions.unsigned(name, 64)
	}
	if versions.fault() != nil {
		in.markDamaged(attrSince)
	}
	return s, in.fault()
}
