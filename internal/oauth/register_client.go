package oauth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
)

// Client returns the client of that id, or NoSuchEntry.
func (r *Registrar) Client(ctx context.Context, id ledger.ClientID) (Client, error) {
	c, found, err := r.Clients.Client(ctx, id)
	if err == nil && !found {
		err = &ChangeError{Kind: NoSuchEntry, Entry: ClientEntry, Name: string(id)}
	}
	return c, err
}

// AddClient adds a client with these settings, under an id that it draws if there is
// none. s is its secret, and empty for a public client. After InDoubt it returns the
// client that may have been added, for [Registrar.Landed].
func (r *Registrar) AddClient(ctx context.Context, c Client, s secret.Text) (Client, error) {
	c = r.asNew(c, s)
	if err := r.CheckClient(ctx, c, s); err != nil {
		return Client{}, err
	}
	saved, err := r.Clients.SaveClient(ctx, c)
	if errors.Is(err, ErrConflict) {
		return Client{}, &ChangeError{Kind: EntryExists, Entry: ClientEntry, Name: string(c.ID)}
	}
	if err != nil {
		return c, unanswered(ClientEntry, string(c.ID), err)
	}
	return saved, nil
}

// CheckClient returns InvalidEntry with every fault of a client for AddClient, after
// those that the caller found, and writes nothing.
func (r *Registrar) CheckClient(ctx context.Context, c Client, s secret.Text, found ...error) error {
	scopes, err := r.Clients.ResourceScopes(ctx)
	if err != nil {
		return err
	}
	var secretFault error
	if s.Len() > 0 {
		secretFault = ValidateClientSecret(s)
	}
	c = r.asNew(c, s)
	trustFault, err := r.faultOfTrust(ctx, c)
	if err != nil {
		return err
	}
	return invalidEntry(ClientEntry, string(c.ID),
		append(found, faultOfNewID(c.ID), faultsOfUse(c), faultsOfUnused(c), secretFault, r.faultsOfKeys(c), trustFault, c.Validate(), faultsOfScopes(c, scopes))...)
}

// asNew is c as AddClient saves it. The epoch begins at the time, so that a client
// that was removed and is added again revives no token.
func (r *Registrar) asNew(c Client, s secret.Text) Client {
	if c.ID == "" {
		c.ID = ledger.ClientID(strings.ToLower(rand.Text()))
	}
	now := r.Now()
	c.Version, c.Created, c.Epoch = 0, now.Unix(), NextVersion(0, now)
	c.Secrets = nil
	if s.Len() > 0 {
		c.Secrets = []ClientSecret{{Hash: HashClientSecret(s), Created: c.Created}}
	}
	return c
}

// faultOfNewID has the fault of an id that changes in a Basic header of a client that does not
// form-encode it (RFC 6749 §2.3.1), as most do not. [Client.Validate] does not have it: a
// client from before goes on.
func faultOfNewID(id ledger.ClientID) error {
	if strings.ContainsAny(string(id), ":+%") {
		return errors.New("a client id must not have : + or %, which most clients send in a way that makes it another id")
	}
	return nil
}

// faultsOfUse has the faults of settings that contradict each other. [Client.Validate] does
// not have them, so that a client from before a rule can be disabled and signed out.
func faultsOfUse(c Client) error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(c.Grants) == 0 && len(c.Introspects) == 0 {
		faults = append(faults, ErrNoUse)
	}
	if c.Allows(RefreshTokenGrant) && !slices.ContainsFunc(c.Grants, GrantType.givesRefreshTokens) {
		fault("the grant %s needs one that gives refresh tokens, such as %s", RefreshTokenGrant, PasswordGrant)
	}
	if idle, most := c.refreshIdle(), c.refreshAbsolute(); idle > most {
		fault("the refresh token idle time, %s, must not be longer than the refresh token lifetime, %s", FormatLifetime(idle), FormatLifetime(most))
	}
	if grace, most := c.RefreshGrace, c.accessLifetime()/2; grace > most {
		// Somebody with a copy and the phone would take turns, and neither would be late.
		fault("the grace of a refresh token, %s, must not be longer than half of the access token lifetime, %s", FormatLifetime(grace), FormatLifetime(most))
	}
	for _, list := range []struct {
		of     string
		values []string
	}{{"grant", texts(c.Grants)}, {"audience", c.Audiences}, {"audience to introspect", c.Introspects}} {
		for i, value := range list.values {
			if slices.Contains(list.values[:i], value) {
				fault("%s %q is there twice", list.of, value)
			}
		}
	}
	return errors.Join(faults...)
}

