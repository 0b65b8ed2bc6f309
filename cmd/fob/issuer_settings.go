package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fob-oauth/fob/internal/oauth"
)

const issuerAddHelp = `Add an issuer. NAME is what its tokens have as iss, byte for byte.

The keys are fetched by discovery: from NAME/.well-known/openid-configuration, and the
address that this names. --keys-url is for an issuer without discovery, and --keys-file
for one whose keys never change by themselves; then NAME may be any text. Loopback and
private addresses are refused without --private-addresses.

Whom a token means is decided once:

  hashed      a user of the issuer alone, whose id is a hash of NAME and sub. The claims
              that --username-claim and --roles-claim name become the username and the
              roles at each login.
  username    a user of fob: sub is a username. The issuer can log in every user, so this
              is for your own back end.
  client      a workload that a client of fob is, and never a user: a role of AWS, a GitHub
              workflow, a Kubernetes service account. Such an issuer has no --audience: its
              tokens are for fob alone, so aud is the issuer of fob's metadata. A client
              pins the sub: see fob client add --trusts-issuer.

With --events its security events end sign-ins of its hashed users: that an account was
disabled, say. Give it the address of /events.

If anything is wrong with an issuer, all of it is reported at once, and nothing is saved.`

const issuerAddExample = `  # Sign in with Apple; the audience is the app's bundle id
  fob issuer add https://appleid.apple.com --audience com.example.shop --require-nonce

  # a Cognito user pool, with its groups as roles
  fob issuer add https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI --audience APP_CLIENT_ID --roles-claim cognito:groups

  # a back end that vouches for users of fob, with its public keys in a file
  fob issuer add shop-backend --keys-file backend-keys.json --algorithm EdDSA --audience https://fob.example/prod --subject username

  # GitHub Actions, for clients that are workflows
  fob issuer add https://token.actions.githubusercontent.com --subject client`

func issuerAddCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "add NAME",
		Short:   "Add an issuer",
		Long:    issuerAddHelp,
		Example: issuerAddExample,
		Args:    oneArg("the issuer's name"),
	}
	settings := addIssuerSettings(cmd, p)
	const flag = "subject"
	subject := cmd.Flags().String(flag, string(oauth.HashedSubjects), "`rule` for whom sub means: hashed, username or client")
	completeValues(cmd, flag, string(oauth.HashedSubjects), string(oauth.NamedSubjects), string(oauth.ClientSubjects))
	cmd.RunE = p.changing(func(ctx context.Context, s stores, args []string) (any, string, error) {
		i := oauth.TrustedIssuer{
			Signer:   oauth.Signer{Name: args[0], Algorithms: []string{"RS256", "ES256"}},
			Subjects: oauth.SubjectRule(*subject),
		}
		if err := settings.apply(&i); err != nil {
			return nil, "", invalid(oauth.IssuerEntry, err)
		}
		saved, err := s.registrar().AddIssuer(ctx, i)
		return viewIssuer(saved), fmt.Sprintf("The issuer %s is added. See fob issuer show %s.", shown(args[0]), shown(args[0])), err
	})
	return printsJSON(cmd, issuerView{})
}

const issuerSetHelp = `Change the settings of an issuer. Settings that no flag names stay. A flag for a list
replaces the whole list; an empty value is none.

A change holds within 10 seconds, for new logins. Tokens that fob issued before stay as
they are. The name and whom sub means cannot be changed: the issuer's users would be other
users. Remove the issuer for that and add it again.`

func issuerSetCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Change the settings of an issuer",
		Long:  issuerSetHelp,
		Example: `  fob issuer set https://appleid.apple.com --audience com.example.shop --audience com.example.shop.web
  fob issuer set shop-backend --keys-file new-keys.json
  fob issuer set https://accounts.google.com --max-age 2m --require-nonce`,
		Args: oneArg("the issuer's name"),
	}
	settings := addIssuerSettings(cmd, p)
	cmd.PreRunE = settings.needOne
	cmd.RunE = p.changing(func(ctx context.Context, s stores, args []string) (any, string, error) {
		saved, err := s.registrar().EditIssuer(ctx, args[0], settings.apply)
		name := shown(args[0])
		return viewIssuer(saved), fmt.Sprintf("The issuer %s is changed, within 10 seconds. See fob issuer show %s.", name, name), err
	})
	return printsJSON(cmd, issuerView{})
}

// addIssuerSettings adds the flags that fob issuer add and set share.
func addIssuerSettings(cmd *cobra.Command, p *program) *entryFlags[oauth.TrustedIssuer] {
	all := newEntryFlags[oauth.TrustedIssuer](cmd)
	all.texts("audience", "`audience` that its tokens may have, an app's id say; repeat for more",
		func(i *oauth.TrustedIssuer) *[]string { return &i.Audiences })
	all.texts("algorithm", "`algorithm` of its signatures: "+strings.Join(oauth.Algorithms(), ", ")+"; repeat for more (default: the first two)",
		func(i *oauth.TrustedIssuer) *[]string { return &i.Algorithms })
	completeValues(cmd, "algorithm", oauth.Algorithms()...)
	// Either takes the place of the other, unless both are given.
	address := cmd.Flags().String("keys-url", "", "`address` of its JWK Set (default: by discovery)")
	all.add("keys-url", func(i *oauth.TrustedIssuer) error {
		if i.JWKSURL = *address; *address != "" {
			i.JWKS = ""
		}
		return nil
	})
	file := cmd.Flags().String("keys-file", "", "`file` with its JWK Set, public keys alone")
	all.add("keys-file", func(i *oauth.TrustedIssuer) (err error) {
		if i.JWKS, err = p.readKeySet(*file); *file != "" && !cmd.Flags().Changed("keys-url") {
			i.JWKSURL = ""
		}
		return err
	})
	all.span("max-age", "how long ago its tokens may have been issued (default 10m)",
		func(i *oauth.TrustedIssuer) *int64 { return &i.MaxAge })
	all.truth("require-nonce", "refuse its tokens without a nonce that the app proves",
		func(i *oauth.TrustedIssuer) *bool { return &i.NonceRequired })
	all.text("username-claim", "`claim` that becomes the username of a hashed user",
		func(i *oauth.TrustedIssuer) *string { return &i.UsernameClaim })
	all.text("roles-claim", "`claim` that becomes the roles of a hashed user, a text or a list",
		func(i *oauth.TrustedIssuer) *string { return &i.RolesClaim })
	all.truth("events", "take its security events at /events, which end sign-ins of its users",
		func(i *oauth.TrustedIssuer) *bool { return &i.Events })
	all.truth("private-addresses", "fetch its keys from loopback and private addresses too",
		func(i *oauth.TrustedIssuer) *bool { return &i.PrivateAddresses })
	return all
}
