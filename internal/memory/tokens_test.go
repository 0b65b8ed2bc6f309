package memory

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/storetest"
)

func recordOf(subject string, device int) ledger.Record {
	r := storetest.Record(scope.Device(fmt.Sprint("device-", device)))
	r.Authorization.Subject.ID = subject
	return r
}

// The keys of each subject are those of its records, whatever was done.
func TestKeysFollowRecords(t *testing.T) {
	tokens := NewTokens()
	for range 2000 {
		r := recordOf(fmt.Sprint("u_", rand.IntN(3)), rand.IntN(20))
		loc := r.Locator()
		var err error
		if there, found := tokens.records[loc]; found && rand.IntN(2) == 0 {
			_, _, err = tokens.End(t.Context(), loc, ledger.EndCondition{Nonce: there.Nonce})
		} else {
			_, _, err = tokens.Save(t.Context(), r, there.Nonce)
		}
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for subject, keys := range tokens.keys {
			if len(keys) == 0 || !slices.IsSortedFunc(keys, bearer.Locator.Compare) {
				t.Fatalf("%d keys of a subject, in order: %v", len(keys), slices.IsSortedFunc(keys, bearer.Locator.Compare))
			}
			for _, loc := range keys {
				if _, found := tokens.records[loc]; !found || loc.Subject != subject {
					t.Fatal("a key without a record, or of another subject")
				}
			}
			n += len(keys)
		}
		if n != len(tokens.records) {
			t.Fatalf("%d keys of %d records", n, len(tokens.records))
		}
	}
}

// The record of one subject is found among those of many as fast as alone.
func TestOthersCostNothing(t *testing.T) {
	few, many := NewTokens(), NewTokens()
	r := recordOf("u_0", 0)
	for n := range 10_000 {
		other := recordOf("u_other", n)
		many.put(other.Locator(), other)
	}
	quickest := func(tokens *Tokens) time.Duration {
		tokens.put(r.Locator(), r)
		best := time.Hour
		for range 1000 { // a machine that is busy is not so each time
			start := time.Now()
			if all, err := tokens.List(t.Context(), r.Authorization.Subject, ""); err != nil || len(all) != 1 {
				t.Fatalf("%d records, %v", len(all), err)
			}
			best = min(best, time.Since(start))
		}
		return best
	}
	alone, among := quickest(few), quickest(many)
	if among > 20*alone {
		t.Errorf("%v among 10,000 records of another subject, %v alone", among, alone)
	}
}
