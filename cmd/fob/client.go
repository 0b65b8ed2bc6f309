package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/scope"
	"github.com/fob-oauth/fob/internal/secret"
)

func (p *program) clientCommand() *cobra.Command {
	return group("client", "Register applications, change and remove them",
		`Clients are the registered applications: confidential ones with a secret, public
ones such as mobile apps without one, and APIs that introspect tokens.`,
		p.clientAddCommand(),
		p.clientSetCommand(),
		p.clientRotateSecretCommand(),
		p.clientDisableCommand(),
		p.clientEnableCommand(),
		p.clientSignOutCommand(),
		p.tells(&cobra.Command{
			Use:     "list",
			Short:   "List the clients",
			Long:    `List all clients, by their ids.`,
			Example: "  fob client list",
			Args:    noArgs,
			RunE:    p.withClients(p.listClients),
		}, []clientView{}),
		p.tells(&cobra.Command{
			Use:     "show ID",
			Short:   "Show a client",
			Long:    "Show a client with all of its settings, defaults included. Its secrets are not kept and\nso cannot be shown.",
			Example: "  fob client show shop-app",
			Args:    oneArg("the client's id"),
			RunE:    p.withClients(p.showClient),
		}, clientView{}),
		p.tells(&cobra.Command{
			Use:   "remove ID",
			Short: "Remove a client",
			Long: `Remove a client. Its tokens are inactive within 10 seconds, and stay so if a
client with that id is added again.`,
			Example: "  fob client remove shop-app",
			Args:    oneArg("the client's id"),
			RunE:    p.changingClients(p.removeClient),
		}, removedClient{}),
	)
}

// withClients runs a command on the table of clients and scopes.
func (p *program) withClients(run func(ctx context.Context, clients oauth.ClientRegistry, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		s, err := p.open(cmd.Context())
		if err != nil {
			return err
		}
		return p.tables.clients().explain(run(cmd.Context(), s.clients, args))
	}
}

// changingClients is withClients for a change that may be made again: what an outage
// or an interruption leaves open is told.
func (p *program) changingClients(run func(ctx context.Context, clients oauth.ClientRegistry, args []string) error) func(*cobra.Command, []string) error {
	return p.withClients(func(ctx context.Context, clients oauth.ClientRegistry, args []string) error {
		return inDoubt(p.tables.clients().explain(run(ctx, clients, args)), "it is not known whether that was done")
	})
}

const clientAddHelp = `Add a client. A confidential client gets a generated secret, which is shown
once; with --secret-stdin it brings one along from another system.

Scopes must exist: see fob scope add. Devices need no entry, every client may
name them. Everything that is wrong with a client is told at once, and then
nothing is saved.`

const clientAddExample = `  # a mobile app whose users log in on several devices
  fob client add --id shop-app --public --grant password --grant refresh_token --scope read

  # a back end that speaks for itself
  fob client add --id nightly --grant client_credentials --scope read --scope write --default-scope read

  # the API that both call: it may introspect tokens whose audience is theirs
  fob client add --id shop-api --introspects shop-app --introspects nightly

  # a client of another system, with the secret that is in its config
  fob client add --id legacy --secret-stdin --grant password --scope read < secret.txt`

type clientOptions struct {
	id                  string
	public, secretStdin bool

	// The settings, which fob client set changes.
	grants                 []string
	scopes, defaults       []string
	audiences, introspects []string
	access, idle, absolute seconds
	maxAuthorizations      int
}

