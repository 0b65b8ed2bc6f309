// Command fob serves the whole API on a laptop, and is the operator's program
// for the tables of a deployment.
//
// It composes: every rule about clients, users, scopes and tokens is package
// oauth's, and is told here in words that say what to do next. Secrets and
// passwords come from standard input and never from arguments, where other
// processes and the shell's history would see them. The only secret that it
// prints is one that it made itself, once.
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
	// A reader that went away must not end a command between what it does and what it
	// has to say of it.
	signal.Ignore(syscall.SIGPIPE)
	p := program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	os.Exit(p.run(ctx, os.Args[1:]))
}
