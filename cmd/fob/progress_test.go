package main

import (
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
