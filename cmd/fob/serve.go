package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
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
	corsOrigins    []string
	quiet          bool
	tokenFormat    string // of the demo's clients
	ownUsers       string // the URL of a team's own users
	ownUsersMode   string
}

func serveCommand(p *program) *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the whole API on this machine",
		Long:  serveHelp,
		Example: `  fob serve
  fob serve --dynamodb http://localhost:8000 --keys keys.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), p, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`host:port` to listen on; port 0 picks a free one")
	o.keys = p.newSetting(flags, "keys", "FOB_KEYS_FILE", "", "", "`file` that keeps the key ring, needed only with --dynamodb and made if it is missing")
	flags.Var(&o.accessLifetime, "access-lifetime", "how long the demo's access tokens live, such as 90s (default 1h)")
	flags.StringVar(&o.tokenFormat, tokenFormatFlag, string(ledger.Opaque), "`format` of the demo's access tokens, opaque or jwt")
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

func serve(ctx context.Context, p *program, o serveOptions) error {
	if _, _, err := net.SplitHostPort(o.addr); err != nil {
		return fail(exitUsage, "--addr wants host:port, such as 127.0.0.1:8080")
	}
	allowOrigins, err := laptop.AllowOrigins(o.corsOrigins)
	if err != nil {
		return fail(exitUsage, "--%s: %v", corsOriginFlag, err)
	}
	format := ledger.TokenFormat(o.tokenFormat)
	if format != ledger.Opaque && format != ledger.JWT {
		return fail(exitUsage, "--%s is opaque or jwt", tokenFormatFlag)
	}
	own, mode, err := o.own()
	if err != nil {
		return err
	}
	if err := p.tables.choose(); err != nil {
		return err
	}
	inMemory, keysFile := p.tables.endpoint.value == "", o.keys.value
	if !inMemory && keysFile == "" && p.tables.stack.value == "" {
		return fail(exitUsage, "the tables %s outlive this process, and so must the key ring: give --keys FILE, which is made if it is missing", p.tables.where())
	}
	fetch, seed, err := keySource(ctx, keysFile, format == ledger.JWT)
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
		d.TokenFormat = format
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
	if about.hasPage = inMemory && keysFile == "" && own == nil && onLoopback(listener.Addr()); about.hasPage {
		shown := page.New(*about.demo, s.registry)
		over, events = shown.Over, slog.NewMultiHandler(events, shown.Log())
	}
	if tokens, ok := s.tokens.(*memory.Tokens); ok {
		tokens.Follow(laptop.Announce(slog.New(events)))
	}
	on := s.ofLaptop()
	on.OwnUsers, on.OwnUsersMode = own, mode
	api := laptop.Handler(on, fetch, wire.Options{Issuer: about.base, Log: slog.New(events), NoMetrics: true})
	server := newServer(over(allowOrigins(api)), events)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if err := announce(p, about); err != nil {
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

// own are a team's own users, and when they are asked; nil without the flag.
func (o serveOptions) own() (oauth.OwnUsers, oauth.OwnUsersMode, error) {
	mode, known := map[string]oauth.OwnUsersMode{"ask": oauth.AskedAtEach, "migrate": oauth.AskedUntilFirst}[o.ownUsersMode]
	if !known {
		return nil, 0, fail(exitUsage, "--%s is ask or migrate", ownUsersModeFlag)
	}
	if o.ownUsers == "" {
		if o.ownUsersMode != "ask" {
			return nil, 0, fail(exitUsage, "--%s goes with --%s", ownUsersModeFlag, ownUsersFlag)
		}
		return nil, oauth.NeverAsked, nil
	}
	own, err := ownusers.AtURL(o.ownUsers)
	if err != nil {
		return nil, 0, fail(exitUsage, "--%s: %v", ownUsersFlag, err)
	}
	return own, mode, nil
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

// service is what serve prints when it is ready.
type service struct {
	base    string
	tables  *tables
	demo    *laptop.Demo // nil if it was not added
	hasPage bool         // at base, for browsers
}

// warn prints what may surprise the operator.
func warn(p *program, addr net.Addr, o serveOptions, s service) {
	if _, ok := addr.(*net.TCPAddr); ok && !onLoopback(addr) {
		text := addr.String() + " can be reached from other machines, and fob serve speaks http without encryption"
		if s.demo != nil {
			text += " and has demo secrets on show"
		}
		p.say("warning: %s", text)
	}
	if s.demo != nil && o.ownUsers != "" && o.ownUsersMode == "ask" {
		p.say("the demo user does not log in: --%s says who does", ownUsersFlag)
	}
	switch {
	case s.demo == nil && p.tables.areLocal():
		p.say(`no demo was added: the key file %s has no member "demo", of which its secrets are made. A new key file has one`, o.keys.value)
	case s.demo == nil:
		p.say("no demo was added: %s is not on this machine. Use fob scope add, fob client add and fob user add", strings.TrimPrefix(p.tables.where(), "at "))
	}
}

// onLoopback reports an address that no other machine reaches.
func onLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// where completes the first line of the transcript.
func (s service) where() string {
	if s.tables.endpoint.value == "" {
		return "in memory"
	}
	names := s.tables.names()
	return "in the tables " + names.Tokens + ", " + names.Clients + " and " + names.Users + " " + s.tables.where()
}

// announce prints that requests are answered.
func announce(p *program, s service) error {
	var out bytes.Buffer
	if p.json {
		if err := newEncoder(&out).Encode(s.json()); err != nil {
			return err
		}
	} else {
		out.WriteString(laptop.Transcript(s.base, s.where(), p.getenv("SHELL"), s.demo, s.hasPage))
	}
	_, err := p.stdout.Write(out.Bytes())
	return err
}

// serviceJSON is the first line of --json. Programs rely on it.
type serviceJSON struct {
	Issuer                string `json:"issuer"`
	TokenEndpoint         string `json:"token_endpoint"`
	RevocationEndpoint    string `json:"revocation_endpoint"`
	IntrospectionEndpoint string `json:"introspection_endpoint"`
	DevicesEndpoint       string `json:"devices_endpoint"`
	MeEndpoint            string `json:"me_endpoint"`
	MetadataEndpoint      string `json:"metadata_endpoint"`
	*laptop.DemoJSON
}

func (s service) json() serviceJSON {
	out := serviceJSON{
		Issuer:                s.base,
		TokenEndpoint:         s.base + wire.TokenPath,
		RevocationEndpoint:    s.base + wire.RevokePath,
		IntrospectionEndpoint: s.base + wire.IntrospectPath,
		DevicesEndpoint:       s.base + wire.DevicesPath,
		MeEndpoint:            s.base + wire.MePath,
		MetadataEndpoint:      s.base + wire.MetadataPath,
	}
	if s.demo != nil {
		out.DemoJSON = s.demo.JSON()
	}
	return out
}

// baseURL is how a client on this machine reaches a listener.
func baseURL(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return "http://" + addr.String()
	}
	host := tcp.IP.String()
	if tcp.IP.Equal(net.IPv4(127, 0, 0, 1)) || tcp.IP.IsUnspecified() {
		host = "localhost"
	}
	_, port, _ := net.SplitHostPort(addr.String())
	return "http://" + net.JoinHostPort(host, port)
}
