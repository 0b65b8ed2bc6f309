package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Two processes that share a key file and an endpoint are one service, from the
// moment at which they start together on an empty one: they make one key ring,
// one set of tables and one demo, and 64 first requests to both at once get one
// token, of which there is one item.
func TestTwoProcessesAreOneService(t *testing.T) {
	endpoint := dynamotest.Engine(t)
	f := &dynamotest.Fixture{DB: dynamo.NewClient(dynamotest.Config(endpoint)), Tables: newTableNames()}
	keysFile := filepath.Join(t.TempDir(), "keys.json")

	var fobs [2]ready
	var starting [2]*fob
	for i := range starting {
		starting[i] = startFob(t, fixtureEnv(t, f), "serve", "--json", "--addr", "127.0.0.1:0", "--dynamodb", endpoint, "--keys", keysFile)
	}
	for i, process := range starting {
		fobs[i] = readReady(t, process.stdout)
	}
	a, b := fobs[0], fobs[1]
	if a.Issuer == b.Issuer {
		t.Fatalf("both are %s", a.Issuer)
	}
	b.Issuer, b.TokenEndpoint = a.Issuer, a.TokenEndpoint
	b.RevocationEndpoint, b.IntrospectionEndpoint = a.RevocationEndpoint, a.IntrospectionEndpoint
	b.DevicesEndpoint, b.MeEndpoint, b.MetadataEndpoint = a.DevicesEndpoint, a.MeEndpoint, a.MetadataEndpoint
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("the two have different demos:\n%s", diff)
	}

	const requests = 64
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: requests}}
	var (
		mu      sync.Mutex
		tokens  = map[string]int{}
		request = url.Values{"grant_type": {"client_credentials"}, "scope": {"write read device_race"}}.Encode()
		go64    sync.WaitGroup
		crowd   sync.WaitGroup
	)
	go64.Add(1)
	for i := range requests {
		crowd.Go(func() {
			go64.Wait()
			token, err := ask(t, client, fobs[i%2], request)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("request %d: %v", i, err)
				return
			}
			tokens[token]++
		})
	}
	go64.Done()
	crowd.Wait()

	if len(tokens) != 1 {
		t.Errorf("%d requests got %d tokens", requests, len(tokens))
	}
	if n := len(f.Items(t, f.Tables.Tokens)); n != 1 {
		t.Errorf("%d items in the table of tokens, want 1", n)
	}
	// The one that came second may have left an item of an id, which leads to nobody.
	if users, err := oauth.AllUsers(t.Context(), dynamo.NewUsers(f.DB, f.Tables.Users)); err != nil || len(users) != 1 {
		t.Errorf("%d users, %v, want 1", len(users), err)
	}
}

func ask(t *testing.T, client *http.Client, fob ready, body string) (string, error) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fob.TokenEndpoint, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(fob.ClientID, fob.ClientSecret)
	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
		Error       string `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK || answer.AccessToken == "" {
		return "", fmt.Errorf("status %d, %s", resp.StatusCode, answer.Error)
	}
	return answer.AccessToken, nil
}
