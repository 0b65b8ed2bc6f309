package main

import (
	"os"
	"runtime"

	"github.com/fob-oauth/fob/internal/keys"
)

// warnOfKeyFile says that others on this machine may get at the key ring. It does not
// refuse, as ssh would: the mode may come from a volume that cannot change it. On Windows
// the mode says nothing about who may read.
func warnOfKeyFile(p *program, name string) {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 == 0 || runtime.GOOS == "windows" {
		return // an error is the reader's to report
	}
	content, err := os.ReadFile(name) //nolint:gosec // the operator names it
	if err != nil {
		return
	}
	if _, err := keys.ParseFile(name, content); err != nil {
		return // it is not a key ring
	}
	p.say("warning: others on this machine may read or change %s (its mode is %04o), and make tokens with its keys: chmod 600 %s",
		shown(name), info.Mode().Perm(), shown(name))
}
