package dynamo_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/storetest"
)

// script is the network. Each request gets the next answer, and the last one is
// repeated.
type script struct {
	answers []answer

	mu       sync.Mutex // guards what follows
	requests []request
}

type answer func(request) (*http.Response, error)

type request struct {
	Operation string
	Text      []byte
	Body      map[string]any
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	var r request
	_, r.Operation, _ = strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	var err error
	if r.Text, err = io.ReadAll(req.Body); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(r.Text, &r.Body); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.answers[min(len(s.requests), len(s.answers)-1)]
	s.requests = append(s.requests, r)
	return a(r)
}

// count is how often an operation was asked for.
func (s *script) count(operation string) (n int) {
	for _, r := range s.requests {
		if r.Operation == operation {
			n++
		}
	}
	return n
}

// says answers with a status and a body.
func says(status int, body string) answer {
	return func(request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status,
			Header:     http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
			Body:       io.NopCloser(strings.NewReader(body)),
		}, nil
	}
}

func ok(body string) answer { return says(http.StatusOK, body) }

// fails answers with an exception of the API.
func fails(exception string) answer {
	return says(http.StatusBadRequest, fmt.Sprintf(`{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":"scripted"}`, exception))
}

func isDown(request) (*http.Response, error) { return nil, syscall.ECONNRESET }

// scripted returns stores on a script, with tables called tokens, clients, users.
func scripted(answers ...answer) (*script, storetest.Stores) {
	s := &script{answers: answers}
	cfg := dynamotest.Config("http://dynamodb.invalid")
	cfg.HTTPClient = &http.Client{Transport: s}
	return s, storesOn(dynamo.NewClient(cfg), dynamo.Tables{Tokens: "tokens", Clients: "clients", Users: "users"})
}

func storesOn(db *dynamodb.Client, names dynamo.Tables) storetest.Stores {
	tokens, users := dynamo.NewTokens(db, names.Tokens), dynamo.NewUsers(db, names.Users)
	return storetest.Stores{
		Tokens: tokens, Subjects: tokens, Registry: tokens, Clients: dynamo.NewClients(db, names.Clients), Issuers: dynamo.NewIssuers(db, names.Clients),
		Users: users, UserRegistry: users,
	}
}

// inBubble runs a test under synctest with an event that counts.
func inBubble(t *testing.T, test func(t *testing.T, ctx context.Context, event *oauth.Event)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var event oauth.Event
		test(t, oauth.WithEvent(t.Context(), &event), &event)
	})
}

func methodOf(s storetest.Stores, name string) storetest.Method {
	for _, m := range storetest.Methods(s) {
		if m.Name == name {
			return m
		}
	}
	panic("no method " + name)
}

// The answer of AWS to a failed condition when it was asked to return the item.
func conditionFailed(item string) answer {
	if item != "" {
		item = `,"Item":` + item
	}
	return says(http.StatusBadRequest,
		`{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"The conditional request failed"`+item+`}`)
}

func withNonce(n ledger.Nonce) string {
	return `{"wn":{"B":"` + base64.StdEncoding.EncodeToString(n[:]) + `"}}`
}

func saved(_ ledger.Record, found bool, err error) error { return should("be saved", found, err) }

func should(what string, did bool, err error) error {
	if err == nil && !did {
		return errors.New("did not " + what)
	}
	return err
}
