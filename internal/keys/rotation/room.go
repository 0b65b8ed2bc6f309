package rotation

import (
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
)

// maxSecret is how many bytes a secret of Secrets Manager holds.
const maxSecret = 64 << 10

// spareRoom is what Add and Sign leave of it: room for a key with a pair, in the place of one
// that leaks.
const spareRoom = 2 << 10

// leavesRoom returns a [StepError] if the mint secret, which is the longer one, would not
// have so many bytes left.
func (d Document) leavesRoom(left int) error {
	mint, _, err := d.texts()
	if err == nil && len(mint)+left > maxSecret {
		return &StepError{Reason: NoRoom}
	}
	return err
}

// roomFrom is when the last pair of a retired key can go, or zero if none is left.
func (d Document) roomFrom() (from time.Time) {
	for _, k := range d.in(bearer.Retired) {
		if goes := k.Since.Add(StepWait); k.Signs && goes.After(from) {
			from = goes
		}
	}
	return from
}
