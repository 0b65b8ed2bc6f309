package main

import (
	"cmp"
	"context"
	"strconv"

	"github.com/fob-oauth/fob/internal/oauth"
)

// issuerView is an issuer as --json shows it. Programs rely on the names.
type issuerView struct {
	Issuer           string   `json:"issuer"`
	CreatedAt        string   `json:"created_at" is:"time"`
	Audiences        []string `json:"audiences"`
	Algorithms       []string `json:"algorithms"`
	Keys             string   `json:"keys" is:"discovery, address or inline"`
	KeysURL          string   `json:"keys_url,omitempty"`
	JWKS             string   `json:"jwks,omitempty" is:"text, the JWK Set of inline keys"`
	MaxAge           int64    `json:"max_age" is:"seconds"`
	NonceRequired    bool     `json:"nonce_required"`
	Subject          string   `json:"subject" is:"hashed, username or client"`
	UsernameClaim    string   `json:"username_claim,omitempty"`
	RolesClaim       string   `json:"roles_claim,omitempty"`
	Events           bool     `json:"events"`
	PrivateAddresses bool     `json:"private_addresses"`
}

// viewIssuer shows what holds, defaults included.
func viewIssuer(i oauth.TrustedIssuer) issuerView {
	v := issuerView{
		Issuer:           i.Name,
		CreatedAt:        timestamp(i.Created),
		Audiences:        orEmpty(i.Audiences),
		Algorithms:       orEmpty(i.Algorithms),
		Keys:             "discovery",
		KeysURL:          i.JWKSURL,
		JWKS:             i.JWKS,
		MaxAge:           i.AssertionAge(),
		NonceRequired:    i.NonceRequired,
		Subject:          string(i.SubjectRule()),
		UsernameClaim:    i.UsernameClaim,
		RolesClaim:       i.RolesClaim,
		Events:           i.Events,
		PrivateAddresses: i.PrivateAddresses,
	}
	switch {
	case i.JWKS != "":
		v.Keys = "inline"
	case i.JWKSURL != "":
		v.Keys = "address"
	}
	return v
}

func listIssuers(ctx context.Context, p *program, s stores) error {
	all, err := s.issuers.ListIssuers(ctx)
	if err != nil {
		return err
	}
	return printTable(p, all, []string{"ISSUER", "AUDIENCES", "KEYS", "SUBJECT", "CREATED"}, func(i oauth.TrustedIssuer) (issuerView, []string) {
		v := viewIssuer(i)
		return v, []string{v.Issuer, list(v.Audiences), v.Keys, v.Subject, v.CreatedAt}
	})
}

func showIssuer(ctx context.Context, p *program, s stores, name string) error {
	i, err := s.registrar().TrustedIssuer(ctx, name)
	if err != nil {
		return err
	}
	v := viewIssuer(i)
	keys := v.Keys
	if v.KeysURL != "" {
		keys = v.KeysURL
	}
	return p.print(v, columns(
		[]string{"issuer", v.Issuer},
		[]string{"created", v.CreatedAt},
		[]string{"audiences", list(v.Audiences)},
		[]string{"algorithms", list(v.Algorithms)},
		[]string{"keys", keys},
		[]string{"max age", oauth.FormatLifetime(v.MaxAge)},
		[]string{"nonce required", strconv.FormatBool(v.NonceRequired)},
		[]string{"subject", v.Subject},
		[]string{"username claim", cmp.Or(v.UsernameClaim, "-")},
		[]string{"roles claim", cmp.Or(v.RolesClaim, "-")},
		[]string{"events", strconv.FormatBool(v.Events)},
		[]string{"private addresses", strconv.FormatBool(v.PrivateAddresses)},
	))
}
