package oauth_test

import (
	"context"
	"testing"

	"github.com/fob-oauth/fob/internal/storetest"
)

// turns lets one of two requests make one call to the stores at a time.
type turns struct {
	ready, goes, done [2]chan struct{}
}

// before is for the i-th request, ahead of each of its calls.
func (s *turns) before(i int) func(context.Context) error {
	return func(context.Context) error {
		s.ready[i] <- struct{}{}
		<-s.goes[i]
		return nil
	}
}

// inOrder runs two requests to their ends. Bit k of order says which of them makes the
// k-th call, while both have calls left. It returns how many calls there were, and how many of
// them the order chose.
func inOrder(order uint, requests [2]func(before func(context.Context) error)) (calls, chosen int) {
	var s turns
	for i, request := range requests {
		s.ready[i], s.goes[i], s.done[i] = make(chan struct{}), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(s.done[i])
			request(s.before(i))
		}()
	}
	var waiting [2]bool
	wait := func(i int) {
		select {
		case <-s.ready[i]:
			waiting[i] = true
		case <-s.done[i]:
			waiting[i] = false
		}
	}
	for i := range requests {
		wait(i)
	}
	for ; waiting[0] || waiting[1]; calls++ {
		i := int(order >> calls & 1)
		if waiting[0] && waiting[1] {
			chosen++
		} else if !waiting[i] {
			i = 1 - i
		}
		s.goes[i] <- struct{}{}
		wait(i)
	}
	return calls, chosen
}

// eachOrder gives two requests a new world for each order of their calls. begin prepares the
// world; after is told the order when both requests have ended.
func eachOrder(t *testing.T, begin func(w *world) (requests [2]func(before func(context.Context) error), after func(order uint))) {
	t.Helper()
	for order := uint(0); ; {
		requests, after := begin(newWorld(t))
		_, chosen := inOrder(order, requests)
		if after(order); t.Failed() {
			return
		}
		// The last choice that can still be another one is; those behind it begin anew.
		for chosen--; chosen >= 0 && order>>chosen&1 == 1; chosen-- {
		}
		if chosen < 0 {
			return
		}
		order = order&(1<<chosen-1) | 1<<chosen
	}
}

// interruptedRegistrar is one whose calls can be intercepted.
type interruptedRegistrar struct {
	registrars
	faulty *storetest.Faulty
}

// interrupted puts something between the world's domain and its stores.
func (w *world) interrupted() (logins *storetest.Faulty, r interruptedRegistrar) {
	stores := storetest.Stores{Tokens: w.tokens, Subjects: w.tokens, Registry: w.tokens, Users: w.users, UserRegistry: w.users}
	logins = storetest.NewFaulty(stores)
	w.issuer.Tokens, w.issuer.Users = logins, logins
	r.registrars, r.faulty = faultyRegistrar(stores)
	return logins, r
}
