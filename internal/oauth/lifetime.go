package oauth

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

var errLifetime = errors.New("want a time of whole seconds, such as 90s, 20m, 12h, 30d or 2w")

// lifetimeForm has weeks and days, which package time does not know, before the rest. It
// is compiled when somebody types a time: no function does.
var lifetimeForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:([0-9]{1,4})w)?(?:([0-9]{1,5})d)?(.*)$`)
})

// lifetimeUnits are those that [FormatLifetime] prints, in seconds.
var lifetimeUnits = []struct {
	seconds int64
	unit    string
}{{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}}

// ParseLifetime reads a time as an operator types it, such as 90s, 20m, 12h, 30d or
// 2w, and returns it in seconds: one or more. It takes what [time.ParseDuration]
// takes, and weeks and days before it. A number without a unit is refused, since it
// is as often meant in minutes as in seconds.
func ParseLifetime(text string) (int64, error) {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil && n > 0 {
		return 0, fmt.Errorf("%d has no unit: write %ds if it is in seconds; the units are s, m, h, d and w", n, n)
	}
	part := lifetimeForm().FindStringSubmatch(text)
	if part == nil || strings.ContainsAny(part[3], "+-") {
		return 0, errLifetime
	}
	weeks, _ := strconv.ParseInt("0"+part[1], 10, 64)
	days, _ := strconv.ParseInt("0"+part[2], 10, 64)
	var rest time.Duration
	if part[3] != "" {
		var err error
		if rest, err = time.ParseDuration(part[3]); err != nil {
			return 0, errLifetime
		}
	}
	seconds := (7*weeks+days)*86400 + int64(rest/time.Second)
	if rest%time.Second != 0 || seconds < 1 {
		return 0, errLifetime
	}
	return seconds, nil
}

// FormatLifetime prints seconds as [ParseLifetime] reads them: as a whole number of
// the largest unit up to days, such as 90s, 15m, 36h or 30d.
func FormatLifetime(seconds int64) string {
	for _, u := range lifetimeUnits {
		if seconds != 0 && seconds%u.seconds == 0 {
			return strconv.FormatInt(seconds/u.seconds, 10) + u.unit
		}
	}
	return "0s"
}
