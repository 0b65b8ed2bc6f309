package main

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// seconds is a flag for a span of whole seconds. Zero is not given.
type seconds int64

// Set takes what time.ParseDuration takes, and days, since lifetimes are long.
func (s *seconds) Set(text string) error {
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, notDays := strconv.ParseUint(days, 10, 16)
		d, err = time.Duration(n)*24*time.Hour, notDays
	}
	if err != nil || d < time.Second || d%time.Second != 0 {
		return errors.New("want a time of whole seconds, such as 90s, 20m, 12h or 30d")
	}
	*s = seconds(d / time.Second)
	return nil
}

func (s *seconds) String() string {
	if *s == 0 {
		return ""
	}
	return (time.Duration(*s) * time.Second).String()
}

// Type names the value in the help.
func (*seconds) Type() string { return "duration" }
