package dynamo_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/storetest"
)

// Here a script answers in place of an engine, below the SDK: what no engine
// does on request, such as throttling. Time is synctest's, so pauses cost none.

func TestEveryOutageOfEveryMethodIsUnavailable(t *testing.T) {
	for _, c := range []struct {
		name     string
		answer   answer
		requests int  // of each call
		inDoubt  bool // whether a write took effect
	}{
		{"throttled", fails("ThrottlingException"), 3, false},
		{"too little capacity", fails("ProvisionedThroughputExceededException"), 3, false},
		{"over the account's limit", fails("RequestLimitExceeded"), 3, false},
		{"500", says(http.StatusInternalServerError, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}`), 3, true},
		{"503", says(http.StatusServiceUnavailable, "an HTML page"), 3, true},
		{"connection reset", isDown, 3, true},
		{"nonsense", ok("<html>"), 0, true},
		{"in conflict with a transaction", fails("TransactionConflictException"), 0, false},
		{"not allowed", fails("AccessDeniedException"), 1, false},
		{"no table", fails("ResourceNotFoundException"), 1, false},
		{"invalid", fails("ValidationException"), 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, m := range storetest.Methods(storetest.Stores{}) {
				inBubble(t, func(t *testing.T, ctx context.Context, event *oauth.Event) {
					network, stores := scripted(c.answer)
					err := methodOf(stores, m.Name).Call(ctx)
					if !errors.Is(err, oauth.ErrUnavailable) {
						t.Errorf("%s = %v; want ErrUnavailable", m.Name, err)
					}
					calls, requests := 1, c.requests
					if m.Name == "Tokens.Save" && c.inDoubt {
						// The record is not made twice: one write, and the tries of a read.
						calls, requests = 2, requests+1
					}
					if event.StoreCalls != calls {
						t.Errorf("%s counted %d calls, want %d", m.Name, event.StoreCalls, calls)
					}
					if n := len(network.requests); c.requests > 0 && n != requests || n > 4 {
						t.Errorf("%s sent %d requests, want %d", m.Name, n, requests)
					}
					if puts := network.count("PutItem"); m.Name == "Tokens.Save" && c.inDoubt && puts != 1 {
						t.Errorf("%s tried %d times to make a record", m.Name, puts)
					}
				})
			}
		})
	}
}

func TestThrottledTwiceIsNoOutage(t *testing.T) {
	inBubble(t, func(t *testing.T, ctx context.Context, event *oauth.Event) {
		network, stores := scripted(fails("ThrottlingException"), fails("ThrottlingException"),
			ok(`{"ConsumedCapacity":{"TableName":"tokens","CapacityUnits":1}}`))
		r := storetest.Record("ipad")
		start := time.Now()
		there, found, err := stores.Tokens.Save(ctx, r, ledger.Nonce{})
		if err != nil || !found || there.Nonce != r.Nonce {
			t.Errorf("Save = found %v, %v", found, err)
		}
		if len(network.requests) != 3 || event.StoreCalls != 1 || event.WriteUnits != 1 {
			t.Errorf("%d requests, %d calls, %v write units; want 3, 1, 1", len(network.requests), event.StoreCalls, event.WriteUnits)
		}
		if d := time.Since(start); d < 75*time.Millisecond || d > 150*time.Millisecond {
			t.Errorf("the pauses took %v", d)
		}
	})
}

// unprocessed is the answer that leaves the keys out that its request asked for
// and keep does not name, and has items for the rest.
func unprocessed(keep ...string) answer {
	return func(r request) (*http.Response, error) {
		var in struct {
			RequestItems map[string]struct {
				Keys []map[string]map[string]string
			}
		}
		if err := json.Unmarshal(r.Text, &in); err != nil {
			return nil, err
		}
		out := struct {
			Responses       map[string][]map[string]map[string]string
			UnprocessedKeys map[string]any
		}{map[string][]map[string]map[string]string{}, map[string]any{}}
		for table, asked := range in.RequestItems {
			var left []map[string]map[string]string
			for _, key := range asked.Keys {
				processed := false
				for _, prefix := range keep {
					processed = processed || strings.HasPrefix(key["sk"]["S"], prefix)
				}
				if !processed {
					left = append(left, key)
					continue
				}
				key["epoch"] = map[string]string{"N": "7"}
				out.Responses[table] = append(out.Responses[table], key)
			}
			if len(left) > 0 {
				out.UnprocessedKeys[table] = map[string]any{"Keys": left}
			}
		}
		text, err := json.Marshal(out)
		if err != nil {
			return nil, err
		}
		return ok(string(text))(r)
	}
}

func TestUnprocessedKeysAreNeverAbsent(t *testing.T) {
	r := storetest.Record("ipad")
	for _, left := range []struct {
		name string
		keep []string
	}{{"all", nil}, {"the state", []string{"A#"}}, {"the record", []string{"S"}}} {
		t.Run(left.name+" for ever", func(t *testing.T) {
			inBubble(t, func(t *testing.T, ctx context.Context, event *oauth.Event) {
				network, stores := scripted(unprocessed(left.keep...))
				_, err := stores.Tokens.Read(ctx, r.Locator())
				if !errors.Is(err, oauth.ErrUnavailable) {
					t.Errorf("Read = %v; want ErrUnavailable", err)
				}
				if n := len(network.requests); n != 4 || event.StoreCalls != n {
					t.Errorf("%d requests, %d calls; want 4", n, event.StoreCalls)
				}
			})
		})
		t.Run(left.name+" at first", func(t *testing.T) {
			inBubble(t, func(t *testing.T, ctx context.Context, event *oauth.Event) {
				network, stores := scripted(unprocessed(left.keep...), unprocessed("A#", "S"))
				got, err := stores.Tokens.Read(ctx, r.Locator())
				if err != nil || !got.Found || got.State.Epoch != 7 {
					t.Errorf("Read = found %v, state %+v, %v; want both", got.Found, got.State, err)
				}
				if event.StoreCalls != 2 {
					t.Errorf("%d calls, want 2", event.StoreCalls)
				}
				tables := network.requests[1].Body["RequestItems"].(map[string]any)
				again := tables["tokens"].(map[string]any)
				if n := len(again["Keys"].([]any)); n != 2-len(left.keep) {
					t.Errorf("%d keys were asked for again, want %d", n, 2-len(left.keep))
				}
				if again["ConsistentRead"] != true {
					t.Error("asked again without a consistent read")
				}
			})
		})
	}
	t.Run("of a login", func(t *testing.T) {
		inBubble(t, func(t *testing.T, ctx context.Context, _ *oauth.Event) {
			_, stores := scripted(unprocessed())
			_, err := stores.Users.Login(ctx, "ann", oauth.CounterKey{1}, oauth.CounterKey{2})
			if !errors.Is(err, oauth.ErrUnavailable) {
				t.Errorf("Login = %v; want ErrUnavailable", err)
			}
		})
	})
	t.Run("and time runs out", func(t *testing.T) {
		inBubble(t, func(t *testing.T, ctx context.Context, _ *oauth.Event) {
			ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			network, stores := scripted(unprocessed())
			start := time.Now()
			_, err := stores.Tokens.Read(ctx, r.Locator())
			if !errors.Is(err, oauth.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Read = %v; want ErrUnavailable for the deadline", err)
			}
			if d := time.Since(start); d != time.Millisecond || len(network.requests) != 1 {
				t.Errorf("gave up after %v and %d requests", d, len(network.requests))
			}
		})
	})
}

func TestDamagedStateIsAnOutage(t *testing.T) {
	r := storetest.Record("ipad")
	subject := ledger.SubjectKey(r.Authorization.Subject)
	state := `{"pk":{"S":"` + base64.RawURLEncoding.EncodeToString(subject[:]) + `"},"sk":{"S":"S"}`
	for _, attributes := range []string{`}`, `,"epoch":{"S":"7"}}`, `,"epoch":{"N":"7"},"ttl":{"N":"1"}}`} {
		inBubble(t, func(t *testing.T, ctx context.Context, _ *oauth.Event) {
			_, stores := scripted(ok(`{"Responses":{"tokens":[` + state + attributes + `]}}`))
			if got, err := stores.Tokens.Read(ctx, r.Locator()); !errors.Is(err, oauth.ErrUnavailable) || got.State.Epoch != 0 {
				t.Errorf("Read of the state %s = %+v, %v; want ErrUnavailable", attributes, got.State, err)
			}
		})
	}
}

func TestSaveWhenTheConditionFails(t *testing.T) {
	mine, winner := storetest.Record("ipad"), storetest.Record("ipad")
	if mine.Nonce == winner.Nonce {
		t.Fatal("the fixtures share a nonce")
	}
	for _, c := range []struct {
		name    string
		answers []answer
		found   bool
		nonce   ledger.Nonce
		calls   int
	}{
		{"another is there", []answer{conditionFailed(withNonce(winner.Nonce))}, true, winner.Nonce, 1},
		{"our own is there", []answer{conditionFailed(withNonce(mine.Nonce))}, true, mine.Nonce, 1},
		{"a conflict without its item, another", []answer{conditionFailed(""), ok(`{"Item":` + withNonce(winner.Nonce) + `}`)}, true, winner.Nonce, 2},
		{"a conflict without its item, our own", []answer{conditionFailed(""), ok(`{"Item":` + withNonce(mine.Nonce) + `}`)}, true, mine.Nonce, 2},
		{"a conflict without its item, nothing", []answer{conditionFailed(""), ok(`{}`)}, false, ledger.Nonce{}, 2},
		{"lost reply, then our own", []answer{isDown, conditionFailed(withNonce(mine.Nonce))}, true, mine.Nonce, 1},
		{"lost reply, then another", []answer{isDown, conditionFailed(withNonce(winner.Nonce))}, true, winner.Nonce, 1},
		{"lost reply of a first one, our own is there", []answer{isDown, ok(`{"Item":` + withNonce(mine.Nonce) + `}`)}, true, mine.Nonce, 2},
		{"lost reply of a first one, another is there", []answer{isDown, ok(`{"Item":` + withNonce(winner.Nonce) + `}`)}, true, winner.Nonce, 2},
		{"lost reply of a first one, nothing is there", []answer{isDown, ok(`{}`)}, false, ledger.Nonce{}, 2},
	} {
		for _, seen := range []ledger.Nonce{{}, {1}} {
			if strings.HasPrefix(c.name, "lost reply, ") && seen == (ledger.Nonce{}) || strings.HasPrefix(c.name, "lost reply of a first one") && seen != (ledger.Nonce{}) {
				continue // a record is not made twice
			}
			t.Run(fmt.Sprintf("%s, seen %v", c.name, seen != ledger.Nonce{}), func(t *testing.T) {
				inBubble(t, func(t *testing.T, ctx context.Context, event *oauth.Event) {
					_, stores := scripted(c.answers...)
					there, found, err := stores.Tokens.Save(ctx, mine, seen)
					if err != nil || found != c.found || there.Nonce != c.nonce {
						t.Errorf("Save = found %v, mine %v, %v; want found %v, mine %v",
							found, there.Nonce == mine.Nonce, err, c.found, c.nonce == mine.Nonce)
					}
					if there.Nonce == mine.Nonce {
						if d := cmp.Diff(mine.Access, there.Access); d != "" {
							t.Errorf("our own came back changed (-want +got):\n%s", d)
						}
					}
					if event.StoreCalls != c.calls {
						t.Errorf("%d calls, want %d", event.StoreCalls, c.calls)
					}
				})
			})
		}
	}
	t.Run("and reading back fails", func(t *testing.T) {
		inBubble(t, func(t *testing.T, ctx context.Context, _ *oauth.Event) {
			_, stores := scripted(conditionFailed(""), isDown)
			if _, found, err := stores.Tokens.Save(ctx, mine, ledger.Nonce{1}); found || !errors.Is(err, oauth.ErrUnavailable) {
				t.Errorf("Save = found %v, %v; want ErrUnavailable", found, err)
			}
		})
	})
}

func TestEndWhenTheConditionFails(t *testing.T) {
	left := storetest.Record("ipad")
	for _, c := range []struct {
		name    string
		answers []answer
		ended   bool
		there   ledger.Nonce
	}{
		{"another is there", []answer{conditionFailed(withNonce(left.Nonce))}, false, left.Nonce},
		{"nothing is there", []answer{conditionFailed("")}, true, ledger.Nonce{}},
		{"lost reply, then nothing", []answer{isDown, conditionFailed("")}, true, ledger.Nonce{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, ctx context.Context, event *oauth.Event) {
				_, stores := scripted(c.answers...)
				there, ended, err := stores.Tokens.End(ctx, left.Locator(), ledger.EndCondition{Nonce: ledger.Nonce{1}})
				if err != nil || ended != c.ended || there.Nonce != c.there {
					t.Errorf("End = ended %v, %v; want %v", ended, err, c.ended)
				}
				if event.StoreCalls != 1 {
					t.Errorf("%d calls, want 1", event.StoreCalls)
				}
			})
		})
	}
}

// Engines read consistently whether asked to or not, so what is sent is looked at.
func TestRequestsAskForConsistencyAndCapacity(t *testing.T) {
	network, stores := scripted(ok(`{}`))
	for _, m := range storetest.Methods(stores) {
		if err := m.Call(t.Context()); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
	stale := map[string]bool{}
	for _, r := range network.requests {
		if r.Body["ReturnConsumedCapacity"] != "TOTAL" {
			t.Errorf("%s does not ask for the capacity", r.Operation)
		}
		switch r.Operation {
		case "GetItem", "Query", "Scan":
			stale[r.Operation] = stale[r.Operation] || r.Body["ConsistentRead"] != true
		case "BatchGetItem":
			for _, table := range r.Body["RequestItems"].(map[string]any) {
				stale[r.Operation] = stale[r.Operation] || table.(map[string]any)["ConsistentRead"] != true
			}
		case "PutItem":
			condition, _ := r.Body["ConditionExpression"].(string)
			if condition == "" || strings.Contains(condition, " OR ") {
				t.Errorf("PutItem on the condition %q", condition)
			}
			if r.Body["ReturnValuesOnConditionCheckFailure"] != "ALL_OLD" {
				t.Error("PutItem does not ask for the item when the condition fails")
			}
		}
	}
	want := map[string]bool{"GetItem": false, "Query": false, "Scan": false, "BatchGetItem": false}
	if d := cmp.Diff(want, stale); d != "" {
		t.Errorf("reads that may be stale (-want +got):\n%s", d)
	}
}
