package oauth

import (
	"context"
	"errors"
	"reflect"
	"slices"
)

// TrustedIssuer returns the issuer of that name, or NoSuchEntry.
func (r *Registrar) TrustedIssuer(ctx context.Context, name string) (TrustedIssuer, error) {
	i, found, err := r.Issuers.TrustedIssuer(ctx, name)
	if err == nil && !found {
		err = &ChangeError{Kind: NoSuchEntry, Entry: IssuerEntry, Name: name}
	}
	return i, err
}

// AddIssuer adds an issuer with these settings.
func (r *Registrar) AddIssuer(ctx context.Context, i TrustedIssuer) (TrustedIssuer, error) {
	i.Version, i.Created = 0, r.Now().Unix()
	if err := invalidEntry(IssuerEntry, i.Name, r.faultsOf(i)); err != nil {
		return TrustedIssuer{}, err
	}
	saved, err := r.Issuers.SaveIssuer(ctx, i)
	if errors.Is(err, ErrConflict) {
		return TrustedIssuer{}, &ChangeError{Kind: EntryExists, Entry: IssuerEntry, Name: i.Name}
	}
	return saved, unanswered(IssuerEntry, i.Name, err)
}

// EditIssuer lets edit change the settings of an issuer, but not its Name and Subjects:
// its users would become others. edit may be called more than once; an error of it is
// a fault, and nothing is saved. Tokens that fob issued before stay as they are.
func (r *Registrar) EditIssuer(ctx context.Context, name string, edit func(*TrustedIssuer) error) (saved TrustedIssuer, err error) {
	err = untilNoConflict(func() error {
		before, err := r.TrustedIssuer(ctx, name)
		if err != nil {
			return err
		}
		i := before
		i.Audiences, i.Algorithms = slices.Clone(i.Audiences), slices.Clone(i.Algorithms)
		faults := []error{edit(&i)}
		if i.Name != before.Name || i.SubjectRule() != before.SubjectRule() {
			faults = append(faults, errors.New("the name and the subjects of an issuer do not change: its users would become others"))
		}
		if err := invalidEntry(IssuerEntry, name, append(faults, r.faultsOf(i))...); err != nil {
			return err
		}
		if reflect.DeepEqual(before, i) {
			saved = i
			return nil
		}
		saved, err = r.Issuers.SaveIssuer(ctx, i)
		return unanswered(IssuerEntry, name, err)
	})
	return saved, err
}

// RemoveIssuer removes an issuer. Its tokens prove nothing within ten seconds; tokens
// that fob issued for its users stay as they are.
func (r *Registrar) RemoveIssuer(ctx context.Context, name string) error {
	existed, err := r.Issuers.RemoveIssuer(ctx, name)
	if err == nil && !existed {
		return &ChangeError{Kind: NoSuchEntry, Entry: IssuerEntry, Name: name}
	}
	return unanswered(IssuerEntry, name, err)
}

// faultsOf returns every fault of an issuer, those in its keys included.
func (r *Registrar) faultsOf(i TrustedIssuer) error {
	err := i.Validate()
	if i.JWKS != "" {
		err = errors.Join(err, r.Assertions.CheckKeys(i.JWKS, i.Algorithms))
	}
	return err
}
