//go:build linux

package main

import (
	"context"
	"os"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == floorName { // as measure starts it
		_ = serveFloor(context.Background(), os.Stdout)
		return
	}
	os.Exit(m.Run())
}

// The program measures, and each kind of request is answered as it should be.
func TestMeasure(t *testing.T) {
	t.Chdir("../..")
	var out strings.Builder
	if err := run(t.Context(), []string{"-requests", "50", "-rounds", "1"}, &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 1+len(verbNames) {
		t.Fatalf("%d lines:\n%s", len(lines), out.String())
	}
	for n, name := range verbNames {
		fields := strings.Fields(lines[n+1])
		if len(fields) != 4 || fields[0] != name {
			t.Errorf("%q, want four columns", lines[n+1])
		}
	}
	if err := run(t.Context(), []string{"-requests", "1", "signed"}, &out); err == nil || !strings.Contains(err.Error(), "signed") {
		t.Errorf("a request of no kind: %v", err)
	}
}
