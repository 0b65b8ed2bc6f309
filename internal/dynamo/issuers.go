package dynamo

import (
	"cmp"
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/fob-oauth/fob/internal/oauth"
)

// Issuers are the issuers in the clients table: oauth.IssuerRegistry.
type Issuers struct{ table table }

var _ oauth.IssuerRegistry = (*Issuers)(nil)

// NewIssuers takes a client of NewClient, and the name of the clients table.
func NewIssuers(db *dynamodb.Client, tableName string) *Issuers {
	return &Issuers{table{db, tableName}}
}

// TrustedIssuer implements oauth.Issuers.
func (s *Issuers) TrustedIssuer(ctx context.Context, name string) (oauth.TrustedIssuer, bool, error) {
	key, ok := issuerKey(name)
	if !ok {
		return oauth.TrustedIssuer{}, false, nil
	}
	return readOne(ctx, s.table, "read an issuer", key, decodeIssuer)
}

// SaveIssuer implements oauth.IssuerRegistry.
func (s *Issuers) SaveIssuer(ctx context.Context, i oauth.TrustedIssuer) (oauth.TrustedIssuer, error) {
	key, ok := issuerKey(i.Name)
	if !ok {
		return oauth.TrustedIssuer{}, errors.New("save an issuer: its name is longer than a key or not UTF-8")
	}
	version, err := s.table.putVersion(ctx, "save an issuer", encodeIssuer(i, key), i.Version)
	if err != nil {
		return oauth.TrustedIssuer{}, err
	}
	i.Version = version
	return i, nil
}

// RemoveIssuer implements oauth.IssuerRegistry.
func (s *Issuers) RemoveIssuer(ctx context.Context, name string) (existed bool, err error) {
	key, ok := issuerKey(name)
	if !ok {
		return false, nil
	}
	return s.table.remove(ctx, "remove an issuer", key)
}

// ListIssuers implements oauth.IssuerRegistry with a scan.
func (s *Issuers) ListIssuers(ctx context.Context) ([]oauth.TrustedIssuer, error) {
	return readAll(ctx, s.table, "list the issuers", issuerPrefix, decodeIssuer,
		func(a, b oauth.TrustedIssuer) int { return cmp.Compare(a.Name, b.Name) })
}

// encodeIssuer leaves out what putVersion adds.
func encodeIssuer(i oauth.TrustedIssuer, key item) item {
	it := key
	it[attrID] = text(i.Name)
	it[attrAdded] = number(i.Created)
	it.setTexts(attrAudiences, i.Audiences)
	it.setTexts(attrAlgorithms, i.Algorithms)
	it.setText(attrJWKS, i.JWKS)
	it.setText(attrJWKSURL, i.JWKSURL)
	setNumber(it, attrMaxAge, i.MaxAge)
	it[attrNonceRequired] = flag(i.NonceRequired)
	it[attrPrivateAddresses] = flag(i.PrivateAddresses)
	it.setText(attrSubjects, string(i.Subjects))
	it.setText(attrUsernameClaim, i.UsernameClaim)
	it.setText(attrRolesClaim, i.RolesClaim)
	it[attrEvents] = flag(i.Events)
	return it
}

func decodeIssuer(it item) (oauth.TrustedIssuer, error) {
	in := reader{item: it}
	// A switch that got lost would open what it closed.
	in.require(attrID, attrVersion, attrAdded, attrAlgorithms, attrNonceRequired, attrPrivateAddresses)
	i := oauth.TrustedIssuer{
		Signer: oauth.Signer{
			Name:             in.text(attrID),
			Audiences:        in.texts(attrAudiences),
			Algorithms:       in.texts(attrAlgorithms),
			JWKS:             in.text(attrJWKS),
			JWKSURL:          in.text(attrJWKSURL),
			MaxAge:           in.signed(attrMaxAge),
			NonceRequired:    in.flag(attrNonceRequired),
			PrivateAddresses: in.flag(attrPrivateAddresses),
		},
		Version:       in.unsigned(attrVersion, 64),
		Created:       in.signed(attrAdded),
		Subjects:      oauth.SubjectRule(in.text(attrSubjects)),
		UsernameClaim: in.text(attrUsernameClaim),
		RolesClaim:    in.text(attrRolesClaim),
		Events:        in.flag(attrEvents),
	}
	if i.Subjects != oauth.ClientSubjects {
		in.require(attrAudiences) // an issuer for clients that lost its rule has none
	}
	if key, ok := issuerKey(i.Name); !ok || key.identity() != it.identity() {
		in.markDamaged(attrID)
	}
	return i, in.fault()
}
