// Command load drives a deployment of fob as phones and resource servers do, and says how
// many requests it took, how fast they were answered, and which answers were wrong.
//
//	go run ./infra/load
//	go run ./infra/load -dynamodb http://localhost:8000 http://localhost:8080
//	go run ./infra/load -stack fob-stage -rate 50
//
// The first line needs nothing: the service is then in the same process, in memory. The
// others add two clients and the users to the tables, and remove them at the end, also of a
// run that was interrupted. docs/performance.md shows what it prints.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"time"

	"github.com/fob-oauth/fob/internal/endpoint"
	"github.com/fob-oauth/fob/internal/loopback"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	go func() {
		<-ctx.Done()
		stop() // the second interrupt ends the program
	}()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// options are the flags of a run.
type options struct {
	where
	base           string // the address before /token
	users, devices int
	workers        int
	rate           float64 // requests a second; 0 is as fast as they are answered
	duration       time.Duration
	mix            mix
	chart, remove  string
}

// The largest run: more users take too long to remove by one process, and a user has 25
// devices at a client before fob signs out the oldest.
const (
	maxUsers, maxDevices = 100_000, 25
	maxWorkers           = 1_000
)

func parseOptions(args []string, stderr io.Writer) (options, error) {
	o := options{mix: defaultMix}
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.SetOutput(stderr)
	o.where.addFlags(flags)
	flags.IntVar(&o.users, "users", 100, "how many users")
	flags.IntVar(&o.devices, "devices", 3, "how many devices each of them has")
	flags.IntVar(&o.workers, "workers", 8, "how many requests at a time")
	flags.Float64Var(&o.rate, "rate", 0, "requests a second, whose time then counts from when they were due; 0 is as fast as they are answered, on this machine alone")
	flags.DurationVar(&o.duration, "for", 30*time.Second, "how long")
	flags.Var(&o.mix, "mix", "how often each verb is chosen")
	flags.StringVar(&o.chart, "chart", "load.svg", "the file of the chart; empty draws none")
	flags.StringVar(&o.remove, "remove", "", "remove what the run of this name left, with -users of that run")
	flags.Usage = func() {
		_, _ = fmt.Fprintln(stderr, "load [flags] [address before /token, such as https://login.example.com]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		var err error
		if o.base, err = endpoint.ParseBase(flags.Arg(0)); err != nil {
			return o, err
		}
	}
	switch {
	case flags.NArg() > 1:
		return o, errors.New("it takes one address, the one before /token")
	case o.users < 1 || o.users > maxUsers:
		return o, fmt.Errorf("-users must be 1 to %d", maxUsers)
	case o.devices < 1 || o.devices > maxDevices:
		return o, fmt.Errorf("-devices must be 1 to %d", maxDevices)
	case o.workers < 1 || o.workers > maxWorkers:
		return o, fmt.Errorf("-workers must be 1 to %d", maxWorkers)
	case o.rate < 0 || o.duration <= 0:
		return o, errors.New("-rate must not be below 0, and -for must be above")
	}
	return o, o.where.check(o.base)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	d, err := o.where.open(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	if o.base != "" {
		d.base = o.base
	}
	if o.remove != "" {
		return d.removeAll(ctx, o.remove, o.users, false)
	}
	return d.load(ctx, o, stdout, stderr)
}

// load adds the cast, drives the deployment, prints what it found and removes the cast. An
// error says that something was not as it should be, or is left.
func (d *deployment) load(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	if o.rate == 0 && !isLoopback(d.base) {
		return errors.New("give a -rate: without one a deployment gets as many requests as it can answer, and they cost money")
	}
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(stderr, format+"\n", args...) }
	name := newName()
	say("This run is %s. If it is killed, -remove %s -users %d with the same place removes what it left.", name, name, o.users)
	c := &cast{name: name, users: o.users, devices: o.devices}
	unanswered := true // until the opposite is known
	defer func() {
		// Also after an interruption, which has ended ctx.
		left := d.removeAll(context.WithoutCancel(ctx), name, o.users, !unanswered)
		if left == nil {
			say("Removed the clients, the users and their tokens.")
		}
		err = errors.Join(err, left)
	}()
	if err := d.add(ctx, c); err != nil {
		return err
	}
	say("%d users with %d devices each, %d requests at a time, for %s, at %s", o.users, o.devices, o.workers, o.duration, d.base)
	results := drive(ctx, o, newService(d.base, o.workers, c), say)
	unanswered = results.unanswered()
	if err := results.print(stdout); err != nil {
		return err
	}
	if o.chart != "" && len(results.all) > 0 {
		if err := os.WriteFile(o.chart, results.chart(), 0o600); err != nil {
			return err
		}
		say("The chart is in %s.", o.chart)
	}
	if n := results.faults(); n > 0 {
		return fmt.Errorf("%d of %d answers were not as they should be", n, len(results.all))
	}
	return nil
}

func isLoopback(base string) bool {
	u, err := url.Parse(base)
	return err == nil && loopback.Is(u.Hostname())
}