// faultsOfUnused has the faults of settings that have no effect on a new client. A client
// that loses a grant keeps what it may need when the grant comes back.
func faultsOfUnused(c Client) error {
	getsTokens := c.Scopes != (scope.Set{}) || len(c.Audiences) > 0 || c.AccessLifetime > 0 || c.MaxAuthorizations > 0
	refreshes := c.RefreshIdle > 0 || c.RefreshAbsolute > 0 || c.RefreshGrace > 0
	switch {
	case len(c.Grants) == 0 && (getsTokens || refreshes):
		return errors.New("without a grant it gets no tokens: scopes, audiences, lifetimes and a maximum of authorizations have no effect")
	case refreshes && !c.Allows(RefreshTokenGrant):
		return fmt.Errorf("without the grant %s the idle time, lifetime and grace of refresh tokens have no effect", RefreshTokenGrant)
	case len(c.LoginAudiences) > 0 && !c.Allows(TokenExchangeGrant) && !c.Allows(JWTBearerGrant):
		return errors.New("without the grant token-exchange or jwt-bearer it shows no ID tokens and assertions: audiences of those have no effect")
	case c.RefreshGrace > 0 && !c.Public:
		return errors.New("refresh tokens of a confidential client do not rotate: a grace has no effect")
	}
	return nil
}

// faultsOfKeys has the faults of assertions that cannot do what the client is for.
func (r *Registrar) faultsOfKeys(c Client) error {
	var faults []error
	if c.Asserts() && len(c.Secrets) == 0 && len(c.Introspects) > 0 {
		faults = append(faults, errors.New("a client that introspects needs a secret: an assertion serves at /token alone"))
	}
	if c.JWKS != "" && len(c.JWKS) <= maxClientKeys {
		faults = append(faults, r.Assertions.CheckKeys(c.JWKS, Algorithms()))
	}
	return errors.Join(faults...)
}

// faultOfTrust has the fault of a client whose issuer could never prove it.
func (r *Registrar) faultOfTrust(ctx context.Context, c Client) (fault, err error) {
	if c.Trusts.Issuer == "" {
		return nil, nil
	}
	i, found, err := r.Issuers.TrustedIssuer(ctx, c.Trusts.Issuer)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return &MissingIssuerError{c.Trusts.Issuer}, nil
	case i.SubjectRule() != ClientSubjects:
		return fmt.Errorf("the issuer %q proves users, not clients", c.Trusts.Issuer), nil
	}
	return nil, nil
}

func texts[T ~string](all []T) []string {
	out := make([]string, len(all))
	for i, one := range all {
		out[i] = string(one)
	}
	return out
}

func faultsOfScopes(c Client, registered ResourceScopes) error {
	var faults []error
	for _, name := range c.Scopes.Ordinary() {
		if _, exists := registered.Roles[name]; !exists {
			faults = append(faults, &MissingScopeError{name})
		}
	}
	return errors.Join(faults...)
}

// Landed reports whether the client that AddClient or AddSecret returned with InDoubt
// is there after all, and returns it. A write can land some seconds after its caller
// gave up.
func (r *Registrar) Landed(ctx context.Context, sent Client) (Client, bool, error) {
	c, found, err := r.Clients.Client(ctx, sent.ID)
	if err != nil || !found || c.Created != sent.Created {
		return Client{}, false, err
	}
	if n := len(sent.Secrets); n > 0 && !slices.Contains(c.Secrets, sent.Secrets[n-1]) {
		return Client{}, false, nil
	}
	return c, true, nil
}

// EditClient lets edit change the settings of a client. Scopes and an issuer that it
// gives must exist. edit may be called more than once; an error of it is a fault, and nothing is
// saved.
func (r *Registrar) EditClient(ctx context.Context, id ledger.ClientID, edit func(*Client) error) (Client, error) {
	return r.changeClient(ctx, id, func(c *Client) error { return r.edit(ctx, c, edit) })
}

// CheckEdit returns the error that EditClient would refuse an edit with, and writes nothing.
func (r *Registrar) CheckEdit(ctx context.Context, id ledger.ClientID, edit func(*Client) error) error {
	c, err := r.Client(ctx, id)
	if err != nil {
		return err
	}
	return r.edit(ctx, &c, edit)
}

func (r *Registrar) edit(ctx context.Context, c *Client, edit func(*Client) error) error {
	before := *c
	faults := []error{edit(c), faultsOfUse(*c), r.faultsOfKeys(*c), c.Validate()}
	if c.Scopes != before.Scopes {
		scopes, err := r.Clients.ResourceScopes(ctx)
		if err != nil {
			return err
		}
		faults = append(faults, faultsOfScopes(*c, scopes))
	}
	if c.Trusts != before.Trusts {
		fault, err := r.faultOfTrust(ctx, *c)
		if err != nil {
			return err
		}
		faults = append(faults, fault)
	}
	// Tokens of before keep their life, and their key is needed as long. A key
	// rotation that did not know it would have to wait for the longest life that a
	// client can have at all: 366 days instead of 90.
	if longest := before.LongestTokenLife(); longest > c.LongestTokenLife() {
		c.LongestLife = longest
	}
	return invalidEntry(ClientEntry, string(before.ID), faults...)
}

