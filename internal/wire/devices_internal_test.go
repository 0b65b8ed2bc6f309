package wire

import (
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

func TestCursor(t *testing.T) {
	for _, p := range []oauth.Place{
		{Client: "a"},
		{Device: "ipad", Client: "shop-app"},
		{Device: "d", Client: ledger.ClientID(strings.Repeat("c", 128))},
	} {
		if got, ok := parseCursor(formatCursor(p)); !ok || got != p {
			t.Errorf("%+v became %+v, %v", p, got, ok)
		}
	}
	// As it was given once, so that a page can be asked for across a release.
	if got := formatCursor(oauth.Place{Device: "ipad", Client: "shop-app"}); got != "AQRpcGFkc2hvcC1hcHA" {
		t.Errorf("cursor %q", got)
	}
}

// What is accepted is a place that there can be, in the one way to write it.
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{"", "AQ", "AQABhB", "AQRpcGFkc2hvcC1hcHA", "AQRpcGFkc2hvcC1hcHA=", "AQBh\n", "AgBh", "AQRpcGFk"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := parseCursor(text)
		if !ok {
			if p != (oauth.Place{}) {
				t.Errorf("refused, and %+v", p)
			}
			return
		}
		if formatCursor(p) != text || !oauth.PlausibleClientID(p.Client) {
			t.Errorf("%q is %+v", text, p)
		}
	})
}
