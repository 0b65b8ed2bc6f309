package oauth

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestParseLifetime(t *testing.T) {
	for text, want := range map[string]struct {
		seconds int64 // zero: it is refused
		prints  string
	}{
		"1s":            {1, "1s"},
		"90s":           {90, "90s"},
		"15m":           {900, "15m"},
		"1h30m":         {5400, "90m"},
		"1.5h":          {5400, "90m"},
		"1000ms":        {1, "1s"},
		"12h":           {43200, "12h"},
		"36h":           {129600, "36h"},
		"24h":           {86400, "1d"},
		"30d":           {2592000, "30d"},
		"720h":          {2592000, "30d"},
		"2w":            {1209600, "14d"},
		"1w1d":          {691200, "8d"},
		"1d12h":         {129600, "36h"},
		"2w1d1h1m1s":    {1299661, "1299661s"},
		"9999w":         {6047395200, "69993d"},
		"":              {},
		"0s":            {},
		"0d":            {},
		"0":             {},
		"-1h":           {},
		"1d-1h":         {},
		"+1h":           {},
		"1500ms":        {},
		"12h1d":         {},
		"1d1w":          {},
		"-1d":           {},
		"1.5d":          {},
		"30 d":          {},
		"30d ":          {},
		"99999d9":       {},
		"9999999d":      {},
		"30D":           {},
		"1d\n":          {},
		"999999999999h": {},
	} {
		got, err := ParseLifetime(text)
		if got != want.seconds || (err == nil) != (want.seconds > 0) {
			t.Errorf("%q: %d s and %v, want %d s", text, got, err, want.seconds)
		}
		if err == nil && FormatLifetime(got) != want.prints {
			t.Errorf("%q prints as %s, want %s", text, FormatLifetime(got), want.prints)
		}
	}
	if got := FormatLifetime(0); got != "0s" {
		t.Errorf("no time prints as %s", got)
	}
}

// A number alone is as often meant in minutes.
func TestLifetimeWithoutUnit(t *testing.T) {
	_, err := ParseLifetime("3600")
	if want := "3600 has no unit: write 3600s if it is in seconds"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

// A printed time can be typed, and means the same time.
func TestLifetimeRoundTrip(t *testing.T) {
	for range 10_000 {
		for _, unit := range []int64{1, 60, 3600, 86400} {
			want := (1 + rand.Int64N(maxRefreshAbsolute/unit)) * unit
			text := FormatLifetime(want)
			if got, err := ParseLifetime(text); err != nil || got != want {
				t.Fatalf("%d s prints as %s, which is %d s, %v", want, text, got, err)
			}
		}
	}
}