// SetClientDisabled refuses a client, and makes its tokens inactive, until it is
// called again with false.
func (r *Registrar) SetClientDisabled(ctx context.Context, id ledger.ClientID, disabled bool) (Client, error) {
	return r.changeClient(ctx, id, func(c *Client) error {
		c.Disabled = disabled
		return nil
	})
}

// EndClientTokens ends all tokens of a client, of all its users, for good.
func (r *Registrar) EndClientTokens(ctx context.Context, id ledger.ClientID) (Client, error) {
	return r.changeClient(ctx, id, func(c *Client) error {
		// No lower than the time, so that it is higher than before a restored backup.
		c.Epoch = NextVersion(c.Epoch, r.Now())
		c.LongestLife = 0 // of tokens that are ended now
		return nil
	})
}

// RemoveClient removes a client. Its tokens become inactive, and stay so if it is
// added again.
func (r *Registrar) RemoveClient(ctx context.Context, id ledger.ClientID) error {
	existed, err := r.Clients.RemoveClient(ctx, id)
	if err == nil && !existed {
		return &ChangeError{Kind: NoSuchEntry, Entry: ClientEntry, Name: string(id)}
	}
	return unanswered(ClientEntry, string(id), err)
}

// MayAddSecret returns why [Registrar.AddSecret] would refuse any secret, if it would.
func (c Client) MayAddSecret(alone bool) error {
	switch {
	case c.Public:
		return &ChangeError{Kind: SecretOfPublic, Entry: ClientEntry, Name: string(c.ID)}
	case len(c.Secrets) >= maxClientSecrets && !alone:
		return &ChangeError{Kind: TwoSecrets, Entry: ClientEntry, Name: string(c.ID)}
	}
	return nil
}

// AddSecret gives a client a second secret. Both work until [Registrar.DropSecret].
// With alone it takes the place of those that the client has. After InDoubt it
// returns the client as it may have been saved, for [Registrar.Landed].
func (r *Registrar) AddSecret(ctx context.Context, id ledger.ClientID, s secret.Text, alone bool) (Client, error) {
	if err := invalidEntry(ClientEntry, string(id), ValidateClientSecret(s)); err != nil {
		return Client{}, err
	}
	added := ClientSecret{Hash: HashClientSecret(s), Created: r.Now().Unix()}
	return r.changeClient(ctx, id, func(c *Client) error {
		if c.HasSecret(s) {
			// Also if it is to be alone: it may be the one that leaked.
			return &ChangeError{Kind: SecretKnown, Entry: ClientEntry, Name: string(id)}
		}
		if err := c.MayAddSecret(alone); err != nil {
			return err
		}
		if alone {
			c.Secrets = nil
		}
		c.Secrets = append(c.Secrets, added)
		return nil
	})
}

// DropSecret drops the older of two secrets, or the newer one. The only one of a client
// that asserts is an older way to authenticate, and is dropped too.
func (r *Registrar) DropSecret(ctx context.Context, id ledger.ClientID, newer bool) (Client, error) {
	return r.changeClient(ctx, id, func(c *Client) error {
		switch {
		case c.Public:
			return c.MayAddSecret(true)
		case len(c.Secrets) == 1 && !newer && c.Asserts():
			c.Secrets = nil
			return invalidEntry(ClientEntry, string(id), r.faultsOfKeys(*c))
		case len(c.Secrets) < maxClientSecrets:
			return &ChangeError{Kind: OneSecret, Entry: ClientEntry, Name: string(id)}
		case newer:
			c.Secrets = c.Secrets[:1]
		default:
			c.Secrets = c.Secrets[1:]
		}
		return nil
	})
}

// changeClient reads a client, changes it and saves it if that made a difference.
// After InDoubt it returns what may have been saved.
func (r *Registrar) changeClient(ctx context.Context, id ledger.ClientID, change func(*Client) error) (saved Client, err error) {
	err = untilNoConflict(func() error {
		before, err := r.Client(ctx, id)
		if err != nil {
			return err
		}
		c := before
		c.Secrets = slices.Clone(c.Secrets)
		if err := change(&c); err != nil {
			return err
		}
		if err := invalidEntry(ClientEntry, string(id), c.Validate()); err != nil {
			return err
		}
		if reflect.DeepEqual(before, c) {
			saved = c
			return nil
		}
		if saved, err = r.Clients.SaveClient(ctx, c); err != nil {
			saved = c
		}
		return unanswered(ClientEntry, string(id), err)
	})
	return saved, err
}
