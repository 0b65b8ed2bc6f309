package main

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

const versionHelp = `Print from which source this program was built, as Go's linker noted it: the version of
the module, the revision of the repository and its time, "modified" if files were
changed since, then the version of Go and the platform.`

func versionCommand(p *program) *cobra.Command {
	return printsJSON(&cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Long:    versionHelp,
		Example: "  fob version\n  fob version --json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			info, _ := debug.ReadBuildInfo() // nil without one
			v := viewVersion(info)
			return p.print(v, v.String())
		},
	}, versionView{})
}

// versionView is what --json shows. Programs rely on the names.
type versionView struct {
	Version  string `json:"version" is:"of the module, or \"(devel)\""`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty" is:"time"` // of the revision
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func viewVersion(info *debug.BuildInfo) versionView {
	v := versionView{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info == nil {
		return v
	}
	v.Version = cmp.Or(info.Main.Version, v.Version)
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// String is the line for people.
func (v versionView) String() string {
	parts := []string{"fob " + v.Version}
	if v.Revision != "" {
		revision := "revision " + v.Revision
		if v.Time != "" {
			revision += " of " + v.Time
		}
		parts = append(parts, revision)
	}
	if v.Modified {
		parts = append(parts, "modified")
	}
	return strings.Join(append(parts, v.Go, v.Platform), ", ")
}
