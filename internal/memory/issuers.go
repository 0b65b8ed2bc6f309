package memory

import (
	"context"
	"slices"

	"github.com/fob-oauth/fob/internal/oauth"
)

// Issuers is oauth.IssuerRegistry.
type Issuers struct {
	issuers *table[string, oauth.TrustedIssuer]
}

var _ oauth.IssuerRegistry = (*Issuers)(nil)

// NewIssuers returns an empty store.
func NewIssuers() *Issuers {
	return &Issuers{newTable[string](func(i *oauth.TrustedIssuer) *uint64 { return &i.Version }, copyIssuer)}
}

// TrustedIssuer implements oauth.Issuers.
func (s *Issuers) TrustedIssuer(ctx context.Context, name string) (oauth.TrustedIssuer, bool, error) {
	return s.issuers.get(ctx, "read an issuer", name)
}

// SaveIssuer implements oauth.IssuerRegistry.
func (s *Issuers) SaveIssuer(ctx context.Context, i oauth.TrustedIssuer) (oauth.TrustedIssuer, error) {
	return s.issuers.save(ctx, "save an issuer", i.Name, i)
}

// RemoveIssuer implements oauth.IssuerRegistry.
func (s *Issuers) RemoveIssuer(ctx context.Context, name string) (existed bool, err error) {
	return s.issuers.remove(ctx, "remove an issuer", name, func(oauth.TrustedIssuer) bool { return true })
}

// ListIssuers implements oauth.IssuerRegistry.
func (s *Issuers) ListIssuers(ctx context.Context) ([]oauth.TrustedIssuer, error) {
	return s.issuers.list(ctx, "list the issuers")
}

func copyIssuer(i oauth.TrustedIssuer) oauth.TrustedIssuer {
	i.Audiences = slices.Clone(i.Audiences)
	i.Algorithms = slices.Clone(i.Algorithms)
	return i
}
