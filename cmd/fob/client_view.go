package main

import (
	"context"
	"strconv"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
)

// clientView is a client as --json shows it. Programs rely on the names.
type clientView struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret,omitempty" is:"text, once, when it was generated"`

	Type              string       `json:"type" is:"confidential or public"`
	Disabled          bool         `json:"disabled"`
	CreatedAt         string       `json:"created_at" is:"time"`
	Secrets           []secretView `json:"secrets"`
	JWKS              string       `json:"jwks,omitempty" is:"text, the JWK Set of its public keys"`
	TrustsIssuer      string       `json:"trusts_issuer,omitempty" is:"name of the issuer that signs its assertions"`
	TrustsSubject     string       `json:"trusts_subject,omitempty" is:"text, the sub of those assertions"`
	Grants            []string     `json:"grants"`
	Scopes            []string     `json:"scopes"`
	DefaultScopes     []string     `json:"default_scopes"`
	Audiences         []string     `json:"audiences"`
	Introspects       []string     `json:"introspects"`
	SendsUserAddress  bool         `json:"sends_user_address"`
	LoginAudiences    []string     `json:"login_audiences"`
	TokenFormat       string       `json:"token_format" is:"\"opaque\" or \"jwt\""`
	AccessLifetime    int64        `json:"access_lifetime" is:"seconds"`
	RefreshIdle       int64        `json:"refresh_idle" is:"seconds"`
	RefreshAbsolute   int64        `json:"refresh_absolute" is:"seconds"`
	RefreshGrace      int64        `json:"refresh_grace" is:"seconds, no effect on a confidential client"`
	MaxAuthorizations int          `json:"max_authorizations"`
	LongestLife       int64        `json:"longest_life,omitempty" is:"seconds, of tokens from before a lifetime was shortened"`
}

// secretView is a secret without its text.
type secretView struct {
	CreatedAt string `json:"created_at" is:"time"`
}

// viewClient shows what holds, defaults included.
func viewClient(c oauth.Client) clientView {
	c = c.WithDefaults()
	v := clientView{
		ClientID:          string(c.ID),
		Type:              "confidential",
		Disabled:          c.Disabled,
		CreatedAt:         timestamp(c.Created),
		Secrets:           []secretView{},
		JWKS:              c.JWKS,
		TrustsIssuer:      c.Trusts.Issuer,
		TrustsSubject:     c.Trusts.Subject,
		Grants:            []string{},
		Scopes:            orEmpty(c.Scopes.Ordinary()),
		DefaultScopes:     orEmpty(c.DefaultScopes.Ordinary()),
		Audiences:         c.Audiences,
		Introspects:       orEmpty(c.Introspects),
		SendsUserAddress:  c.SendsUserAddress,
		LoginAudiences:    orEmpty(c.LoginAudiences),
		TokenFormat:       string(c.TokenFormat),
		AccessLifetime:    c.AccessLifetime,
		RefreshIdle:       c.RefreshIdle,
		RefreshAbsolute:   c.RefreshAbsolute,
		RefreshGrace:      c.RefreshGrace,
		MaxAuthorizations: c.MaxAuthorizations,
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
	return v
}

func listClients(ctx context.Context, p *program, s stores) error {
	all, err := s.clients.ListClients(ctx)
	if err != nil {
		return err
	}
	return printTable(p, all, []string{"CLIENT", "TYPE", "GRANTS", "SCOPES", "CREATED"}, func(c oauth.Client) (clientView, []string) {
		v := viewClient(c)
		kind := v.Type
		if v.Disabled {
			kind += ", disabled"
		}
		return v, []string{v.ClientID, kind, list(v.Grants), list(v.Scopes), v.CreatedAt}
	})
}

func showClient(ctx context.Context, p *program, s stores, id string) error {
	c, err := s.registrar().Client(ctx, ledger.ClientID(id))
	if err != nil {
		return err
	}
	v := viewClient(c)
	var secrets []string
	for _, s := range v.Secrets {
		secrets = append(secrets, s.CreatedAt)
	}
	shows := "all"
	if len(v.LoginAudiences) > 0 {
		shows = list(v.LoginAudiences)
	}
	rows := [][]string{
		{"client_id", v.ClientID},
		{"type", v.Type},
		{"disabled", strconv.FormatBool(v.Disabled)},
		{"created", v.CreatedAt},
		{"secrets of", list(secrets)},
		{"grants", list(v.Grants)},
		{"scopes", list(v.Scopes)},
		{"default scopes", list(v.DefaultScopes)},
		{"audiences", list(v.Audiences)},
		{"introspects", list(v.Introspects)},
		{"sends user address", strconv.FormatBool(v.SendsUserAddress)},
		{"login audiences", shows},
		{"token format", v.TokenFormat},
		{"access lifetime", oauth.FormatLifetime(v.AccessLifetime)},
		{"refresh idle", oauth.FormatLifetime(v.RefreshIdle)},
		{"refresh absolute", oauth.FormatLifetime(v.RefreshAbsolute)},
		{"refresh grace", oauth.FormatLifetime(v.RefreshGrace)},
		{"max authorizations", strconv.Itoa(v.MaxAuthorizations)},
	}
	if v.JWKS != "" {
		rows = append(rows, []string{"keys", v.JWKS})
	}
	if v.TrustsIssuer != "" {
		rows = append(rows, []string{"trusts", v.TrustsIssuer}, []string{"about", v.TrustsSubject})
	}
	if v.LongestLife > 0 {
		rows = append(rows, []string{"longest life", oauth.FormatLifetime(v.LongestLife) + ", of tokens from before a lifetime was shortened"})
	}
	return p.print(v, columns(rows...))
}
