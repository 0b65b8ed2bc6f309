package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// verb is one kind of request.
type verb int

const (
	login      verb = iota // after which there is a new sign-in
	again                  // the login once more, for the same token
	refresh                // for a refresh token that rotates
	introspect             // of a token in force
	revoke                 // the access token, which ends the sign-in
	ended                  // introspection of a revoked token
	verbs
)

var verbNames = [verbs]string{"login", "again", "refresh", "introspect", "revoke", "ended"}

func (v verb) String() string { return verbNames[v] }

// mix is how often a phone that is signed in chooses each verb. One that is not logs in.
type mix [verbs]int

var defaultMix = mix{again: 20, refresh: 10, introspect: 60, revoke: 5, ended: 5}

func (m *mix) String() string {
	var parts []string
	for v, n := range m {
		if n > 0 {
			parts = append(parts, verb(v).String()+"="+strconv.Itoa(n))
		}
	}
	return strings.Join(parts, ",")
}

// Set implements flag.Value.
func (m *mix) Set(text string) error {
	*m = mix{}
	sum := 0
	for part := range strings.SplitSeq(text, ",") {
		name, number, _ := strings.Cut(part, "=")
		v := slices.Index(verbNames[:], name)
		n, err := strconv.Atoi(number)
		if v <= int(login) || err != nil || n < 0 || n > 1000 {
			return fmt.Errorf("want verbs and numbers, such as %s", &defaultMix)
		}
		m[v] = n
		sum += n
	}
	if sum == 0 {
		return fmt.Errorf("want a verb with a number above 0")
	}
	return nil
}

// next is what a phone does next.
func (m *mix) next(p *phone) verb {
	if p.access == "" {
		return login
	}
	weights := *m
	if p.ended == "" {
		weights[ended] = 0
	}
	sum := 0
	for _, n := range weights {
		sum += n
	}
	if sum == 0 { // of ended alone, before anything was revoked
		return revoke
	}
	at := rand.IntN(sum) //nolint:gosec // a load, not a secret
	for v, n := range weights {
		if at -= n; at < 0 {
			return verb(v)
		}
	}
	return login // not reached
}

// pace hands out the times at which requests are due.
type pace struct {
	began time.Time
	every time.Duration // between two requests; 0 is at once
	next  atomic.Int64
}

// wait returns when the next request was due, and whether it may be sent. If all workers
// are late, the times are in the past: the wait of such a request counts as well, because
// a phone would have waited.
func (p *pace) wait(ctx context.Context, until time.Time) (due time.Time, ok bool) {
	due = time.Now()
	if p.every > 0 {
		due = p.began.Add(time.Duration(p.next.Add(1)-1) * p.every)
	}
	if ctx.Err() != nil || !due.Before(until) || !time.Now().Before(until) {
		return due, false
	}
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-timer.C:
		return due, true
	case <-ctx.Done():
		return due, false
	}
}

// drive has the workers make requests until the time is over or ctx has ended. Requests
// that are under way then are waited for.
func drive(ctx context.Context, o options, s *service, say func(string, ...any)) *results {
	began := time.Now()
	until := began.Add(o.duration)
	p := &pace{began: began}
	if o.rate > 0 {
		p.every = time.Duration(float64(time.Second) / o.rate)
	}
	var done, faults atomic.Int64
	each := make([][]result, o.workers)
	var wg sync.WaitGroup
	for w := range each {
		phones := phonesOf(s, w, o.workers)
		if len(phones) == 0 {
			continue
		}
		wg.Go(func() {
			for {
				due, ok := p.wait(ctx, until)
				if !ok {
					return
				}
				phone := phones[rand.IntN(len(phones))] //nolint:gosec // a load, not a secret
				v := o.mix.next(phone)
				fault := phone.do(context.WithoutCancel(ctx), v)
				each[w] = append(each[w], result{v, due.Sub(began), time.Since(due), fault})
				done.Add(1)
				if fault != "" {
					faults.Add(1)
				}
			}
		})
	}
	finished := make(chan struct{})
	go func() { wg.Wait(); close(finished) }()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	before := int64(0)
	progress := func() {
		n := done.Load()
		say("%4.0f s  %8d requests  %6d more  %d not as they should be", time.Since(began).Seconds(), n, n-before, faults.Load())
		before = n
	}
	for {
		select {
		case <-finished:
			progress()
			return newResults(time.Since(began), slices.Concat(each...))
		case <-tick.C:
			progress()
		}
	}
}

// phonesOf are those that worker w has for itself.
func phonesOf(s *service, w, workers int) (phones []*phone) {
	for i := w; i < s.cast.users*s.cast.devices; i += workers {
		phones = append(phones, &phone{service: s, username: usernameOf(s.cast.name, i/s.cast.devices), device: deviceOf(i % s.cast.devices)})
	}
	return phones
}
