package functions_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/keys/keystest"
)

// The start of the token function says how old the active key is: since when the ring says,
// or else since the secret was written, as with the first key of a stack.
func TestStartSaysTheAgeOfTheKey(t *testing.T) {
	s := newStage(t)
	defer s.searchForLeaks(t)
	ago := func(days int) time.Time { return time.Now().Add(-time.Duration(days)*24*time.Hour - time.Hour) }
	for _, test := range []struct {
		name    string
		written int // days ago
		since   int // days ago; zero if the ring does not say
		want    float64
	}{
		{"a stack of today", 0, 0, 0},
		{"a first key that nobody turned", 401, 0, 401},
		{"a key that was turned, in a ring that was written later", 3, 40, 40},
	} {
		i := s.run(t, "token", func(i *instance, environment map[string]string) {
			i.secrets = secretsManager{keystest.New(t, func() time.Time { return ago(test.written) })}
			check := checkKeys
			if test.since > 0 {
				check = strings.Replace(check, `"states"`, `"since": {"1": `+strconv.FormatInt(ago(test.since).Unix(), 10)+`}, "states"`, 1)
			}
			i.secrets.Create(checkARN, check)
			i.secrets.Create(mintARN, mintKeys)
			environment["AWS_ENDPOINT_URL_SECRETS_MANAGER"] = i.secrets.URL
		})
		lines := i.stdout.next(t)
		if test.want == 0 {
			if len(lines) > 0 {
				t.Errorf("%s: %s", test.name, lines)
			}
			continue
		}
		if len(lines) != 1 {
			t.Fatalf("%s: %d lines: %s", test.name, len(lines), lines)
		}
		l := parseLine(t, lines[0])
		if l.text("msg") != "key ring" || l.text("function") != "token" || l.number("key") != 1 || l.number("key_age_days") != test.want {
			t.Errorf("%s: %s", test.name, lines[0])
		}
		checkMetrics(t, l)
	}
}
