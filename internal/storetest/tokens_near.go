package storetest

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
)

var nearTests = []test{
	{"near finds few records all", func(t *testing.T, s Stores) {
		ipad, iphone, damaged, elsewhere, other := Record("ipad"), Record("iphone"), Record("damaged"), Record("ipad"), Record("ipad")
		elsewhere.Authorization.Client = "other-app"
		other.Authorization.Subject.ID = "u_other"
		coming := Record("new").Authorization
		for _, after := range []bool{true, false} {
			wantNear(t, s, coming, 3, after, 1)
		}
		for _, r := range []ledger.Record{ipad, iphone, damaged, elsewhere, other} {
			wantSaved(t, s, r, ledger.Nonce{})
		}
		raise(t, s, coming.Subject, oauth.StateChange{}) // a state is not a record
		s.Damage(t, damaged.Locator())
		for _, after := range []bool{true, false} {
			wantNear(t, s, coming, 3, after, 1, ipad, iphone)
			wantNear(t, s, ipad.Authorization, 3, after, 1, ipad, iphone)
			wantNear(t, s, elsewhere.Authorization, 3, after, 1, elsewhere)
		}
	}},
	{"near finds of many records those on one side", func(t *testing.T, s Stores) {
		const many = 120
		all := map[ledger.Nonce]ledger.Record{}
		for i := range many {
			r := Record(scope.Device(fmt.Sprint("device-", i)))
			wantSaved(t, s, r, ledger.Nonce{})
			all[r.Nonce] = r
		}
		elsewhere := Record("device-0")
		elsewhere.Authorization.Client = "other-app"
		wantSaved(t, s, elsewhere, ledger.Nonce{})
		for _, after := range []bool{true, false} {
			wantNear(t, s, Record("new").Authorization, many, after, 1, slices.Collect(maps.Values(all))...)
		}
		for i := range 20 {
			a := Record(scope.Device(fmt.Sprint("new-", i))).Authorization
			above, below := near(t, s, a, many-1, true), near(t, s, a, many-1, false)
			found := map[ledger.Nonce]bool{}
			for _, r := range slices.Concat(above.Records, below.Records) {
				found[r.Nonce] = true
			}
			cut := max(len(above.Records), len(below.Records)) == many-1 // all but one, or all, are on one side
			if sum := above.Share + below.Share; !cut && (len(above.Records)+len(below.Records) != many || len(found) != many || math.Abs(sum-1) > 1e-9) {
				t.Errorf("%d above and %d below, %d of %d, shares that add up to %v", len(above.Records), len(below.Records), len(found), many, sum)
			}
			for side, whole := range map[bool]oauth.Neighbours{true: above, false: below} {
				const most = 30
				part := near(t, s, a, most, side)
				for _, r := range part.Records {
					if !slices.ContainsFunc(whole.Records, func(w ledger.Record) bool { return w.Nonce == r.Nonce }) {
						t.Errorf("after %v: a record of the other side, or none that was saved", side)
					}
				}
				if len(part.Records) != min(most, len(whole.Records)) || part.Share > whole.Share {
					t.Errorf("after %v: %d of %d records in %v of %v", side, len(part.Records), len(whole.Records), part.Share, whole.Share)
				}
				// Five standard deviations; the names, and so the keys, are always these.
				if want := many * part.Share; math.Abs(want-float64(len(part.Records))) > 5*math.Sqrt(want+1) {
					t.Errorf("after %v: %d records in a share of %v", side, len(part.Records), part.Share)
				}
			}
		}
	}},
}
