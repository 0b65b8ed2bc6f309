package dynamo_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

// stumbling answers for the engine the first times that an operation is asked.
type stumbling struct {
	operation string
	times     int // negative is for ever
	// apply passes the request on before the answer is put in the reply's place.
	apply  bool
	answer answer

	mu    sync.Mutex // guards what follows
	asked int
}

func (s *stumbling) RoundTrip(req *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	if operation != s.operation {
		return http.DefaultTransport.RoundTrip(req)
	}
	s.mu.Lock()
	s.asked++
	stumbles := s.times < 0 || s.asked <= s.times
	s.mu.Unlock()
	if !stumbles {
		return http.DefaultTransport.RoundTrip(req)
	}
	if s.apply {
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return nil, err
		}
		_ = resp.Body.Close()
	} else if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return nil, err
	}
	return s.answer(request{})
}

// A74, A75
func TestFirstWriteStumbles(t *testing.T) {
	lost := func(request) (*http.Response, error) { return nil, syscall.ECONNRESET }
	onEngines(t, func(t *testing.T, endpoint string) {
		for _, c := range []struct {
			name string
			network
			fails bool
			items int
		}{
			{"the reply is lost", network{"PutItem", 1, true, lost}, false, 1},
			{"the request is lost", network{"PutItem", 1, false, lost}, false, 1},
			{"throttled twice", network{"PutItem", 2, false, fails("ThrottlingException")}, false, 1},
			{"throttled for ever", network{"PutItem", -1, false, fails("ThrottlingException")}, true, 0},
			{"reads throttled twice", network{"BatchGetItem", 2, false, fails("ProvisionedThroughputExceededException")}, false, 1},
			{"reads throttled for ever", network{"BatchGetItem", -1, false, fails("ThrottlingException")}, true, 0},
		} {
			t.Run(c.name, func(t *testing.T) {
				w := newBudgetWorld(t, endpoint)
				s := &stumbling{operation: c.operation, times: c.times, apply: c.apply, answer: c.answer}
				cfg := dynamotest.Config(endpoint)
				cfg.HTTPClient = &http.Client{Transport: s}
				issuer := *w.issuer
				issuer.Tokens = dynamo.NewTokens(dynamo.NewClient(cfg), w.f.Tables.Tokens)
				issue := func() (ledger.Answer, error) {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					return issuer.Token(ctx, oauth.TokenRequest{
						Credentials: oauthtest.Credentials("backend"), Form: clientCredentialsForm(device(1)),
					})
				}
				began := time.Now()
				first, err := issue()
				if took := time.Since(began); took > 10*time.Second { // which a function has
					t.Errorf("took %v", took)
				}
				if s.asked == 0 {
					t.Errorf("%s was not asked for", c.operation)
				}
				if items := w.f.Items(t, w.f.Tables.Tokens); len(items) != c.items {
					t.Errorf("%d items, want %d", len(items), c.items)
				}
				if c.fails {
					if !errors.Is(err, oauth.ErrUnavailable) || first.AccessToken.Len() > 0 {
						t.Errorf("Token = %v; want ErrUnavailable", err)
					}
					return
				}
				w.must(err)
				again, err := issue()
				w.must(err)
				if !again.AccessToken.Equal(first.AccessToken.Text) {
					t.Error("asked again, and it was another token")
				}
				w.must(w.introspect("backend", first.AccessToken)(t.Context()))
				i, err := w.verifier.Introspect(t.Context(), oauthtest.Credentials("backend"), first.AccessToken)
				if err != nil || !i.Active {
					t.Errorf("active %v, %v", i.Active, err)
				}
			})
		}
	})
}

// network says how a stumbling one stumbles.
type network struct {
	operation string
	times     int
	apply     bool
	answer    answer
}
