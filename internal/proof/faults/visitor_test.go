package faults

import (
	"context"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// visitor is another instance at work on the same Authorization, between
// two calls of the one that is looked at.
type visitor struct {
	name string
	does func(r *run, ask func(*run, *instance) answer)
}

var visitors = []visitor{
	{"asks", func(r *run, ask func(*run, *instance) answer) { ask(r, r.other) }},
	{"asks and revokes", func(r *run, ask func(*run, *instance) answer) {
		if a := ask(r, r.other); a.status == 200 {
			r.revoke(r.other, a.access)
		}
	}},
	{"revokes and asks", func(r *run, ask func(*run, *instance) answer) {
		if a := ask(r, r.other); a.status == 200 {
			r.revoke(r.other, a.access)
			ask(r, r.other)
		}
	}},
	{"signs out", func(r *run, _ func(*run, *instance) answer) { r.signOut(r.other) }},
}

// visit lets the stranger in, in the middle of a request of the front.
func (r *run) visit(flow clientFlow, s visitor) {
	r.visited = true
	s.does(r, flow.again)
	r.visited = true
	r.stats.strangers.Add(1)
}

// tokenTap counts the calls to the token store that arrive, and lets a stranger
// in before or after one.
type tokenTap struct {
	oauth.Tokens
	calls         int
	before, after map[int]func()
}

func (f *tokenTap) tap() func() {
	f.calls++
	after := f.after[f.calls]
	if before := f.before[f.calls]; before != nil {
		before()
	}
	if after == nil {
		return func() {}
	}
	return after
}

func (f *tokenTap) Read(ctx context.Context, loc bearer.Locator) (oauth.Reading, error) {
	defer f.tap()()
	return f.Tokens.Read(ctx, loc)
}

func (f *tokenTap) Save(ctx context.Context, c ledger.Record, seen ledger.Nonce) (ledger.Record, bool, error) {
	defer f.tap()()
	return f.Tokens.Save(ctx, c, seen)
}

func (f *tokenTap) End(ctx context.Context, loc bearer.Locator, when ledger.EndCondition) (ledger.Record, bool, error) {
	defer f.tap()()
	return f.Tokens.End(ctx, loc, when)
}

func (f *tokenTap) List(ctx context.Context, s ledger.Subject, client ledger.ClientID) ([]ledger.Record, error) {
	defer f.tap()()
	return f.Tokens.List(ctx, s, client)
}

func (f *tokenTap) Near(ctx context.Context, a ledger.Authorization, most int, after bool) (oauth.Neighbours, error) {
	defer f.tap()()
	return f.Tokens.Near(ctx, a, most, after)
}
