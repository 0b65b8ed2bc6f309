package main

import (
	"testing"
	"time"
)

// The demo is added only where this says yes, so it must not say so of a place
// that others can reach.
func TestOnlyLoopbackIsLocal(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"http://localhost:8000":                         true,
		"http://LOCALHOST:8000":                         true,
		"https://localhost":                             true,
		"http://127.0.0.1:8000":                         true,
		"http://127.8.9.10:8000":                        true,
		"http://[::1]:8000":                             true,
		"http://[::ffff:127.0.0.1]:8000":                true,
		"":                                              false,
		"localhost:8000":                                false,
		"http://0.0.0.0:8000":                           false,
		"http://10.0.0.1:8000":                          false,
		"http://[::]:8000":                              false,
		"http://localhost.example.com:8000":             false,
		"http://127.0.0.1.example.com":                  false,
		"http://dynamodb:8000":                          false,
		"https://dynamodb.eu-central-1.amazonaws.com":   false,
		"http://localhost:8000@dynamodb.example.com":    false,
		"http://dynamodb.example.com/?http://localhost": false,
		"http://dynamodb.example.com#localhost":         false,
	} {
		tables := tables{endpoint: endpoint}
		if got := tables.areLocal(); got != want {
			t.Errorf("%q: %v, want %v", endpoint, got, want)
		}
	}
}

func TestSeconds(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1s":       time.Second,
		"90s":      90 * time.Second,
		"1h30m":    90 * time.Minute,
		"1000ms":   time.Second,
		"30d":      30 * 24 * time.Hour,
		"0s":       0,
		"0d":       0,
		"":         0,
		"90":       0,
		"-1h":      0,
		"1500ms":   0,
		"1d12h":    0,
		"-1d":      0,
		"99999d9":  0,
		"9999999d": 0,
	} {
		var s seconds
		err := s.Set(text)
		if time.Duration(s)*time.Second != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d s and %v, want %v", text, s, err, want)
		}
		if err == nil {
			var again seconds
			if again.Set(s.String()) != nil || again != s {
				t.Errorf("%q prints as %q", text, s.String())
			}
		}
	}
}

func TestShown(t *testing.T) {
	for name, want := range map[string]string{
		"ann":             "ann",
		"Zoë Müller":      "Zoë Müller",
		" ann":            `" ann"`,
		"a\tb":            `"a\tb"`,
		"\u202enna":       `"\u202enna"`,
		"\u009b31m":       `"\u009b31m"`,
		"zero\u200bwidth": `"zero\u200bwidth"`,
	} {
		if got := shown(name); got != want {
			t.Errorf("%q is shown as %s, want %s", name, got, want)
		}
	}
}
