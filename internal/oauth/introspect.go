package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/scope"
)

// IntrospectRequest is one request to the introspection endpoint (RFC 7662
// §2.1).
type IntrospectRequest struct {
	Credentials Credentials
	Token       bearer.Bearer
}

// Introspection says what an active token asserts (RFC 7662 §2.2). The zero
// value is an inactive one, about which nothing is said.
type Introspection struct {
	Active    bool
	Kind      bearer.Kind
	Scope     scope.Set // with the device
	ClientID  ClientID
	Username  string // empty for a client's own tokens
	Subject   Subject
	Audiences []string
	IssuedAt  int64  // Unix seconds
	Expiry    int64  // Unix seconds; for a refresh token the earlier of idle and absolute
	ID        string // jti: the same for the same token, and of no use for guessing it

	// Locator is where the token's record stands. It is for us, and no answer
	// tells it.
	Locator bearer.Locator
}

// Introspect tells whether a token is active, for a caller that may know: the
// client that it was issued to, or for access tokens one that is registered to
// introspect one of its audiences. Anyone else, and every token that is not
// active, gets the zero Introspection. Nothing positive is cached: a revoked
// token is inactive at the next call.
func (v *Verifier) Introspect(ctx context.Context, req IntrospectRequest) (Introspection, error) {
	event := EventOf(ctx)
	caller, err := authenticate(ctx, v.Clients, req.Credentials, false)
	if err != nil {
		return Introspection{}, err
	}
	if caller.Public {
		return Introspection{}, errInvalidClient()
	}
	if req.Token.Len() == 0 {
		return Introspection{}, refuse(InvalidRequest, "token is missing")
	}
	event.Outcome = Inactive
	now := v.Now().Unix()
	t, ok, err := v.open(ctx, req.Token)
	if err != nil || !ok {
		return Introspection{}, err
	}
	own := t.Locator.Client == ClientKey(caller.ID)
	if !own && (t.Kind == bearer.Refresh || len(caller.Introspects) == 0) {
		return Introspection{}, nil
	}
	found, err := v.find(ctx, t, now)
	if err != nil || !found.Active {
		return Introspection{}, err
	}
	if found.ClientID != caller.ID && (t.Kind == bearer.Refresh || !found.isFor(caller.Introspects)) {
		return Introspection{}, nil
	}
	event.Outcome = Active
	return found, nil
}

// Access tells what an access token asserts, for a resource server that is part
// of this deployment and so needs no registration to ask. Every token that is no
// active access token, and with audiences one that is for none of them, gets the
// zero Introspection. As with Introspect nothing positive is cached.
func (v *Verifier) Access(ctx context.Context, token bearer.Bearer, audiences ...string) (Introspection, error) {
	event := EventOf(ctx)
	event.Outcome = Inactive
	now := v.Now().Unix()
	t, ok, err := v.open(ctx, token)
	if err != nil || !ok || t.Kind != bearer.Access {
		return Introspection{}, err
	}
	found, err := v.find(ctx, t, now)
	if err != nil || !found.Active || len(audiences) > 0 && !found.isFor(audiences) {
		return Introspection{}, err
	}
	event.Client, event.Outcome = found.ClientID, Active
	return found, nil
}

// isFor reports whether one of the token's audiences is among these.
func (i Introspection) isFor(audiences []string) bool {
	return slices.ContainsFunc(i.Audiences, func(a string) bool { return slices.Contains(audiences, a) })
}

// find returns what a token asserts that was opened, or the zero Introspection if
// it is not active. Whether somebody may know is the caller's business.
func (v *Verifier) find(ctx context.Context, t bearer.Token, now int64) (Introspection, error) {
	if t.Expiry <= now {
		return Introspection{}, nil
	}
	var behind errStale
	for start := range maxStarts {
		found, verdict, wants, err := v.look(ctx, t, now, behind.forStart(start), start == maxStarts-1)
		if err != nil {
			return Introspection{}, err
		}
		switch verdict {
		case stale:
			behind = behind.and(wants)
			continue
		case tampered:
			EventOf(ctx).Tampered++
		case alive:
			return found, nil
		}
		return Introspection{}, nil
	}
	return Introspection{}, Unavailable("judge a token", behind)
}

// look reads the token's record and judges it.
func (v *Verifier) look(ctx context.Context, t bearer.Token, now int64, need errStale, authoritative bool) (Introspection, verdict, errStale, error) {
	nothing := func(v verdict, err error) (Introspection, verdict, errStale, error) {
		return Introspection{}, v, errStale{}, err
	}
	ring, err := ringFor(ctx, v.Keys, need.issuer)
	if err != nil {
		return nothing(dead, err)
	}
	reading, err := v.Tokens.Read(ctx, t.Locator)
	if err != nil || !reading.Found || reading.State.Disabled {
		return nothing(dead, err)
	}
	r := reading.Record
	if r.Locator() != t.Locator {
		return nothing(tampered, nil) // before its client is believed
	}
	readClient := v.Clients.Client
	if need.client {
		readClient = v.Clients.FreshClient
	}
	client, exists, err := readClient(ctx, r.Authorization.Client)
	if err != nil || !exists || client.Disabled {
		return nothing(dead, err)
	}

	k := known{
		now:           now,
		ring:          ring,
		epochs:        Epochs{reading.State.Epoch, client.Epoch, ring.IssuerEpoch()},
		authoritative: authoritative,
	}
	switch verdict := k.judge(r, t.Locator); verdict {
	case alive:
	case stale:
		return Introspection{}, stale, k.wants(r), nil
	default:
		return nothing(verdict, nil)
	}

	slot, expiry, live := k.slotOf(r, t)
	if !live {
		return nothing(dead, nil)
	}
	id := sha256.Sum256(append([]byte("fob jti 1"), slot.Hash[:]...))
	return Introspection{
		Active:    true,
		Kind:      t.Kind,
		Scope:     r.Authorization.Scope,
		ClientID:  r.Authorization.Client,
		Username:  r.Authorization.Username,
		Subject:   r.Authorization.Subject,
		Audiences: r.Authorization.Audiences,
		IssuedAt:  slot.IssuedAt,
		Expiry:    expiry,
		ID:        base64.RawURLEncoding.EncodeToString(id[:16]),
		Locator:   t.Locator,
	}, alive, errStale{}, nil
}

// slotOf finds the slot that holds t, if t is active: the current or previous
// access token, or the current refresh token.
func (k known) slotOf(r Record, t bearer.Token) (slot Slot, expiry int64, live bool) {
	if t.Kind == bearer.Refresh {
		return r.Refresh, r.refreshDeadline(r.Refresh), r.Refresh.holds(t) && k.refreshLive(r, r.Refresh)
	}
	for _, s := range []Slot{r.Access, r.AccessPrev} {
		if s.holds(t) {
			return s, s.Expiry, k.accessLive(s)
		}
	}
	return Slot{}, 0, false
}
