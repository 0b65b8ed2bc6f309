package main

import (
	"errors"
	"strings"
	"testing"
)

// The bar says how many users are done and how much is left, and leaves nothing
// behind. That it is for terminals alone, the scripts show: there it is not.
func TestProgress(t *testing.T) {
	var out output
	p := progress{newBar(&out, 100)}
	p.add(1, 1)
	p.add(49, 12) // too soon to be shown
	p.end()
	if text := out.String(); !strings.Contains(text, "1 user ") || !strings.Contains(text, "0%") {
		t.Errorf("the bar is %q", text)
	}
	if text := out.String(); !strings.HasSuffix(text, "\r") {
		t.Errorf("the bar ends in %q", text[max(0, len(text)-20):])
	}
	progress{}.add(1, 1)
	progress{}.end()
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

// fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// A change is reported, also if standard output does not take it: the exit code
// alone would say that nothing was.
func TestStandardOutputTakesNothing(t *testing.T) {
	s := newMemoryStores()
	run := func(args ...string) (int, string) {
		var stderr output
		p := program{stdin: strings.NewReader("example-password"), stdout: fullDisk{}, stderr: &stderr, getenv: noEnv, open: opens(&s)}
		return p.run(t.Context(), args), stderr.String()
	}
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"scope", "add", "read"}, "fob: it was done, but standard output does not take the answer: no space left on device\n"},
		{[]string{"client", "add", "--id", "nightly", "--grant", "client_credentials"}, `fob: the client "nightly" has a new secret, but standard output did not take it, and it is kept nowhere: give it another with fob client rotate-secret nightly --now`},
		{[]string{"client", "rotate-secret", "nightly", "--json"}, `fob: the client "nightly" has a new secret, but standard output did not take it`},
		{[]string{"client", "rotate-secret", "nightly", "--cancel"}, "fob: it was done"},
		{[]string{"user", "add", "ann"}, "fob: it was done"},
		{[]string{"user", "disable", "ann"}, "fob: it was done"},
		{[]string{"client", "list"}, "fob: no space left on device\n"},
	} {
		if code, said := run(test.args...); code != exitFailure || !strings.HasPrefix(said, test.says) || strings.Count(said, "\n") != 1 {
			t.Errorf("%q: exit code %d, %q", test.args, code, said)
		}
	}
	c, _, err := s.clients.Client(t.Context(), "nightly")
	if err != nil || len(c.Secrets) != 1 {
		t.Errorf("%d secrets, %v; want the one that it was added with", len(c.Secrets), err)
	}
}
