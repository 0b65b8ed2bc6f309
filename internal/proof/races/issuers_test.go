package races

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

// exchange is a login with an ID token.
func (i *instance) exchange(ctx context.Context, client ledger.ClientID, token, device string) (ledger.Answer, error) {
	return i.issuer.Token(ctx, oauth.TokenRequest{Credentials: oauthtest.Credentials(client), Form: oauth.Form{
		"grant_type": string(oauth.TokenExchangeGrant), "subject_token": token,
		"subject_token_type": "urn:ietf:params:oauth:token-type:id_token", "scope": "device_" + device,
	}})
}

// A registration of an issuer says which key its tokens are signed with, "a" or "b", or it
// is not there.
const notRegistered = ""

// believed is how many seconds an instance believes a registration.
const believed = 10

// registrations are what was registered since which second. In that second it may be either,
// the one before or this one.
type registrations []struct {
	since int64
	key   string
}

// within returns what may have been registered in these seconds.
func (r registrations) within(first, last int64) (keys []string) {
	for n, at := range r {
		if at.since <= last && (n == len(r)-1 || r[n+1].since >= first) {
			keys = append(keys, at.key)
		}
	}
	return keys
}

// explains reports whether a login with a token of a key may have been taken, or refused,
// between two seconds. A registration is believed for ten seconds; that there is none is not.
func (r registrations) explains(key string, taken bool, asked, answered int64) bool {
	known := r.within(asked-believed+1, answered)
	if taken {
		return slices.Contains(known, key)
	}
	return slices.Contains(r.within(asked, answered), notRegistered) ||
		slices.ContainsFunc(known, func(k string) bool { return k != key && k != notRegistered })
}

// raceIssuer lets three instances take logins of an issuer while its registration is
// changed, removed and added, and returns how many of the answers nothing explains.
func raceIssuer(t *testing.T, cache func(oauth.Issuers, func() time.Time) *oauth.IssuerCache) (logins, taken, unexplained int64) {
	const (
		lanes     = 6
		atLeast   = 12 // logins in each second
		name      = "https://turning.example"
		eachState = 14 // seconds
	)
	endpoint := dynamotest.Engine(t)
	f := dynamotest.New(t, endpoint)
	seedClients(t, f, 0)
	keys := map[string]assertiontest.Key{"a": assertiontest.NewKey(t, "EdDSA"), "b": assertiontest.NewKey(t, "EdDSA")}
	var clock atomic.Int64
	clock.Store(time.Now().Unix())
	now := func() time.Time { return time.Unix(clock.Load(), 0) }
	var instances []*instance
	var reads atomic.Int64
	for range processes {
		i := newInstance(t, f, endpoint, now)
		i.issuer.Issuers = cache(countedIssuers{f.Issuers, &reads}, now)
		instances = append(instances, i)
	}

	// The operator.
	history := registrations{{clock.Load(), notRegistered}}
	var registered oauth.TrustedIssuer
	register := func(key string) {
		var err error
		if key == notRegistered {
			_, err = f.Issuers.RemoveIssuer(t.Context(), name)
			registered = oauth.TrustedIssuer{}
		} else {
			registered.Signer = oauth.Signer{Name: name, Audiences: []string{appID}, Algorithms: oauth.Algorithms(), JWKS: assertiontest.JWKS(t, keys[key])}
			registered, err = f.Issuers.SaveIssuer(t.Context(), registered)
		}
		if err != nil {
			t.Fatal(err)
		}
		history = append(history, registrations{{clock.Load(), key}}...)
	}

	type login struct {
		key             string
		taken           bool
		asked, answered int64
	}
	var mu sync.Mutex // guards what follows
	var all []login
	tokens := map[int]string{} // by lane: the one token of its device
	var done atomic.Bool
	var count atomic.Int64
	var wg sync.WaitGroup
	for lane := range lanes {
		wg.Go(func() {
			for !done.Load() {
				l := login{key: []string{"a", "b"}[rand.IntN(2)], asked: clock.Load()}
				token := keys[l.key].Sign(t, nil, assertiontest.Members{"iss": name, "sub": "cid", "aud": appID, "iat": l.asked, "exp": l.asked + 60})
				got, err := instances[lane%processes].exchange(t.Context(), appClient, token, fmt.Sprint(lane))
				l.taken, l.answered = err == nil, clock.Load()
				if err != nil && refusalOf(err) != oauth.InvalidRequest {
					t.Errorf("a login ended with %v", err)
				}
				mu.Lock()
				all = append(all, l)
				if was, ok := tokens[lane]; l.taken && ok && was != got.AccessToken.Reveal() {
					t.Errorf("device %d got another token", lane)
				}
				if l.taken {
					tokens[lane] = got.AccessToken.Reveal()
				}
				mu.Unlock()
				count.Add(1)
			}
		})
	}
	// second lets logins run, and reports whether an instance read the registration.
	second := func() (read bool) {
		clock.Add(1)
		before := reads.Load()
		for enough := count.Load() + atLeast; count.Load() < enough && !t.Failed(); {
			time.Sleep(100 * time.Microsecond)
		}
		return reads.Load() > before
	}
	for _, key := range []string{"a", notRegistered, "a", "b", notRegistered, "b", "a"} {
		// Right after somebody read what it was, so that it is believed as long as it can be.
		for n := 0; !second() && n < 2*believed; {
			n++
		}
		register(key)
		for range eachState {
			second()
		}
	}
	done.Store(true)
	wg.Wait()
	for _, l := range all {
		if l.taken {
			taken++
		}
		if !history.explains(l.key, l.taken, l.asked, l.answered) {
			unexplained++
		}
	}
	// The removals ended no token: decision 42.
	for lane, token := range tokens {
		if ok, err := instances[0].active(t.Context(), bearer.FromClient(token)); !ok || err != nil {
			t.Errorf("the token of device %d is active: %v, %v", lane, ok, err)
		}
	}
	return int64(len(all)), taken, unexplained
}

