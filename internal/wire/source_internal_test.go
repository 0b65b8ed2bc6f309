package wire

import (
	"net/http"
	"testing"
)

func TestSourceOf(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1":                  "192.0.2.1",
		"192.0.2.1:4711":             "192.0.2.1",
		"[::ffff:192.0.2.1]:4711":    "192.0.2.1",
		"::ffff:192.0.2.1":           "192.0.2.1",
		"2001:db8:1:2:3:4:5:6":       "2001:db8:1:2::/64",
		"[2001:db8:1:2:3:4:5:6]:443": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80":          "fe80::/64",
		"::1":                        "::/64",
		"":                           "",
		":0":                         "",
		"@":                          "",
		"localhost:80":               "",
		"192.0.2.1, 198.51.100.1":    "",
	} {
		if got := sourceOf(&http.Request{RemoteAddr: addr}).counted; got != want {
			t.Errorf("%q: %q, want %q", addr, got, want)
		}
	}
}
