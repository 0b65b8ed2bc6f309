package races

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

// newInstance composes an instance within this process, with its own SDK
// client and caches.
func newInstance(t *testing.T, f *dynamotest.Fixture, endpoint string, now func() time.Time) *instance {
	t.Helper()
	ring, err := bearer.ParseMintRing([]byte(mintKeys), []byte(checkKeys))
	if err != nil {
		t.Fatal(err)
	}
	db := dynamo.NewClient(dynamotest.Config(endpoint))
	i := composeInstance(db, f.Tables, dynamo.NewTokens(db, f.Tables.Tokens), ring, now)
	return &i
}

func (i *instance) refresh(ctx context.Context, client ledger.ClientID, token bearer.Bearer) (ledger.Answer, error) {
	return i.issuer.Token(ctx, oauth.TokenRequest{
		Credentials: oauthtest.Credentials(client),
		Form:        oauth.Form{"grant_type": string(oauth.RefreshTokenGrant), "refresh_token": token.Reveal()},
	})
}

func (i *instance) login(ctx context.Context, client ledger.ClientID, user, device string) (ledger.Answer, error) {
	return i.issuer.Token(ctx, oauth.TokenRequest{
		Credentials: oauthtest.Credentials(client), Source: "192.0.2.1",
		Form: oauth.Form{"grant_type": string(oauth.PasswordGrant), "username": user, "password": oauthtest.Password(user), "scope": "device_" + device},
	})
}

func (i *instance) active(ctx context.Context, token bearer.Bearer) (bool, error) {
	said, err := i.introspect(ctx, oauthtest.Credentials(apiClient), token)
	return said.Active, err
}

// A39: fifty workers of a back end share one refresh token and use it all the
// time, while the clock goes on past several lives of the access token. None of
// them is ever left with a token that ends before its time, and there are never
// more than two.
func TestFiftyWorkersRefreshOneToken(t *testing.T) {
	const (
		workers  = 50
		lifetime = 8 // seconds
		rounds   = 2 * lifetime
	)
	endpoint := dynamotest.Engine(t)
	f := dynamotest.New(t, endpoint)
	seedClients(t, f, lifetime)
	addUser(t, f, "ann")
	var clock atomic.Int64
	clock.Store(time.Now().Unix())
	now := func() time.Time { return time.Unix(clock.Load(), 0) }
	instances := []*instance{newInstance(t, f, endpoint, now), newInstance(t, f, endpoint, now), newInstance(t, f, endpoint, now)}

	shared, err := instances[0].login(t.Context(), backendClient, "ann", "batch")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	expiries := map[string]int64{} // of all access tokens
	for range rounds {
		var wg sync.WaitGroup
		for worker := range workers {
			wg.Go(func() {
				i := instances[worker%len(instances)]
				got, err := i.refresh(t.Context(), backendClient, shared.RefreshToken)
				if err != nil {
					t.Errorf("worker %d: %v", worker, err)
					return
				}
				if ok, err := i.active(t.Context(), got.AccessToken); !ok || err != nil {
					t.Errorf("worker %d got a token that is inactive at once, %v", worker, err)
				}
				mu.Lock()
				defer mu.Unlock()
				expiries[got.AccessToken.Reveal()] = clock.Load() + got.ExpiresIn
			})
		}
		wg.Wait()
		live := 0
		for token, expiry := range expiries {
			want := clock.Load() < expiry
			if want {
				live++
			}
			if got, err := instances[0].active(t.Context(), bearer.FromClient(token)); got != want || err != nil {
				t.Errorf("%d s before its end a token is active: %v, %v; want %v", expiry-clock.Load(), got, err, want)
			}
		}
		if live > 2 {
			t.Errorf("%d live access tokens of one authorization", live)
		}
		if t.Failed() {
			t.FailNow()
		}
		clock.Add(1)
	}
	// Each is handed out until less than half of its life is left.
	const serves = lifetime/2 + 1
	if want := (rounds + serves - 1) / serves; len(expiries) != want {
		t.Errorf("%d access tokens in %d seconds, want %d", len(expiries), rounds, want)
	}
	t.Logf("%d workers, %d refreshes, %d access tokens of %d s", workers, workers*rounds, len(expiries), lifetime)
}

// A39: two instances get the same refresh token of a phone at once. There is one
// successor, and both answer with it.
func TestTwoRefreshesAtOnceHaveOneSuccessor(t *testing.T) {
	const phones = 40
	endpoint := dynamotest.Engine(t)
	f := dynamotest.New(t, endpoint)
	seedClients(t, f, 0)
	addUser(t, f, "ann")
	pair := []*instance{newInstance(t, f, endpoint, time.Now), newInstance(t, f, endpoint, time.Now)}

	type answer struct{ Access, Refresh string }
	var raced atomic.Int64
	for phone := range phones {
		// The cap of a subject is passed: the phones from before are done.
		login, err := pair[0].login(t.Context(), appClient, "ann", fmt.Sprintf("phone-%d", phone))
		if err != nil {
			t.Fatal(err)
		}
		var answers [2]answer
		start := make(chan struct{})
		var wg sync.WaitGroup
		for n, i := range pair {
			wg.Go(func() {
				var event oauth.Event
				<-start
				got, err := i.refresh(oauth.WithEvent(t.Context(), &event), appClient, login.RefreshToken)
				if err != nil {
					t.Errorf("phone %d: %v", phone, err)
				}
				raced.Add(int64(event.Raced))
				answers[n] = answer{got.AccessToken.Reveal(), got.RefreshToken.Reveal()}
			})
		}
		close(start)
		wg.Wait()
		if diff := cmp.Diff(answers[0], answers[1]); diff != "" {
			t.Fatalf("phone %d: two answers:\n%s", phone, diff)
		}
		if answers[0].Refresh == login.RefreshToken.Reveal() {
			t.Fatalf("phone %d: not rotated", phone)
		}
		// The one successor is in force.
		next, err := pair[0].refresh(t.Context(), appClient, bearer.FromClient(answers[0].Refresh))
		if err != nil {
			t.Fatalf("phone %d: the successor is refused: %v", phone, err)
		}
		if ok, err := pair[1].active(t.Context(), next.AccessToken); !ok || err != nil {
			t.Fatalf("phone %d: active %v, %v", phone, ok, err)
		}
	}
	if raced.Load() == 0 {
		t.Errorf("of %d pairs none met", phones)
	}
	t.Logf("%d pairs, %d of them met in the store", phones, raced.Load())
}
