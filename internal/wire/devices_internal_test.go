package wire

import (
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

func TestCursor(t *testing.T) {
	ipad := oauth.HandleOf(ledger.Subject{Kind: ledger.UserSubject, ID: "u_ada"}, "ipad")
	for _, p := range []oauth.Position{
		{Client: "a"},
		{Handle: ipad, Client: "shop-app"},
		{Handle: ipad, Client: ledger.ClientID(strings.Repeat("c", 128))},
	} {
		if got, ok := parseCursor(formatCursor(p)); !ok || got != p {
			t.Errorf("%+v became %+v, %v", p, got, ok)
		}
	}
	// As it was given once, so that a page can be asked for across a release.
	if got := formatCursor(oauth.Position{Handle: ipad, Client: "shop-app"}); got != "Ahd-UmlscV9OZS1QQXE0Yi13d0lJZnVvZ3Nob3AtYXBw" {
		t.Errorf("cursor %q", got)
	}
}

// An accepted cursor is a possible place, in the one way to write it.
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{"", "AQ", "AgBh", "AgBhB", "Ahd-UmlscV9OZS1QQXE0Yi13d0lJZnVvZ3Nob3AtYXBw", "Ahd-UmlscV9OZS1QQXE0Yi13d0lJZnVvZ2E=", "AgBh=", "AgBh\n", "AQBh", "AgRpcGFk"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := parseCursor(text)
		if !ok {
			if p != (oauth.Position{}) {
				t.Errorf("refused, and %+v", p)
			}
			return
		}
		if formatCursor(p) != text || !oauth.PlausibleClientID(p.Client) {
			t.Errorf("%q is %+v", text, p)
		}
	})
}
