package oauth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/scope"
)

// Introspection says what an active token asserts (RFC 7662 §2.2). The zero
// value is an inactive one, about which nothing is said.
type Introspection struct {
	Active    bool
	Kind      bearer.Kind
	Scope     scope.Set // what of the granted exists, with the device
	ClientID  ledger.ClientID
	Username  string // empty for a client's own tokens
	Subject   ledger.Subject
	Audiences []string
	IssuedAt  int64  // Unix seconds
	Issuer    string // iss of a JWT; an opaque token has none
	Expiry    int64  // Unix seconds; for a refresh token the earlier of idle and absolute
	ID        string // jti: the same for the same token, and of no use for guessing it

	// Locator is the key of the token's record, and SignedIn is when a login made that, in
	// Unix seconds: one that got the same token again leaves no trace. They are never part
	// of an answer.
	Locator  bearer.Locator
	SignedIn int64
}

// Introspect answers a request to the introspection endpoint (RFC 7662 §2.1). It reports
// whether a token is active, for a caller that may know: the client that it was issued to,
// or for access tokens one that is registered to introspect one of its audiences. Anyone else, and every token that is not
// active, gets the zero Introspection. Nothing positive is cached: a revoked
// token is inactive at the next call.
func (v *Verifier) Introspect(ctx context.Context, cred Credentials, token bearer.Bearer) (Introspection, error) {
	event := EventOf(ctx)
	caller, err := authenticate(ctx, v.Clients, cred, false)
	if err != nil {
		return Introspection{}, err
	}
	if caller.Public {
		return Introspection{}, ErrInvalidClient
	}
	if token.Len() == 0 {
		return Introspection{}, refuse(InvalidRequest, "token is missing")
	}
	event.Outcome = Inactive
	t, ok, err := v.open(ctx, token)
	if err != nil || !ok {
		return Introspection{}, err
	}
	own := t.Locator.Client == ledger.ClientKey(caller.ID)
	if !own && t.Kind == bearer.Refresh {
		return inactive(event, ReasonClient)
	}
	if !own && len(caller.Introspects) == 0 {
		return inactive(event, ReasonAudience)
	}
	found, err := v.find(ctx, t, false)
	if err != nil || !found.Active {
		return Introspection{}, err
	}
	if found.ClientID != caller.ID && (t.Kind == bearer.Refresh || !found.isFor(caller.Introspects)) {
		return inactive(event, ReasonAudience)
	}
	event.Outcome = Active
	return found, nil
}

// Caller returns what an access token asserts, for a resource server that is part of
// this deployment and so needs no registration to ask. It returns the zero
// Introspection for a token that is not an active access token, or, if audiences are
// given, is for none of them. As with Introspect, nothing positive is cached.
func (v *Verifier) Caller(ctx context.Context, token bearer.Bearer, audiences ...string) (Introspection, error) {
	return v.caller(ctx, token, false, audiences)
}

// Holder is Caller for a resource of the token service itself, such as /devices. It
// takes a refresh token too, which no other server may see (RFC 6749 §1.5): any that
// could be exchanged now, under the issuer of its sign-in. That one is not used up, and nothing is written. One that was
// used up gets the zero Introspection and has no effect; a replay is a matter of the
// token endpoint.
func (v *Verifier) Holder(ctx context.Context, token bearer.Bearer) (Introspection, error) {
	return v.caller(ctx, token, true, nil)
}

// caller judges who asks, for every resource.
func (v *Verifier) caller(ctx context.Context, token bearer.Bearer, refreshToo bool, audiences []string) (Introspection, error) {
	event := EventOf(ctx)
	event.Outcome = Inactive
	t, ok, err := v.open(ctx, token)
	if err != nil || !ok {
		return Introspection{}, err
	}
	if t.Kind != bearer.Access && !refreshToo {
		return inactive(event, ReasonKind)
	}
	found, err := v.find(ctx, t, t.Kind == bearer.Refresh)
	if err != nil || !found.Active {
		return Introspection{}, err
	}
	if len(audiences) > 0 && !found.isFor(audiences) {
		return inactive(event, ReasonAudience)
	}
	event.Client, event.Outcome = found.ClientID, Active
	return found, nil
}

// isFor reports whether one of the token's audiences is among these.
func (i Introspection) isFor(audiences []string) bool {
	return slices.ContainsFunc(i.Audiences, func(a string) bool { return slices.Contains(audiences, a) })
}

// find returns what a token asserts that was opened, or the zero Introspection if
// it is not active. exchangeable asks instead for a refresh token that could be
// exchanged now, which one in its grace can. The caller decides who may know.
func (v *Verifier) find(ctx context.Context, t bearer.Token, exchangeable bool) (Introspection, error) {
	event, none, now := EventOf(ctx), Introspection{}, v.Now().Unix()
	if t.Expiry <= now {
		return inactive(event, ReasonExpired)
	}
	var ahead ledger.Nonce // of the record that the start before was behind
	for start := range maxStarts {
		fresh := start > 0
		ring, err := ringOf(ctx, v.Keys, fresh)
		if err != nil {
			return none, err
		}
		reading, err := v.Tokens.Read(ctx, t.Locator)
		switch {
		case err != nil:
			return none, err
		case reading.State.Disabled:
			return inactive(event, ReasonDisabled)
		case !reading.Found:
			return inactive(event, ReasonEnded)
		}
		r := reading.Record
		if r.Locator() != t.Locator { // before its client is believed
			event.Tampered++
			return inactive(event, ReasonTampered)
		}
		client, exists, err := v.Clients.read(ctx, r.Authorization.Client, fresh)
		if err != nil {
			return none, err
		}
		if !exists || client.Disabled {
			return inactive(event, ReasonDisabled)
		}
		registered, err := v.Clients.readScopes(ctx, fresh)
		if err != nil {
			return none, err
		}
		view := viewOf(now, ring, reading.State, client, registered, ahead)
		switch view.Judge(r, t.Locator) {
		case ledger.Behind:
			ahead = r.Nonce
			continue
		case ledger.Alive:
			slot, expiry, active := view.Active(r, t)
			if exchangeable {
				slot, expiry, active = view.Refreshes(r, t, client.terms())
			}
			if active {
				// A scope that was removed from the registry is gone, also from tokens.
				if r.Authorization.Scope, err = registered.only(r.Authorization.Scope); err != nil {
					return none, err
				}
				return describe(r, t, slot, expiry), nil
			}
		}
		return inactive(event, reasonOf(view, reading, t))
	}
	return none, Unavailable("judge a token", errOutdated)
}

func describe(r ledger.Record, t bearer.Token, slot ledger.Slot, expiry int64) Introspection {
	a := r.Authorization
	id := sha256.Sum256(append([]byte("fob jti 1"), slot.Hash[:]...))
	return Introspection{
		Active:    true,
		Kind:      t.Kind,
		Scope:     a.Scope,
		ClientID:  a.Client,
		Username:  a.Username,
		Subject:   a.Subject,
		Audiences: a.Audiences,
		IssuedAt:  slot.IssuedAt,
		Expiry:    expiry,
		ID:        cmp.Or(t.JTI(), base64.RawURLEncoding.EncodeToString(id[:16])),
		Issuer:    a.Issuer,
		Locator:   t.Locator,
		SignedIn:  r.Created,
	}
}
