// Command fob serves the whole API on a laptop, and is the operator's program
// for the tables and keys of a deployment.
//
// It holds flags, help and sentences. The rules about clients, users, scopes and
// tokens are in package oauth. terminal.go begins with the rules for input and output,
// tables.go and keyring.go find tables and keys, and failure.go says what to do about an
// error.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal does not wait
	// Ignore SIGPIPE: a closed pipe must not stop a command before it reports.
	signal.Ignore(syscall.SIGPIPE)
	p := program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	os.Exit(p.run(ctx, os.Args[1:]))
}
