package dynamo

import (
	"bytes"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
)

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
	attrAdded = "cr"  // N, created, Unix seconds

	// A record.
	attrKind          = "kd"
	attrSubject       = "sb"
	attrUsername      = "un" // also of a user
	attrClient        = "cl"
	attrFormat        = "fm"
	attrScope         = "sc" // without the device
	attrDevice        = "dv"
	attrAudiences     = "au"
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

	// A slot of a record.
	attrGeneration = "g"
	attrKID        = "k"
	attrIssued     = "i"
	attrExpiry     = "e"
	attrHash       = "h"

	// The state of a subject; epoch also of a client, disabled also of a client.
	attrEpoch       = "epoch"
	attrDisabled    = "disabled"
	attrUserVersion = "user_version"

	// A client, the resource scopes, a user.
	attrVersion           = "v"
	attrID                = "id"
	attrPublic            = "public"
	attrSecrets           = "secrets"
	attrGrants            = "grants"
	attrScopes            = "scopes"
	attrDefaultScopes     = "default_scopes"
	attrIntrospects       = "introspects"
	attrAccessLifetime    = "access_lifetime"
	attrIdleLifetime      = "idle_lifetime"
	attrRefreshLifetime   = "refresh_lifetime"
	attrMaxAuthorizations = "max_authorizations"
	attrLongestLife       = "longest_life"
	attrRoles             = "roles"
	attrPasswordHash      = "ph"

	// A counter.
	attrCount = "n"
	attrLast  = "last"
)

func encodeRecord(r oauth.Record) item {
	it := recordKey(r.Locator())
	a := r.Authorization
	it[attrNonce] = binary(r.Nonce[:])
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
	it[attrRID] = binary(r.RID[:])
	it[attrSubjectEpoch] = number(r.Epochs.Subject)
	it[attrClientEpoch] = number(r.Epochs.Client)
	it[attrIssuerEpoch] = number(r.Epochs.Issuer)
	it.setSlot(attrAccess, r.Access)
	it.setSlot(attrAccessPrev, r.AccessPrev)
	it.setSlot(attrRefresh, r.Refresh)
	it.setSlot(attrRefreshPrev, r.RefreshPrev)
	setNumber(it, attrRefreshRotate, r.RefreshRotated)
	setNumber(it, attrRefreshIdle, r.RefreshIdle)
	return it
}

// damagedNonce is the nonce of an item whose own is missing, of another type, or
// zero, so that such an item can be replaced too.
var damagedNonce = oauth.Nonce(bytes.Repeat([]byte{0xff}, len(oauth.Nonce{})))

// decodeRecord is lenient, see above.
func decodeRecord(it item) (r oauth.Record) {
	in := reader{item: it}
	if in.binary(attrNonce, r.Nonce[:]); r.Nonce == (oauth.Nonce{}) {
		r.Nonce = damagedNonce
	}
	r.Created = in.signed(attrAdded)
	r.Authorization = oauth.Authorization{
		Subject:   oauth.Subject{Kind: oauth.SubjectKind(in.text(attrKind)), ID: in.text(attrSubject)},
		Username:  in.text(attrUsername),
		Client:    oauth.ClientID(in.text(attrClient)),
		Format:    oauth.TokenFormat(in.text(attrFormat)),
		Scope:     in.scope(attrScope),
		Audiences: in.texts(attrAudiences),
	}
	if device := in.text(attrDevice); device != "" {
		// An invalid one would be an edited item: without it the key does not fit.
		if d, err := scope.ParseDevice(device); err == nil {
			r.Authorization.Scope = r.Authorization.Scope.WithDevice(d)
		}
	}
	in.binary(attrRID, r.RID[:])
	r.Epochs = oauth.Epochs{
		Subject: in.unsigned(attrSubjectEpoch, 64),
		Client:  in.unsigned(attrClientEpoch, 64),
		Issuer:  in.unsigned(attrIssuerEpoch, 64),
	}
	r.Access = in.slot(attrAccess)
	r.AccessPrev = in.slot(attrAccessPrev)
	r.Refresh = in.slot(attrRefresh)
	r.RefreshPrev = in.slot(attrRefreshPrev)
	r.RefreshRotated = in.signed(attrRefreshRotate)
	r.RefreshIdle = in.signed(attrRefreshIdle)
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
			secrets[i] = &types.AttributeValueMemberM{Value: item{attrHash: binary(s.Hash[:]), attrAdded: number(s.Created)}}
		}
		it[attrSecrets] = &types.AttributeValueMemberL{Value: secrets}
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
	setNumber(it, attrAccessLifetime, c.AccessLifetime)
	setNumber(it, attrIdleLifetime, c.RefreshIdle)
	setNumber(it, attrRefreshLifetime, c.RefreshAbsolute)
	setNumber(it, attrMaxAuthorizations, c.MaxAuthorizations)
	setNumber(it, attrLongestLife, c.LongestLife)
	return it
}

func decodeClient(it item) (oauth.Client, error) {
	in := reader{item: it}
	in.require(attrID, attrVersion, attrAdded, attrEpoch, attrDisabled, attrPublic)
	c := oauth.Client{
		ID:                oauth.ClientID(in.text(attrID)),
		Version:           in.unsigned(attrVersion, 64),
		Created:           in.signed(attrAdded),
		Epoch:             in.unsigned(attrEpoch, 64),
		Disabled:          in.flag(attrDisabled),
		Public:            in.flag(attrPublic),
		Scopes:            in.scope(attrScopes),
		DefaultScopes:     in.scope(attrDefaultScopes),
		Audiences:         in.texts(attrAudiences),
		Introspects:       in.texts(attrIntrospects),
		AccessLifetime:    in.signed(attrAccessLifetime),
		RefreshIdle:       in.signed(attrIdleLifetime),
		RefreshAbsolute:   in.signed(attrRefreshLifetime),
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
		entry.binary(attrHash, s.Hash[:])
		if entry.fault() != nil {
			in.markDamaged(attrSecrets)
		}
		c.Secrets = append(c.Secrets, s)
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
	return s, in.fault()
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
