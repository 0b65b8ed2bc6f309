package oauth

import "time"

// Recent reports whether then lies less than d before now, by the wall clock. The
// monotonic clock does not run while a function is frozen, so it is ignored. A time
// in the future, after the clock was set back, is not recent. Nor is the zero time.
func Recent(then, now time.Time, d time.Duration) bool {
	age := now.Round(0).Sub(then.Round(0))
	return 0 <= age && age < d
}
