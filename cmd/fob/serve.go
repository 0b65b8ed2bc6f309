package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/keys/rotation"
	"github.com/fob-oauth/fob/internal/laptop"
	"github.com/fob-oauth/fob/internal/laptop/page"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/memory"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/ownusers"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/wire"
)

const serveHelp = `Serve runs /token, /revoke, /introspect, /devices, /me and the metadata with their
addresses (RFC 8414) on one address of this machine. GET /openapi.yaml describes
them in OpenAPI 3.1.

Without flags it keeps everything in memory, adds a demo client, app, API, user and
issuer, and prints curl lines that show on them what fob does. The ID token in the last
one runs out ten minutes after the start. A page at / shows the same in a browser of this
machine; it is left out with --keys, with --users-from, and where --addr is not a loopback
address.

No other command of fob reaches what is in memory. To add clients and users, to look
at devices and to turn keys, run a DynamoDB engine, and fob with

  export FOB_DYNAMODB=http://localhost:8000 FOB_KEYS_FILE=keys.json

With --dynamodb it keeps everything there, in tables that it makes if they are
missing, and --keys names the file of the key ring, which it makes as well. Several
instances with the same two are one service. The demo is added only in memory and at
an endpoint on this machine. Its secrets come from the key file, and stay as they are
when keys are turned.

With --json the first line on standard output is one JSON object, printed when
requests are answered. Its last members are there if the demo is.

With --users-from your program says who a name and a password are, and the demo
user does not log in. docs/own-users.md has the question, the answer, and an example.

Each request to an endpoint writes one line of JSON to standard error. Preflight
requests of --cors-origin do not. In memory, each event that a deployment would put on its
event bus writes a line too ("msg":"announced").`

type serveOptions struct {
	addr           string
	keys           *setting // the file
	accessLifetime seconds
	tokenFormat    ledger.TokenFormat // of the demo's clients
	corsOrigins    []string
	ownUsers       string // the URL of a team's own users
	ownUsersMode   string
	quiet          bool

	// check makes these of the texts above.
	allowOrigins func(http.Handler) http.Handler
	own          oauth.OwnUsers // nil without the flag
	mode         oauth.OwnUsersMode
}

func serveCommand(p *program) *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the whole API on this machine",
		Long:  serveHelp,
		Example: `  fob serve
  fob serve --dynamodb http://localhost:8000 --keys keys.json`,
		Args:    noArgs,
		PreRunE: func(cmd *cobra.Command, _ []string) error { return o.check(cmd.Context(), p) },
		RunE:    func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), p, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`host:port` to listen on; port 0 picks a free one")
	o.keys = p.newSetting(flags, "keys", "FOB_KEYS_FILE", "", "", "`file` that keeps the key ring, needed only with --dynamodb and made if it is missing")
	flags.Var(&o.accessLifetime, "access-lifetime", "how long the demo's access tokens live, such as 90s (default 1h)")
	flags.StringVar((*string)(&o.tokenFormat), tokenFormatFlag, string(ledger.Opaque), "`format` of the demo's access tokens, opaque or jwt")
	flags.StringArrayVar(&o.corsOrigins, corsOriginFlag, nil, "`origin` of pages whose scripts may read answers, such as http://localhost:3000; may be repeated")
	flags.StringVar(&o.ownUsers, ownUsersFlag, "", "`URL` of your own users, which says who a name and a password are: see docs/own-users.md")
	flags.StringVar(&o.ownUsersMode, ownUsersModeFlag, "ask", "with --"+ownUsersFlag+": `ask` at each login, or migrate, which keeps each user here after one")
	flags.BoolVar(&o.quiet, "quiet", false, "write no line for each request")
	return printsJSON(cmd, serviceJSON{})
}

const (
	corsOriginFlag   = "cors-origin"
	ownUsersFlag     = "users-from"
	ownUsersModeFlag = "users-mode"
)

// goodbye is how long requests that are under way have at the end.
const goodbye = 5 * time.Second

// check refuses flags that cannot work, before anything is begun.
func (o *serveOptions) check(ctx context.Context, p *program) (err error) {
	if _, _, err := net.SplitHostPort(o.addr); err != nil {
		return fail(exitUsage, "--addr wants host:port, such as 127.0.0.1:8080")
	}
	if o.allowOrigins, err = laptop.AllowOrigins(o.corsOrigins); err != nil {
		return fail(exitUsage, "--%s: %v", corsOriginFlag, err)
	}
	if o.tokenFormat != ledger.Opaque && o.tokenFormat != ledger.JWT {
		return fail(exitUsage, "--%s is opaque or jwt", tokenFormatFlag)
	}
	if err := (oauth.Client{ID: laptop.DemoApp, Public: true, AccessLifetime: int64(o.accessLifetime)}).Validate(); err != nil {
		return fail(exitUsage, "--access-lifetime: %s", oneLine(err.Error()))
	}
	mode, known := map[string]oauth.OwnUsersMode{"ask": oauth.AskedAtEach, "migrate": oauth.AskedUntilFirst}[o.ownUsersMode]
	switch {
	case !known:
		return fail(exitUsage, "--%s is ask or migrate", ownUsersModeFlag)
	case o.ownUsers != "":
		if o.own, err = ownusers.AtURL(o.ownUsers); err != nil {
			return fail(exitUsage, "--%s: %v", ownUsersFlag, err)
		}
		o.mode = mode
	case mode != oauth.AskedAtEach:
		return fail(exitUsage, "--%s goes with --%s", ownUsersModeFlag, ownUsersFlag)
	}
	if err := p.tables.choose(); err != nil {
		return err
	}
	switch {
	case p.tables.stack.value != "":
		return fail(exitUsage, "fob serve is for this machine: deploy a stack with sam deploy, and leave out %s", p.tables.stack.source())
	case p.tables.endpoint.value != "" && o.keys.value == "":
		return fail(exitUsage, "the tables %s outlive this process, and so must the key ring: give --keys FILE, which is made if it is missing", p.tables.where())
	case p.tables.endpoint.value != "":
		_, err = p.tables.connect(ctx) // which asks nobody yet
	}
	return err
}

