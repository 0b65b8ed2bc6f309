package faults

import (
	"fmt"
	"runtime"
	"testing"
)

// labelledTB says in front of each message which run it is about, and ends a run
// that went wrong often enough to be understood.
type labelledTB struct {
	testing.TB
	label  string
	errors int
}

func (f *labelledTB) Errorf(format string, args ...any) {
	f.Helper()
	f.TB.Errorf("%s: %s", f.label, fmt.Sprintf(format, args...))
	if f.errors++; f.errors == 5 {
		f.FailNow()
	}
}

// FailNow ends the goroutine of the run, which need not be the test's.
func (f *labelledTB) FailNow() {
	f.Fail()
	runtime.Goexit()
}

func (f *labelledTB) Fatal(args ...any) {
	f.Helper()
	f.TB.Errorf("%s: %s", f.label, fmt.Sprint(args...))
	f.FailNow()
}

func (f *labelledTB) Fatalf(format string, args ...any) {
	f.Helper()
	f.Fatal(fmt.Sprintf(format, args...))
}
