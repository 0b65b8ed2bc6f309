package oauth_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
)

// ring is a key source whose content and failures a test sets.
type ring struct {
	mu      sync.Mutex
	mint    map[string]string
	states  map[string]bearer.State
	epoch   uint64
	signing bool   // each key has a pair
	swapped int    // 1: each has the pair of another
	region  string // two rings share no key unless it is equal
	cached  []byte // the check secret as instances know it until they reload
	err     error
	fetches int
	looks   int // of the fetches, those that a cache makes once a minute
}

func newRing(t testing.TB) *ring {
	r := &ring{mint: map[string]string{}, states: map[string]bearer.State{}}
	r.set(t, func(r *ring) { r.states["1"] = bearer.Active })
	r.publish()
	return r
}

// set changes the source; instances see it when they reload, or at publish.
func (r *ring) set(t testing.TB, change func(*ring)) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
	for kid := range r.states {
		r.mint[kid] = "test-mint-key-test-mint-key-test-mint-key-" + kid + r.region
	}
}

func (r *ring) publish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cached = r.check()
}

func (r *ring) check() []byte {
	m := map[string]any{"issuer_epoch": r.epoch, "states": maps.Clone(r.states)}
	for kid := range r.states {
		m[kid] = "test-check-key-test-check-key-test-check-key-" + kid + r.region
	}
	if r.signing {
		m["signing"] = r.halves(1)
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

// halves are the private (0) or public (1) halves of pairs, which two keys in a row do not
// share.
func (r *ring) halves(which int) map[string]string {
	text, err := os.ReadFile("../bearer/testdata/signing_pairs.txt")
	if err != nil {
		panic(err)
	}
	lines, halves := strings.Split(string(text), "\n"), map[string]string{}
	for kid := range r.states {
		halves[kid] = lines[1+2*((int(kid[0])+r.swapped)%2)+which]
	}
	return halves
}

func (r *ring) get(reload bool) (mint, check []byte, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if reload {
		r.fetches++
		if r.err != nil {
			return nil, nil, oauth.Unavailable("fetch the test ring", r.err)
		}
		r.cached = r.check()
	}
	m := map[string]any{}
	for kid, text := range r.mint {
		m[kid] = text
	}
	if r.signing {
		m["signing"] = r.halves(0)
	}
	mint, err = json.Marshal(m)
	return mint, r.cached, err
}

type mintKeys struct{ *ring }

func (k mintKeys) fetch(reload bool) (*bearer.MintRing, error) {
	mint, check, err := k.get(reload)
	if err != nil {
		return nil, err
	}
	return bearer.ParseMintRing(mint, check)
}

func (k mintKeys) Ring(context.Context) (*bearer.MintRing, error) { return k.fetch(false) }

func (k mintKeys) Reload(context.Context) (*bearer.MintRing, error) { return k.fetch(true) }

func (k mintKeys) ReloadForUnknownKey(context.Context) (*bearer.MintRing, error) {
	k.mu.Lock()
	k.looks++
	k.mu.Unlock()
	return k.fetch(true)
}

type checkKeys struct{ *ring }

func (k checkKeys) fetch(reload bool) (*bearer.CheckRing, error) {
	_, check, err := k.get(reload)
	if err != nil {
		return nil, err
	}
	return bearer.ParseCheckRing(check)
}

func (k checkKeys) Ring(context.Context) (*bearer.CheckRing, error) { return k.fetch(false) }

func (k checkKeys) Reload(context.Context) (*bearer.CheckRing, error) { return k.fetch(true) }

func (k checkKeys) ReloadForUnknownKey(context.Context) (*bearer.CheckRing, error) {
	return k.fetch(true)
}
