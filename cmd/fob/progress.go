package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows on a terminal how far a long command is. The zero progress shows
// nothing.
type progress struct{ bar *progressbar.ProgressBar }

// newProgress is for size bytes, or for nobody knows how many if that is negative.
// Only people at a terminal see it: in a file it would be noise.
func (p *program) newProgress(size int64) progress {
	f, ok := p.stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return progress{}
	}
	return progress{newBar(f, size)}
}

func newBar(w io.Writer, size int64) *progressbar.ProgressBar {
	return progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
}

// add tells of n bytes more, and how many users are done. It may be called by many
// at once.
func (p progress) add(n int, users int64) {
	if p.bar != nil {
		p.bar.Describe(plural(users, "user", "users"))
		_ = p.bar.Add(n) // a terminal that is gone is no reason to stop
	}
}

// end leaves the line to what comes next.
func (p progress) end() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
