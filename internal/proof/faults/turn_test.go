package faults

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/storetest"
)

// Phones log in over HTTP, at two instances, while the issuer turns its keys: it shows a new
// one in the middle of a round of logins, and the two before for a while. Nobody is refused, each phone has one token all the
// time, and forgers, who keep the fetches for unknown keys busy, get nothing.
func TestKeysTurnUnderLogins(t *testing.T) {
	t.Run("and sign at once", func(t *testing.T) {
		testKeysTurnUnderLogins(t, 24, 20, func(shown []assertiontest.Key) assertiontest.Key { return shown[len(shown)-1] })
	})
	// As issuers do it. Then nobody has to log in again either.
	t.Run("and sign eleven minutes later", func(t *testing.T) {
		again := testKeysTurnUnderLogins(t, 4, 11*60, func(shown []assertiontest.Key) assertiontest.Key { return shown[len(shown)-2] })
		if again > 0 {
			t.Errorf("%d logins have to be sent again", again)
		}
	})
}

// testKeysTurnUnderLogins has so many rounds, with so many seconds from one to the next. It
// returns how many logins were answered 503.
func testKeysTurnUnderLogins(t *testing.T, rounds int, every int64, signing func(shown []assertiontest.Key) assertiontest.Key) int64 {
	const phones, forgers = 12, 2
	tokens, users := memory.NewTokens(), memory.NewUsers()
	stores := storetest.Stores{Tokens: tokens, Subjects: tokens, Clients: memory.NewClients(), Issuers: memory.NewIssuers(), Users: users, UserRegistry: users}
	seed(t, stores)
	saveClient(t, stores, oauth.Client{ID: "app", Public: true})
	issuer := assertiontest.New(t)
	if _, err := stores.Issuers.SaveIssuer(t.Context(), oauth.TrustedIssuer{Signer: oauth.Signer{
		Name: issuer.URL, Audiences: []string{"com.example.app"}, Algorithms: oauth.Algorithms(), PrivateAddresses: true,
	}}); err != nil {
		t.Fatal(err)
	}
	var clock oauthtest.Clock
	clock.Store(began)
	// No two looks at the clock are equal: whether keys were fetched before a login came
	// decides whether it can be refused.
	var looks atomic.Int64
	now := func() time.Time { return time.Unix(clock.Load(), looks.Add(1)) }
	var servers []*httptest.Server
	for range 2 {
		server := httptest.NewServer(endpoints(t, storesOf(stores), issuer.Roots, now, slog.New(slog.DiscardHandler))["token"])
		defer server.Close()
		servers = append(servers, server)
	}

	var mu sync.Mutex                                                      // guards what follows
	shown := []assertiontest.Key{issuer.Key(), issuer.Key(), issuer.Key()} // the oldest first
	turn := func() {
		mu.Lock()
		defer mu.Unlock()
		shown = []assertiontest.Key{shown[1], shown[2], assertiontest.NewKey(t, "ES256")}
		issuer.Publish(shown...)
	}
	key := func() assertiontest.Key {
		mu.Lock()
		defer mu.Unlock()
		return signing(shown)
	}

	login := func(n int, at *httptest.Server, key assertiontest.Key) (status int, access string) {
		iat := clock.Load()
		token := key.Sign(t, nil, assertiontest.Members{"iss": issuer.URL, "sub": fmt.Sprint(n), "aud": "com.example.app", "iat": iat, "exp": iat + 600})
		resp, err := at.Client().PostForm(at.URL, url.Values{
			"grant_type": {string(oauth.TokenExchangeGrant)}, "subject_token": {token}, "subject_token_type": {idToken},
			"client_id": {"app"}, "scope": {fmt.Sprintf("read device_%d", n)},
		})
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer resp.Body.Close()
		var body struct {
			AccessToken string `json:"access_token"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		return resp.StatusCode, body.AccessToken
	}

	var has [phones]string // the token of each phone
	var taken, again atomic.Int64
	forger := assertiontest.NewKey(t, "ES256")
	for range rounds {
		var load sync.WaitGroup
		var sent atomic.Int64
		for n := range phones {
			load.Go(func() {
				for i := range 4 {
					if sent.Add(1) == 2*phones {
						turn()
					}
					status, access := login(n, servers[(n+i)%len(servers)], key())
					switch status {
					case http.StatusOK:
						taken.Add(1)
						if has[n] == "" {
							has[n] = access
						}
						if access != has[n] {
							t.Errorf("phone %d got another token", n)
						}
					case http.StatusServiceUnavailable:
						again.Add(1)
					default:
						t.Errorf("phone %d was refused: %d", n, status)
					}
				}
			})
		}
		for n := range forgers {
			load.Go(func() {
				for i := range 4 {
					forged := forger
					if i%2 == 0 {
						forged.ID = key().ID
					}
					if status, access := login(n, servers[i%len(servers)], forged); status == http.StatusOK || access != "" {
						t.Errorf("a forged login was answered %d", status)
					}
				}
			})
		}
		load.Wait()
		clock.Add(every)
	}
	clock.Add(60)
	for n := range phones {
		if status, access := login(n, servers[n%len(servers)], key()); status != http.StatusOK || has[n] != "" && access != has[n] {
			t.Errorf("a minute later phone %d got %d, and whether its token: %v", n, status, access == has[n])
		}
	}
	_, sets := issuer.Fetches()
	t.Logf("%d logins taken, %d to be sent again, %d key sets fetched by two instances in %d seconds", taken.Load(), again.Load(), sets, clock.Load()-began)
	if taken.Load() == 0 || sets > 2*((clock.Load()-began)/60+1) {
		t.Errorf("%d logins were taken, and %d key sets fetched", taken.Load(), sets)
	}
	return again.Load()
}
