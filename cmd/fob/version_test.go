package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	build := runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH
	vcs := []debug.BuildSetting{
		{Key: "vcs", Value: "git"},
		{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"},
		{Key: "vcs.time", Value: "2026-11-27T12:00:00Z"},
		{Key: "vcs.modified", Value: "true"},
	}
	for _, test := range []struct {
		name string
		info *debug.BuildInfo
		want string
	}{
		{"without build information", nil, "fob (devel), " + build},
		{"of a published module", &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "fob v1.2.3, " + build},
		{
			"in a clone", &debug.BuildInfo{Main: debug.Module{Version: "v0.0.0-20261127120000-0123456789ab+dirty"}, Settings: vcs},
			"fob v0.0.0-20261127120000-0123456789ab+dirty, revision 0123456789abcdef0123456789abcdef01234567 of 2026-11-27T12:00:00Z, modified, " + build,
		},
		{"go run without the repository", &debug.BuildInfo{}, "fob (devel), " + build},
	} {
		if got := viewVersion(test.info).String(); got != test.want {
			t.Errorf("%s: %s\nwant %s", test.name, got, test.want)
		}
	}
}
