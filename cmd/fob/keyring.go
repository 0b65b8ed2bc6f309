package main

// Where a command finds its key ring. setting.go says which of several settings counts.

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/pflag"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/keys/rotation"
	"github.com/fob-oauth/fob/internal/oauth"
)

// ring says where the key ring is: in a file, or in two secrets.
type ring struct {
	file        *setting
	check, mint *setting // ARNs or names; mint is nil for commands that verify alone
	tables      *tables
}

func (r *ring) addFlags(p *program, flags *pflag.FlagSet) {
	r.addCheckFlags(p, flags)
	r.mint = p.newSetting(flags, "mint-secret", "FOB_MINT_SECRET", "MintKeysArn", "", "`ARN` of the secret with the mint keys")
}

// addCheckFlags adds those for commands that verify alone.
func (r *ring) addCheckFlags(p *program, flags *pflag.FlagSet) {
	r.tables = &p.tables
	r.file = p.newSetting(flags, "keys", "FOB_KEYS_FILE", "", "", "`file` with the key ring, as fob serve --keys makes it")
	r.check = p.newSetting(flags, "check-secret", "FOB_CHECK_SECRET", "CheckKeysArn", "", "`ARN` of the secret with the check keys")
}

func (r *ring) secrets() []*setting {
	if r.mint == nil {
		return []*setting{r.check}
	}
	return []*setting{r.check, r.mint}
}

// find decides between a file and the secrets. For the secrets it returns the SDK's
// configuration, and fills their names from the stack, if one is named.
func (r *ring) find(ctx context.Context, p *program) (cfg aws.Config, err error) {
	if err := r.tables.choose(); err != nil {
		return cfg, err
	}
	r.tables.leaveToStack(append(r.secrets(), r.file)...)
	if a, b := exclusive([]*setting{r.file}, r.secrets()); a != "" {
		return cfg, fail(exitUsage, "is the key ring in a file or in Secrets Manager? %s and %s exclude each other", a, b)
	}
	if r.file.value != "" {
		warnOfKeyFile(p, r.file.value)
		return cfg, nil
	}
	if err := r.missing(); r.tables.stack.value == "" && err != nil {
		return cfg, err
	}
	if cfg, err = awsConfig(ctx, false, "--keys FILE for a ring on this machine"); err != nil {
		return cfg, err
	}
	return cfg, r.tables.fromStack(ctx, cfg, r.secrets()...)
}

// missing says which secret is not named.
func (r *ring) missing() error {
	switch {
	case r.mint == nil && r.check.value == "":
		return errors.New("no key ring is named")
	case r.mint == nil:
		return nil
	case r.check.value == "" && r.mint.value == "":
		return fail(exitUsage, "where is the key ring? give --stack, or --check-secret and --mint-secret, or --keys for a file")
	case r.check.value == "":
		return fail(exitUsage, "the check keys are missing: name their secret with --check-secret or FOB_CHECK_SECRET")
	case r.mint.value == "":
		return fail(exitUsage, "the mint keys are missing: name their secret with --mint-secret or FOB_MINT_SECRET")
	}
	return nil
}

// open returns the vault. The first call finds out whether it holds a ring.
func (r *ring) open(ctx context.Context, p *program) (rotation.Vault, error) {
	cfg, err := r.find(ctx, p)
	if err != nil {
		return nil, err
	}
	if r.file.value != "" {
		return rotation.NewFileVault(r.file.value), nil
	}
	if r.check.value == r.mint.value {
		return nil, fail(exitUsage, "the check keys and the mint keys are two secrets, and %s and %s name one", r.check.source(), r.mint.source())
	}
	return rotation.NewVault(cfg, r.mint.value, r.check.value), nil
}

// checkKeys returns the keys that judge tokens, for commands that can do without
// them: nil, and why, if they cannot be read. Work on users alone does not need the
// secret. An error with exitUsage is for all commands.
func (r *ring) checkKeys(ctx context.Context, p *program) (oauth.Keys[*bearer.CheckRing], error) {
	cfg, err := r.find(ctx, p)
	if err != nil {
		return nil, err
	}
	cache := keys.NewCache(keys.CheckSource(cfg, r.file.value, r.check.value), p.now)
	if _, err := cache.Ring(ctx); err != nil {
		return nil, r.explain(err)
	}
	return cache, nil
}

const judgedHelp = `
The list is judged by the key ring, too, if it can be read: of --stack, or of
--check-secret, or in the file of --keys. Without it, what a retired key or the issuer
epoch has ended is listed as well, and standard error says so.`

// judging returns sign-ins that are judged by the key ring, or says that they are not.
func judging(ctx context.Context, p *program, s stores, r *ring) (*oauth.SignIns, error) {
	d := s.signIns()
	known, err := r.checkKeys(ctx, p)
	if exitCode(err) == exitUsage {
		return nil, err // flags that contradict each other
	}
	if err != nil {
		p.say("what a retired key or the issuer epoch ended counts as signed in, since the key ring was not read: %s", oneLine(err.Error()))
		return d, nil
	}
	d.Keys = known
	return d, nil
}