func (p *program) clientAddCommand() *cobra.Command {
	var o clientOptions
	cmd := &cobra.Command{
		Use:     "add",
		Short:   "Add a client",
		Long:    clientAddHelp,
		Example: clientAddExample,
		Args:    noArgs,
		RunE: p.withClients(func(ctx context.Context, clients oauth.ClientRegistry, _ []string) error {
			return p.addClient(ctx, clients, o)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&o.id, "id", "", "client `id` (default: a generated one)")
	f.BoolVar(&o.public, "public", false, "it cannot keep a secret, as a mobile app")
	f.BoolVar(&o.secretStdin, "secret-stdin", false, "read its secret from standard input, one line")
	o.addSettings(cmd)
	return p.tells(cmd, clientView{})
}

// The flags of a client's settings. A setting that is added has a line in each of
// the functions below.
const (
	grantFlag             = "grant"
	scopeFlag             = "scope"
	defaultScopeFlag      = "default-scope"
	audienceFlag          = "audience"
	introspectsFlag       = "introspects"
	accessLifetimeFlag    = "access-lifetime"
	refreshIdleFlag       = "refresh-idle"
	refreshAbsoluteFlag   = "refresh-absolute"
	maxAuthorizationsFlag = "max-authorizations"
)

var settingFlags = []string{
	grantFlag, scopeFlag, defaultScopeFlag, audienceFlag, introspectsFlag,
	accessLifetimeFlag, refreshIdleFlag, refreshAbsoluteFlag, maxAuthorizationsFlag,
}

func (o *clientOptions) addSettings(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.StringArrayVar(&o.grants, grantFlag, nil, "`type` of grant that it may use: password, client_credentials or refresh_token; repeat for more")
	f.StringArrayVar(&o.scopes, scopeFlag, nil, "`scope` that it may ask for; repeat for more")
	f.StringArrayVar(&o.defaults, defaultScopeFlag, nil, "`scope` that it gets when it asks for none; repeat for more")
	f.StringArrayVar(&o.audiences, audienceFlag, nil, "`audience` of its tokens; repeat for more (default: its id)")
	f.StringArrayVar(&o.introspects, introspectsFlag, nil, "`audience` whose access tokens it may introspect; repeat for more")
	f.Var(&o.access, accessLifetimeFlag, "how long access tokens live (default 1h)")
	f.Var(&o.idle, refreshIdleFlag, "how long a refresh token lives without use (default 30d)")
	f.Var(&o.absolute, refreshAbsoluteFlag, "how long a refresh token lives at most (default 90d)")
	f.IntVar(&o.maxAuthorizations, maxAuthorizationsFlag, 0, "`number` of devices and scopes of one user that are live at once (default 25)")
	completeValues(cmd, grantFlag, grantNames()...)
}

func grantNames() []string {
	var names []string
	for _, g := range oauth.GrantTypes() {
		names = append(names, string(g))
	}
	return names
}

// settings puts what the flags say into c.
func (o *clientOptions) settings(c *oauth.Client) error {
	c.Audiences, c.Introspects = withoutEmpty(o.audiences), withoutEmpty(o.introspects)
	c.AccessLifetime, c.RefreshIdle, c.RefreshAbsolute = int64(o.access), int64(o.idle), int64(o.absolute)
	c.MaxAuthorizations = o.maxAuthorizations
	for _, g := range withoutEmpty(o.grants) {
		c.Grants = append(c.Grants, oauth.GrantType(g))
	}
	var faults []error
	var err error
	if c.Scopes, err = parseScopes(o.scopes); err != nil {
		faults = append(faults, fmt.Errorf("--%s: %w", scopeFlag, err))
	}
	if c.DefaultScopes, err = parseScopes(o.defaults); err != nil {
		faults = append(faults, fmt.Errorf("--%s: %w", defaultScopeFlag, err))
	}
	return errors.Join(faults...)
}

// withoutEmpty lets an empty value say that a list is empty.
func withoutEmpty(values []string) []string {
	if len(values) == 1 && values[0] == "" {
		return nil
	}
	return values
}

// copySettings takes those settings from want whose flags were given.
func copySettings(c *oauth.Client, want oauth.Client, given func(flag string) bool) {
	take(given(grantFlag), &c.Grants, want.Grants)
	take(given(scopeFlag), &c.Scopes, want.Scopes)
	take(given(defaultScopeFlag), &c.DefaultScopes, want.DefaultScopes)
	take(given(audienceFlag), &c.Audiences, want.Audiences)
	take(given(introspectsFlag), &c.Introspects, want.Introspects)
	take(given(accessLifetimeFlag), &c.AccessLifetime, want.AccessLifetime)
	take(given(refreshIdleFlag), &c.RefreshIdle, want.RefreshIdle)
	take(given(refreshAbsoluteFlag), &c.RefreshAbsolute, want.RefreshAbsolute)
	take(given(maxAuthorizationsFlag), &c.MaxAuthorizations, want.MaxAuthorizations)
}

func take[T any](given bool, setting *T, value T) {
	if given {
		*setting = value
	}
}

// client is the client that the flags describe, without a secret.
func (o *clientOptions) client(now int64) (oauth.Client, error) {
	c := oauth.Client{
		ID:      oauth.ClientID(o.id),
		Created: now,
		Epoch:   uint64(now), //nolint:gosec // after 1970
		Public:  o.public,
	}
	if o.id == "" {
		c.ID = oauth.ClientID(strings.ToLower(rand.Text()))
	}
	faults := []error{o.settings(&c)}
	if len(c.Grants) == 0 && len(c.Introspects) == 0 {
		faults = append(faults, errCouldDoNothing)
	}
	return c, errors.Join(faults...)
}

var errCouldDoNothing = errors.New("without --grant or --introspects it could do nothing")

// scopesExist reports scopes of a client that nobody added.
func scopesExist(c oauth.Client, registered oauth.ResourceScopes) error {
	var faults []error
	for _, name := range c.Scopes.Ordinary() {
		if _, exists := registered.Roles[name]; !exists {
			faults = append(faults, fmt.Errorf("scope %q does not exist, add it first: fob scope add %s", name, name))
		}
	}
	return errors.Join(faults...)
}

func (p *program) addClient(ctx context.Context, clients oauth.ClientRegistry, o clientOptions) error {
	if o.public && o.secretStdin {
		return fail(exitUsage, "--public and --secret-stdin exclude each other: a public client has no secret")
	}
	now := time.Now().Unix()
	client, fault := o.client(now)
	faults := []error{fault}
	var generated secret.Text
	if !o.public {
		s := oauth.NewClientSecret()
		if o.secretStdin {
			var err error
			if s, err = p.readSecret(ctx, "client secret"); err != nil {
				return err
			}
			faults = append(faults, p.validateBrought(s))
		} else {
			generated = s
		}
		client.Secrets = []oauth.ClientSecret{{Hash: oauth.HashClientSecret(s), Created: now}}
	}
	faults = append(faults, client.Validate())
	registered, err := clients.ResourceScopes(ctx)
	if err != nil {
		return err
	}
	faults = append(faults, scopesExist(client, registered))
	if err := errors.Join(faults...); err != nil {
		return invalid("the client was not added", err)
	}

	// From here on a Ctrl-C waits: the secret would be stored, and nobody have it.
	ctx = context.WithoutCancel(ctx)
	saved, err := clients.SaveClient(ctx, client)
	switch {
	case errors.Is(err, oauth.ErrConflict):
		return fail(exitConflict, "there is a client %q already: see fob client show %s", client.ID, client.ID)
	case errors.Is(err, oauth.ErrUnavailable):
		saved, err = p.afterDoubt(ctx, clients, string(client.ID), func(c oauth.Client) bool {
			return slices.Equal(c.Secrets, client.Secrets) && c.Created == client.Created
		}, err, "if fob client show finds it, remove it and add it again")
	}
	if err != nil {
		return err
	}
	return p.printAdded(saved, generated)
}

// printAdded shows a generated secret on purpose, this once.
func (p *program) printAdded(c oauth.Client, generated secret.Text) error {
	view := viewClient(c)
	view.ClientSecret = generated.Reveal()
	return p.confirmSecret(view, func(w io.Writer) {
		if view.ClientSecret == "" {
			columns(w, []string{"client_id", view.ClientID})
			return
		}
		columns(w, []string{"client_id", view.ClientID}, []string{"client_secret", view.ClientSecret})
		_, _ = io.WriteString(w, "The secret is shown this once and kept nowhere: put it where the client needs it.\n")
	})
}

// weakSecret is where a secret that was brought along is too short for one round
// of SHA-256.
const weakSecret = 16

// validateBrought holds a secret to RFC 6749 appendix A.2. Its owner may not be
// able to change one that is short.
func (p *program) validateBrought(s secret.Text) error {
	if strings.ContainsFunc(s.Reveal(), func(c rune) bool { return c < ' ' || c > '~' }) {
		return errors.New("a client secret has printable ASCII characters only")
	}
	if s.Len() < weakSecret {
		_, _ = fmt.Fprintf(p.stderr, "fob: warning: a secret of fewer than %d characters can be guessed from a copy of the table\n", weakSecret)
	}
	if decoded, err := url.QueryUnescape(s.Reveal()); err != nil || decoded != s.Reveal() {
		_, _ = io.WriteString(p.stderr, "fob: warning: the secret has a % or +, so the client must form-encode it in its Basic header (RFC 6749 section 2.3.1); curl -u does not\n")
	}
	return nil
}

// parseScopes takes scopes from as many flags as there are, or from one.
func parseScopes(values []string) (scope.Set, error) {
	return scope.Parse(strings.Join(values, " "))
}

// clientView is a client as --json shows it. Programs rely on the names.
type clientView struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret,omitempty" is:"text, once, when it was generated"`

	Type              string       `json:"type" is:"confidential or public"`
	Disabled          bool         `json:"disabled"`
	CreatedAt         string       `json:"created_at" is:"time"`
	Secrets           []secretView `json:"secrets"`
	Grants            []string     `json:"grants"`
	Scopes            []string     `json:"scopes"`
	DefaultScopes     []string     `json:"default_scopes"`
	Audiences         []string     `json:"audiences"`
	Introspects       []string     `json:"introspects"`
	AccessLifetime    int64        `json:"access_lifetime" is:"seconds"`
	RefreshIdle       int64        `json:"refresh_idle" is:"seconds"`
	RefreshAbsolute   int64        `json:"refresh_absolute" is:"seconds"`
	MaxAuthorizations int          `json:"max_authorizations"`
	LongestLife       int64        `json:"longest_life,omitempty" is:"seconds, of tokens from before a lifetime was shortened"`
}

// secretView tells of a secret without it.
type secretView struct {
	CreatedAt string `json:"created_at" is:"time"`
}

// viewClient shows what holds, defaults included.
func viewClient(c oauth.Client) clientView {
	v := clientView{
		ClientID:          string(c.ID),
		Type:              "confidential",
		Disabled:          c.Disabled,
		CreatedAt:         timestamp(c.Created),
		Secrets:           []secretView{},
		Grants:            []string{},
		Scopes:            orEmpty(c.Scopes.Ordinary()),
		DefaultScopes:     orEmpty(c.DefaultScopes.Ordinary()),
		Audiences:         c.Audiences,
		Introspects:       orEmpty(c.Introspects),
		AccessLifetime:    orDefault(c.AccessLifetime, oauth.DefaultAccessLifetime),
		RefreshIdle:       orDefault(c.RefreshIdle, oauth.DefaultRefreshIdle),
		RefreshAbsolute:   orDefault(c.RefreshAbsolute, oauth.DefaultRefreshAbsolute),
		MaxAuthorizations: int(orDefault(int64(c.MaxAuthorizations), oauth.DefaultMaxAuthorizations)),
		LongestLife:       c.LongestLife,
	}
	if c.Public {
		v.Type = "public"
	}
	for _, s := range c.Secrets {
		v.Secrets = append(v.Secrets, secretView{timestamp(s.Created)})
	}
	for _, g := range c.Grants {
		v.Grants = append(v.Grants, string(g))
	}
	if len(v.Audiences) == 0 {
		v.Audiences = []string{v.ClientID}
	}
	return v
}

func orDefault(n, otherwise int64) int64 {
	if n == 0 {
		return otherwise
	}
	return n
}

func (p *program) listClients(ctx context.Context, clients oauth.ClientRegistry, _ []string) error {
	all, err := clients.ListClients(ctx)
	if err != nil {
		return err
	}
	views := make([]clientView, len(all))
	rows := [][]string{{"CLIENT", "TYPE", "GRANTS", "SCOPES", "CREATED"}}
	for i, c := range all {
		v := viewClient(c)
		views[i] = v
		kind := v.Type
		if v.Disabled {
			kind += ", disabled"
		}
		rows = append(rows, []string{v.ClientID, kind, list(v.Grants), list(v.Scopes), v.CreatedAt})
	}
	return p.print(views, func(w io.Writer) { columns(w, rows...) })
}

func (p *program) showClient(ctx context.Context, clients oauth.ClientRegistry, args []string) error {
	c, found, err := clients.Client(ctx, oauth.ClientID(args[0]))
	if err != nil {
		return err
	}
	if !found {
		return noSuchClient(args[0])
	}
	v := viewClient(c)
	var secrets []string
	for _, s := range v.Secrets {
		secrets = append(secrets, s.CreatedAt)
	}
	span := func(n int64) string { return (time.Duration(n) * time.Second).String() }
	return p.print(v, func(w io.Writer) {
		columns(w,
			[]string{"client_id", v.ClientID},
			[]string{"type", v.Type},
			[]string{"disabled", strconv.FormatBool(v.Disabled)},
			[]string{"created", v.CreatedAt},
			[]string{"secrets of", list(secrets)},
			[]string{"grants", list(v.Grants)},
			[]string{"scopes", list(v.Scopes)},
			[]string{"default scopes", list(v.DefaultScopes)},
			[]string{"audiences", list(v.Audiences)},
			[]string{"introspects", list(v.Introspects)},
			[]string{"access lifetime", span(v.AccessLifetime)},
			[]string{"refresh idle", span(v.RefreshIdle)},
			[]string{"refresh absolute", span(v.RefreshAbsolute)},
			[]string{"max authorizations", strconv.Itoa(v.MaxAuthorizations)},
		)
		if v.LongestLife > 0 {
			columns(w, []string{"longest life", span(v.LongestLife) + ", of tokens from before a lifetime was shortened"})
		}
	})
}

type removedClient struct {
	ClientID string `json:"client_id"`
	Removed  bool   `json:"removed"`
}

func (p *program) removeClient(ctx context.Context, clients oauth.ClientRegistry, args []string) error {
	existed, err := clients.RemoveClient(ctx, oauth.ClientID(args[0]))
	if err != nil {
		return err
	}
	if !existed {
		return noSuchClient(args[0])
	}
	return p.confirm(removedClient{args[0], true}, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "The client %s is removed. Its tokens are inactive within 10 seconds.\n", shown(args[0]))
	})
}

func noSuchClient(id string) error {
	return fail(exitNotFound, "there is no client %q: see fob client list", id)
}