func refusalOf(err error) oauth.Code {
	if refused, ok := errors.AsType[*oauth.Error](err); ok {
		return refused.Code
	}
	return ""
}

// The registration of an issuer changes while logins run. An instance may be ten seconds
// late, and not more; an issuer that is added is known at once; and no token ends.
func TestIssuerChangesUnderLogins(t *testing.T) {
	t.Run("sound", func(t *testing.T) {
		t.Parallel()
		logins, taken, unexplained := raceIssuer(t, oauth.NewIssuerCache)
		t.Logf("%d logins, %d of them taken", logins, taken)
		if unexplained > 0 || taken == 0 || taken == logins {
			t.Errorf("of %d logins %d were taken, and %d are not explained", logins, taken, unexplained)
		}
	})
	// The controls.
	for name, cache := range map[string]func(oauth.Issuers, func() time.Time) *oauth.IssuerCache{
		"believed for eleven seconds": func(s oauth.Issuers, now func() time.Time) *oauth.IssuerCache {
			began := now()
			return oauth.NewIssuerCache(s, func() time.Time { return began.Add(now().Sub(began) * 10 / 11) })
		},
		"removals forgotten": func(s oauth.Issuers, now func() time.Time) *oauth.IssuerCache {
			return oauth.NewIssuerCache(&lateIssuers{Issuers: s, now: now, keeps: true}, now)
		},
		"misses remembered": func(s oauth.Issuers, now func() time.Time) *oauth.IssuerCache {
			return oauth.NewIssuerCache(&lateIssuers{Issuers: s, now: now, misses: 5 * time.Second}, now)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if logins, _, unexplained := raceIssuer(t, cache); unexplained == 0 {
				t.Errorf("%d logins look sound", logins)
			}
		})
	}
}

// countedIssuers counts the reads that were answered.
type countedIssuers struct {
	oauth.Issuers
	reads *atomic.Int64
}

func (s countedIssuers) TrustedIssuer(ctx context.Context, name string) (oauth.TrustedIssuer, bool, error) {
	defer s.reads.Add(1)
	return s.Issuers.TrustedIssuer(ctx, name)
}

// lateIssuers is wrong on purpose. It keeps what was removed, or says for a while that there
// is nothing, because there was nothing.
type lateIssuers struct {
	oauth.Issuers
	now    func() time.Time
	misses time.Duration
	keeps  bool

	mu    sync.Mutex // guards what follows
	at    time.Time
	was   oauth.TrustedIssuer
	found bool
}

func (s *lateIssuers) TrustedIssuer(ctx context.Context, name string) (oauth.TrustedIssuer, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); s.found || now.Sub(s.at) >= s.misses {
		i, found, err := s.Issuers.TrustedIssuer(ctx, name)
		if err != nil || !found && s.keeps {
			return s.was, s.found, err
		}
		s.at, s.was, s.found = now, i, found
	}
	return s.was, s.found, nil
}

// Nine logins at once, each for another device, at a client that allows three, by the three
// ways in that a user has. They may pass the cap together; the next login repairs it.
func TestCapUnderLogins(t *testing.T) {
	const lanes, most, rounds = 9, 3, 6
	endpoint := dynamotest.Engine(t)
	f := dynamotest.New(t, endpoint)
	seedClients(t, f, 0)
	key := seedSigned(t, f, 0)
	const capped ledger.ClientID = "capped"
	oauthtest.SaveClient(t, f.Clients, oauth.Client{
		ID: capped, Grants: oauth.GrantTypes(), MaxAuthorizations: most, Audiences: []string{string(appClient)},
		Scopes: oauthtest.Scopes(t, "read"), DefaultScopes: oauthtest.Scopes(t, "read"),
	}, 1)
	var clock atomic.Int64
	clock.Store(time.Now().Unix())
	now := func() time.Time { return time.Unix(clock.Load(), 0) }
	instances := []*instance{newInstance(t, f, endpoint, now), newInstance(t, f, endpoint, now), newInstance(t, f, endpoint, now)}
	for round := range rounds {
		user := fmt.Sprintf("ann-%d", round)
		addUser(t, f, user)
		assertion := key.Sign(t, nil, assertiontest.Members{"iss": backEnd, "sub": user, "aud": appID, "iat": clock.Load(), "exp": clock.Load() + 60})
		login := func(n int) bearer.Bearer {
			var got Answer
			r := Request{Verb: doIssue, Client: capped, User: user, Assertion: assertion, Device: fmt.Sprint(n)}
			r.By = []oauth.GrantType{oauth.PasswordGrant, oauth.TokenExchangeGrant, oauth.JWTBearerGrant}[n%3]
			if err := instances[n%len(instances)].do(t.Context(), r, &got); err != nil {
				t.Errorf("login %d: %v", n, err)
			}
			return bearer.FromClient(got.Access)
		}
		var tokens [lanes + 1]bearer.Bearer
		var wg sync.WaitGroup
		for n := range lanes {
			wg.Go(func() { tokens[n] = login(n) })
		}
		wg.Wait()
		clock.Add(1)
		tokens[lanes] = login(lanes)
		active := 0
		for n, token := range tokens {
			ok, err := instances[0].active(t.Context(), token)
			if err != nil || n == lanes && !ok {
				t.Errorf("token %d is active: %v, %v", n, ok, err)
			}
			if ok {
				active++
			}
		}
		if active != most {
			t.Errorf("%d tokens are active, want %d", active, most)
		}
	}
}
