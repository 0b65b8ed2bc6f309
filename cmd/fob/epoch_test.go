package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
)

// The restore drill. The tables are copied; a device logs out and another one
// refreshes; the copy is put back. With a raised issuer epoch nothing that ended
// since the copy is active again, and everybody can log in.
func TestRestoreDrill(t *testing.T) {
	if back := restoreDrill(t, true); len(back) > 0 {
		t.Errorf("active again after the restore: %q", back)
	}
}

// Without the raise the drill fails: this is what it can notice.
func TestRestoreDrillWithoutTheRaise(t *testing.T) {
	want := []string{
		"the tablet's access token", "the tablet's refresh token", "the phone's refresh token from before its last",
		"the tablet's access token, handed out at a login",
	}
	if diff := cmp.Diff(want, restoreDrill(t, false)); diff != "" {
		t.Errorf("active again (-want +got):\n%s", diff)
	}
}

// restoreDrill returns what is active again and must not be.
func restoreDrill(t *testing.T, raise bool) (back []string) {
	endpoint := dynamotest.Engine(t)
	f := dynamotest.New(t, endpoint)
	ring := filepath.Join(t.TempDir(), "keys.json")
	serve := func() *restored {
		return &restored{t, serveProcess(t, fixtureEnv(t, f), "--dynamodb", endpoint, "--keys", ring)}
	}

	server := serve()
	tablet, phone, watch := server.login("tablet"), server.login("phone"), server.login("watch")
	backup := map[string][]map[string]types.AttributeValue{}
	for _, table := range []string{f.Tables.Tokens, f.Tables.Clients, f.Tables.Users} {
		if backup[table] = f.Items(t, table); len(backup[table]) == 0 {
			t.Fatalf("nothing to back up in %s", table)
		}
	}

	server.revoke(tablet.AccessToken)
	renewed, ok := server.refresh(phone.RefreshToken)
	if !ok || server.active(tablet.AccessToken) || !server.active(phone.AccessToken) || !server.active(watch.AccessToken) {
		t.Fatal("before the restore it is not as it should be")
	}

	for table, items := range backup {
		restore(t, f, table, items)
	}
	if raise {
		code, out, said := fobAt(t, endpoint, "", f, "epoch", "raise", "--keys", ring)
		if code != 0 {
			t.Fatalf("exit code %d: %s%s", code, out, said)
		}
	}

	server = serve() // which knows the ring and nothing of before
	if server.active(tablet.AccessToken) {
		back = append(back, "the tablet's access token")
	}
	if _, ok := server.refresh(tablet.RefreshToken); ok {
		back = append(back, "the tablet's refresh token")
	}
	if _, ok := server.refresh(phone.RefreshToken); ok {
		back = append(back, "the phone's refresh token from before its last")
	}
	if raise {
		// Nor is there anything else from before.
		_, refreshed := server.refresh(renewed.RefreshToken)
		if refreshed || server.active(renewed.AccessToken) || server.active(watch.AccessToken) {
			t.Error("a token from before the raise is active")
		}
	}
	again := server.login("tablet")
	if again.AccessToken == tablet.AccessToken {
		back = append(back, "the tablet's access token, handed out at a login")
	}
	if !server.active(again.AccessToken) {
		t.Error("after the restore a login gets no token that is active")
	}
	return back
}

// restore makes a table what it was.
func restore(t *testing.T, f *dynamotest.Fixture, table string, items []map[string]types.AttributeValue) {
	t.Helper()
	for _, item := range f.Items(t, table) {
		key := map[string]types.AttributeValue{}
		for _, name := range []string{"pk", "sk"} {
			if value, ok := item[name]; ok {
				key[name] = value
			}
		}
		if _, err := f.DB.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &table, Key: key}); err != nil {
			t.Fatal(err)
		}
	}
	if left := f.Items(t, table); len(left) > 0 {
		t.Fatalf("%d items are left in %s", len(left), table)
	}
	for _, item := range items {
		f.Put(t, table, item)
	}
}

// restored is a server before or after a restore.
type restored struct {
	t *testing.T
	ready
}

type restoredTokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	Error        string `json:"error"`
	Active       bool   `json:"active"`
}

func (s *restored) post(to string, form map[string]string) (answer restoredTokens, status int) {
	s.t.Helper()
	values := url.Values{}
	for _, name := range slices.Sorted(maps.Keys(form)) {
		values.Set(name, form[name])
	}
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, to, strings.NewReader(values.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ContentLength != 0 {
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			s.t.Fatal(err)
		}
	}
	return answer, resp.StatusCode
}

func (s *restored) login(device string) restoredTokens {
	s.t.Helper()
	answer, status := s.post(s.TokenEndpoint, map[string]string{
		"grant_type": "password", "client_id": s.PublicClientID,
		"username": s.Username, "password": s.Password, "scope": "read device_" + device,
	})
	if status != http.StatusOK || answer.AccessToken == "" || answer.RefreshToken == "" {
		s.t.Fatalf("login: %d %s", status, answer.Error)
	}
	return answer
}

// refresh reports whether the token was good for one.
func (s *restored) refresh(token string) (restoredTokens, bool) {
	s.t.Helper()
	answer, status := s.post(s.TokenEndpoint, map[string]string{
		"grant_type": "refresh_token", "client_id": s.PublicClientID, "refresh_token": token,
	})
	if status != http.StatusOK && answer.Error != "invalid_grant" {
		s.t.Fatalf("refresh: %d %s", status, answer.Error)
	}
	return answer, status == http.StatusOK
}

func (s *restored) revoke(token string) {
	s.t.Helper()
	if _, status := s.post(s.RevocationEndpoint, map[string]string{"client_id": s.PublicClientID, "token": token}); status != http.StatusOK {
		s.t.Fatalf("revoke: %d", status)
	}
}

func (s *restored) active(token string) bool {
	s.t.Helper()
	answer, status := s.post(s.IntrospectionEndpoint, map[string]string{
		"client_id": s.ResourceClientID, "client_secret": s.ResourceClientSecret, "token": token,
	})
	if status != http.StatusOK {
		s.t.Fatalf("introspect: %d %s", status, answer.Error)
	}
	return answer.Active
}
