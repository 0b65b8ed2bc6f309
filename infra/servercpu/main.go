//go:build linux

// Command servercpu measures how much processor time fob serve takes for a request,
// against a floor: a server that parses the same form and answers a constant.
//
//	go run ./infra/servercpu
//	go run ./infra/servercpu -dynamodb http://localhost:8000 -rounds 100
//	go run ./infra/servercpu -fob bin/fob -requests 1000 returned refreshed
//
// It builds fob, starts both servers on one core each, with the garbage collector as the
// template sets it, and sends them the same requests in turn, over connections that stay
// open. A figure is user and system time of the server's process alone, in the round in
// which it was least: what else the machine does can only add to it.
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
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "servercpu:", err)
		stop()
		os.Exit(1)
	}
}

type options struct {
	program  string
	dynamodb string
	requests int
	rounds   int
	verbs    []string
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 1 && args[0] == floorName {
		return serveFloor(ctx, out)
	}
	var o options
	flags := flag.NewFlagSet("servercpu", flag.ContinueOnError)
	flags.StringVar(&o.program, "fob", "", "`file` of fob to measure (default: build it)")
	flags.StringVar(&o.dynamodb, "dynamodb", "", "`URL` of a DynamoDB engine for fob serve (default: memory)")
	flags.IntVar(&o.requests, "requests", 250, "`number` of requests of each kind in a round")
	flags.IntVar(&o.rounds, "rounds", 40, "`number` of rounds")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.verbs = flags.Args(); len(o.verbs) == 0 {
		o.verbs = verbNames
	}
	if o.requests < 1 || o.rounds < 1 {
		return fmt.Errorf("want at least one round of one request")
	}
	return measure(ctx, o, out)
}

func measure(ctx context.Context, o options, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "servercpu")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if o.program == "" {
		o.program = filepath.Join(dir, "fob")
		build := exec.CommandContext(ctx, "go", "build", "-o", o.program, "./cmd/fob") //nolint:gosec // a folder made here
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("build fob, from the root of the repository: %w", err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	serve := []string{"serve", "--addr", "127.0.0.1:0", "--json"}
	if o.dynamodb != "" {
		serve = append(serve, "--dynamodb", o.dynamodb, "--keys", filepath.Join(dir, "keys.json"))
		for _, table := range []string{"tokens", "clients", "users"} { // each run has its own
			serve = append(serve, "--"+table+"-table", filepath.Base(dir)+"-"+table)
		}
	}
	fob, err := start(ctx, o.program, serve...)
	if err != nil {
		return err
	}
	defer fob.end()
	floor, err := start(ctx, self, floorName)
	if err != nil {
		return err
	}
	defer floor.end()

	var verbs []verb
	for _, name := range o.verbs {
		v, err := fob.service.verb(ctx, name)
		if err != nil {
			return err
		}
		verbs = append(verbs, v)
	}
	spent := make([]figures, len(verbs))
	for round := range o.rounds + 1 { // the first one warms up
		for n, v := range verbs {
			base, err := floor.spend(ctx, o.requests, v.atFloor())
			if err != nil {
				return err
			}
			took, err := fob.spend(ctx, o.requests, v)
			if err != nil {
				return err
			}
			if round > 0 {
				spent[n].floor = append(spent[n].floor, base)
				spent[n].fob = append(spent[n].fob, took)
			}
		}
	}
	return report(out, verbs, spent)
}

// figures are the processor times of one request, one of each round.
type figures struct{ floor, fob []time.Duration }

func report(out io.Writer, verbs []verb, spent []figures) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "request\tfloor, µs\tfob, µs\ttimes the floor\t")
	for n, v := range verbs {
		floor, fob := slices.Min(spent[n].floor), slices.Min(spent[n].fob)
		_, _ = fmt.Fprintf(table, "%s\t%.1f\t%.1f\t%.2f\t\n", v.name, micros(floor), micros(fob), micros(fob)/micros(floor))
	}
	return table.Flush()
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
