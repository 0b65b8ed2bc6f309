package dynamo_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

// Two instances that know nothing of each other get 64 first requests at once:
// one token pair comes out, and one item is there.
func TestInstancesRace(t *testing.T) {
	onEngines(t, func(t *testing.T, endpoint string) {
		const requests = 64
		w := newBudgetWorld(t, endpoint)
		second, _ := w.instance(endpoint)
		issuers := []*oauth.Issuer{w.issuer, second}
		type pair struct{ access, refresh string }
		var (
			mu       sync.Mutex
			pairs    = map[pair]int{}
			outcomes = map[oauth.Outcome]int{}
			wg       sync.WaitGroup
			gun      = make(chan struct{})
		)
		for i := range requests {
			wg.Go(func() {
				<-gun
				var event oauth.Event
				r, err := issuers[i%2].Token(oauth.WithEvent(t.Context(), &event), oauth.TokenRequest{
					Credentials: oauthtest.Credentials("backend"), Form: passwordForm(budgetPassword, device(1)), Source: "192.0.2.1",
				})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				pairs[pair{r.AccessToken.Reveal(), r.RefreshToken.Reveal()}]++
				outcomes[event.Outcome]++
			})
		}
		close(gun)
		wg.Wait()
		for p, n := range pairs {
			if n != requests || p.access == "" || p.refresh == "" {
				t.Errorf("%d of %d requests got one pair of tokens, and others another", n, requests)
			}
		}
		if diff := cmp.Diff(map[oauth.Outcome]int{oauth.Issued: 1, oauth.Returned: requests - 1}, outcomes); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if items := w.f.Items(t, w.f.Tables.Tokens); len(items) != 1 {
			t.Errorf("%d items, want one", len(items))
		}
	})
}
