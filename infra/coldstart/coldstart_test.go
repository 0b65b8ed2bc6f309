//go:build unix

package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every function can be measured, with the environment that the program gives to all.
func TestMeasures(t *testing.T) {
	for _, security := range []string{"none", "one"} {
		var out strings.Builder
		if err := run(t.Context(), []string{"-rounds", "1", "-tls", security}, &out); err != nil {
			t.Fatal(err)
		}
		t.Logf("-tls %s:\n%s", security, &out)
		for _, want := range []string{`floor( +[0-9.]+){5} +1\.00`, `introspect( +[0-9.]+){5} +[0-9.]+`, `metadata( +[0-9.]+){5} +[0-9.]+`} {
			if !regexp.MustCompile(want).MatchString(out.String()) {
				t.Errorf("-tls %s: no line like %s", security, want)
			}
		}
	}
}

// A function that starts badly is not measured: it would be fast.
func TestRefusesToMeasure(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-rounds", "1", "-tls", "none", "-env", "FOB_CHECK_SECRET=another", "-env", "AWS_ENDPOINT_URL_SECRETS_MANAGER=http://127.0.0.1:1", "introspect"}, "it did not start well"},
		{[]string{"-rounds", "1", "-tls", "none", "-env", "FOB_TOKENS_TABLE=", "introspect"}, "before it asked for an event"},
		{[]string{"-rounds", "0"}, "at least 1"},
		{[]string{"-tls", "some"}, "none, one or all"},
		{[]string{"-env", "GOMAXPROCS"}, "NAME=VALUE"},
		{[]string{"nosuch"}, "build:"},
	} {
		err := run(t.Context(), test.args, t.Output())
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.args, err, test.want)
		}
	}
}

func TestBuildsLikeTheMakefile(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	flags := strings.Join(release[:len(release)-1], " ") + " '" + release[len(release)-1] + "'"
	if !strings.Contains(string(makefile), "CGO_ENABLED=0 go "+flags+"\n") {
		t.Errorf("the Makefile builds functions otherwise than with %s", flags)
	}
}
