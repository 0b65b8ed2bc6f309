//go:build unix

// Command coldstart measures what a function of fob does before its first event,
// against a floor: the smallest function that makes the same GetItem with the same SDK.
//
//	go run ./infra/coldstart
//	go run ./infra/coldstart -rounds 50 -tls none -env GOMAXPROCS=2 token introspect
//
// It builds the programs as they are released, for this machine, and plays Lambda's
// Runtime API, DynamoDB and Secrets Manager on loopback. Each round starts each program
// once and ends it at its first question for an event. Processor time is that of the
// program alone, and says more than the time by the clock where others use the machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// release is how the Makefile builds functions, less the variables that say for which
// machine.
var release = []string{"build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w"}

const floorName = "floor"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "coldstart:", err)
		stop()
		os.Exit(1)
	}
}

// environment collects the values of a flag that may be repeated.
type environment []string

func (e *environment) String() string { return strings.Join(*e, " ") }

func (e *environment) Set(text string) error {
	if !strings.Contains(text, "=") {
		return fmt.Errorf("want NAME=VALUE")
	}
	*e = append(*e, text)
	return nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("coldstart", flag.ContinueOnError)
	rounds := flags.Int("rounds", 20, "how often each program starts")
	security := flags.String("tls", "all", "how AWS is reached: none, one (TLS, and its root alone) or all (TLS, and the roots of this machine too)")
	var more environment
	flags.Var(&more, "env", "a variable for the programs, such as GOMAXPROCS=1; repeatable")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *rounds < 1 {
		return fmt.Errorf("-rounds must be at least 1")
	}
	dir, err := os.MkdirTemp("", "fob-coldstart-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cloud, err := newCloud(dir, *security)
	if err != nil {
		return err
	}
	defer cloud.close()
	programs, err := build(ctx, dir, flags.Args())
	if err != nil {
		return err
	}
	for range *rounds {
		for _, p := range programs {
			s, err := start(ctx, p.path, append(cloud.environment(), more...))
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			p.starts = append(p.starts, s)
		}
	}
	return report(out, programs)
}

// program is one that is measured.
type program struct {
	name, path string
	size       int64 // bytes
	starts     []sample
}

// build builds the floor and the named functions, or all, into dir.
func build(ctx context.Context, dir string, names []string) ([]*program, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return nil, fmt.Errorf("find the module: run it in a clone of fob (%w)", err)
	}
	folder := strings.TrimSpace(string(root))
	if len(names) == 0 {
		mains, _ := filepath.Glob(filepath.Join(folder, "functions", "*", "main.go")) // the pattern is good
		for _, main := range mains {
			names = append(names, filepath.Base(filepath.Dir(main)))
		}
	}
	args := append(slices.Clone(release), "-o", dir+string(filepath.Separator), "./infra/coldstart/"+floorName)
	for _, name := range names {
		args = append(args, "./functions/"+name)
	}
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the one who runs it names the folders
	cmd.Dir, cmd.Env = folder, append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, text)
	}
	var programs []*program
	for _, name := range append([]string{floorName}, names...) {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		programs = append(programs, &program{name: name, path: path, size: info.Size()})
	}
	return programs, nil
}

// report writes medians. The floor is the first program.
func report(out io.Writer, programs []*program) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "program\tsize MB\tpeak MB\ttime ms\tCPU ms\tCPU, least\ttimes the floor's CPU\t")
	// Flush has the error of every write.
	floor := median(programs[0].starts, cpuTime)
	for _, p := range programs {
		cpu := median(p.starts, cpuTime)
		_, _ = fmt.Fprintf(w, "%s\t%.2f\t%.1f\t%.1f\t%.1f\t%.1f\t%.2f\t\n", p.name, float64(p.size)/1e6,
			float64(median(p.starts, func(s sample) int64 { return s.peak }))/1e6,
			milliseconds(median(p.starts, func(s sample) time.Duration { return s.wall })), milliseconds(cpu),
			milliseconds(slices.Min(all(p.starts, cpuTime))), float64(cpu)/float64(floor))
	}
	return w.Flush()
}

func cpuTime(s sample) time.Duration { return s.cpu }

func all[V any](samples []sample, of func(sample) V) []V {
	values := make([]V, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	return values
}

func median[V ~int64](samples []sample, of func(sample) V) V {
	values := slices.Sorted(slices.Values(all(samples, of)))
	return values[len(values)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