func serve(ctx context.Context, p *program, o serveOptions) error {
	inMemory, keysFile := p.tables.endpoint.value == "", o.keys.value
	fetch, seed, err := keySource(ctx, keysFile, o.tokenFormat == ledger.JWT)
	if err == nil {
		_, err = fetch(ctx)
	}
	if err != nil {
		return fail(exitFailure, "%s %s: %v", o.keys.source(), keysFile, err)
	}
	if keysFile != "" {
		warnOfKeyFile(p, keysFile)
	}
	if inMemory && seed.Len() == 0 {
		seed = keys.NewText()
	}

	// The port is taken first, so that a second instance fails before it has
	// touched anything. A client that connects early waits.
	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		return fail(exitFailure, "cannot listen on %s, give another --addr (port 0 picks a free one): %v", o.addr, err)
	}
	defer listener.Close() //nolint:errcheck // Serve closes it too
	s, err := p.open(ctx, true)
	if err != nil {
		return err
	}
	about := service{base: baseURL(listener.Addr()), tables: &p.tables}
	if seed.Len() > 0 && (inMemory || p.tables.areLocal()) {
		d := laptop.NewDemo(seed, int64(o.accessLifetime))
		d.TokenFormat = o.tokenFormat
		if err := addDemo(ctx, p, &d, s, inMemory, keysFile); err != nil {
			return err
		}
		about.demo = &d
	}
	warn(p, listener.Addr(), o, about)

	events := slog.DiscardHandler
	if !o.quiet {
		log := laptop.NewEventLog(p.stderr)
		defer log.Close()
		events = slog.NewJSONHandler(visible{log}, nil)
	}
	over := func(api http.Handler) http.Handler { return api }
	if about.hasPage = inMemory && keysFile == "" && o.own == nil && onLoopback(listener.Addr()); about.hasPage {
		shown := page.New(*about.demo, s.registry)
		over, events = shown.Over, slog.NewMultiHandler(events, shown.Log())
	}
	if tokens, ok := s.tokens.(*memory.Tokens); ok {
		tokens.Follow(laptop.Announce(slog.New(events)))
	}
	on := s.ofLaptop()
	on.OwnUsers, on.OwnUsersMode = o.own, o.mode
	api := laptop.Handler(on, fetch, wire.Options{Issuer: about.base, Log: slog.New(events), NoMetrics: true})
	return answer(ctx, newServer(over(o.allowOrigins(api)), events), listener, func() error { return announce(p, about) })
}

// answer serves until ctx ends. It calls ready when requests are answered.
func answer(ctx context.Context, server *http.Server, listener net.Listener, ready func() error) error {
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if err := ready(); err != nil {
		return errors.Join(err, server.Close())
	}
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		return server.Close()
	}
	return nil
}

// newServer bounds what a request may take: it is a form of a few hundred bytes, and is
// answered within a second.
func newServer(handler http.Handler, log slog.Handler) *http.Server {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,

		Protocols:                    new(http.Protocols),
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(log, slog.LevelWarn),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true) // for a proxy in front that speaks nothing else
	return server
}

// addDemo adds the demo, in memory with an issuer, whose key ends with this process.
func addDemo(ctx context.Context, p *program, d *laptop.Demo, s stores, inMemory bool, keysFile string) error {
	err := d.Seed(ctx, s.registrar(), s.userRegistrar())
	if errors.Is(err, laptop.ErrOtherDemo) {
		return fail(exitConflict, "the demo %s has other secrets than those of %s, and somebody may be using them: start with the key file that it was added with, "+
			"or give other names with --tokens-table, --clients-table and --users-table. fob client remove %s, fob client remove %s and fob user remove %s make room for a new demo",
			p.tables.where(), keysFile, laptop.DemoClient, laptop.DemoAPI, laptop.DemoUsername)
	}
	if err == nil && inMemory {
		d.IDToken, err = laptop.SeedIssuer(ctx, s.registrar())
	}
	return p.explain(err, "")
}

// keySource returns what fetches the key ring, with a pair if signs, and the seed of the
// demo's secrets, which may be empty: from a file, or those that live as long as the process.
func keySource(ctx context.Context, file string, signs bool) (fetch func(context.Context) (*bearer.MintRing, error), seed secret.Text, err error) {
	if file == "" {
		ring, err := keys.Generate(signs)
		return func(context.Context) (*bearer.MintRing, error) { return ring, nil }, seed, err
	}
	if err = keys.NewFile(file); err == nil {
		seed, err = keys.DemoSeed(file)
	}
	if err == nil && signs {
		_, _, err = givePair(ctx, rotation.NewFileVault(file), time.Now())
	}
	return keys.MintFromFile(file), seed, err
}
