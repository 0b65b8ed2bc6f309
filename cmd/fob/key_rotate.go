package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fob-oauth/fob/internal/keys/rotation"
)

// rotationView is what a rotation came to. Programs rely on the names.
type rotationView struct {
	Active  keyView `json:"active"`
	Turned  bool    `json:"turned"`  // by this run
	Retired []int   `json:"retired"` // by this run
}

// newRotation waits by the program's clock, and says so on standard error.
func newRotation(p *program) rotation.Rotation {
	return rotation.Rotation{
		Now:   p.now,
		Sleep: p.sleep,
		Say:   func(line string) { p.say("%s", line) },
	}
}

func rotateKeys(ctx context.Context, p *program, v rotation.Vault, given seconds, again bool) error {
	r := newRotation(p)
	r.Vault, r.Again = v, again
	r.Longest = func(ctx context.Context) (time.Duration, error) { return longestLife(ctx, p, given) }
	done, err := r.Run(ctx)
	if interrupted(err) {
		return fail(exitFailure, "interrupted: run fob key rotate again, and it goes on from here")
	}
	if err != nil {
		return err
	}
	view := rotationView{viewKey(done.Active), done.Turned, []int{}}
	var retired []string
	for _, kid := range done.Retired {
		view.Retired = append(view.Retired, int(kid))
		retired = append(retired, strconv.Itoa(int(kid)))
	}
	text := fmt.Sprintf("Key %d is active at every instance, since %s.", done.Active.KID, view.Active.Since)
	if !view.Turned {
		text = fmt.Sprintf("Nothing was turned: key %d is active since %s, less than a day ago. With --again it is turned anyway.", done.Active.KID, view.Active.Since)
	}
	if len(retired) > 0 {
		text = "Retired: " + strings.Join(retired, ", ") + ".\n" + text
	}
	return p.confirm(view, text)
}
