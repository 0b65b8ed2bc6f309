package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/keys/rotation"
	"github.com/fob-oauth/fob/internal/oauth"
)

// ring says where the key ring is: in a file, or in two secrets.
type ring struct {
	file        string
	check, mint string // ARNs or names
}

const (
	keysFlag, keysEnv   = "keys", "FOB_KEYS_FILE"
	checkFlag, checkEnv = "check-secret", "FOB_CHECK_SECRET"
	mintFlag, mintEnv   = "mint-secret", "FOB_MINT_SECRET"
)

func (r *ring) addFlags(flags *pflag.FlagSet, getenv func(string) string) {
	r.addCheckFlags(flags, getenv)
	flags.StringVar(&r.mint, mintFlag, getenv(mintEnv), "`ARN` of the secret with the mint keys, or set "+mintEnv)
}

// openRing returns the vault. Whether something is in it, the first call finds
// out. A flag wins over the stack, and the stack over the environment, which may be
// of another deployment.
func (p *program) openRing(ctx context.Context, flags *pflag.FlagSet) (rotation.Vault, error) {
	r := &p.ring
	if p.tables.stack != "" {
		for flag, value := range map[string]*string{keysFlag: &r.file, checkFlag: &r.check, mintFlag: &r.mint} {
			if !flags.Changed(flag) {
				*value = ""
			}
		}
	}
	if r.file != "" {
		if r.check != "" || r.mint != "" {
			return nil, fail(exitUsage, "is the key ring in a file or in Secrets Manager? give --%s (%s), or --%s (%s) and --%s (%s), and not both",
				keysFlag, keysEnv, checkFlag, checkEnv, mintFlag, mintEnv)
		}
		return rotation.NewFileVault(p.path(r.file)), nil
	}
	if p.tables.stack == "" {
		if err := r.missing(); err != nil {
			return nil, err
		}
	}
	cfg, err := awsConfig(ctx, false, "--keys FILE for a ring on this machine")
	if err != nil {
		return nil, err
	}
	if p.tables.stack != "" {
		if err := r.nameFromStack(ctx, cfg, p.tables.stack); err != nil {
			return nil, err
		}
	}
	if r.check == r.mint {
		return nil, fail(exitUsage, "the check keys and the mint keys are two secrets, and --%s and --%s name one", checkFlag, mintFlag)
	}
	return rotation.NewVault(cfg, r.mint, r.check), nil
}

// checkKeys are the keys that judge tokens, for commands that can do without: nil,
// and why, if they cannot be read. Nobody who looks after users alone needs the
// secret.
func (p *program) checkKeys(ctx context.Context, flags *pflag.FlagSet) (oauth.Keys[*bearer.CheckRing], error) {
	r := p.ring
	if p.tables.stack != "" {
		if !flags.Changed(keysFlag) {
			r.file = ""
		}
		if !flags.Changed(checkFlag) {
			r.check = ""
		}
	}
	// A flag wins over the environment.
	switch given := flags.Changed; {
	case given(checkFlag) && !given(keysFlag):
		r.file = ""
	case given(keysFlag) && !given(checkFlag):
		r.check = ""
	}
	if r.file != "" && r.check != "" {
		return nil, fail(exitUsage, "--%s (%s) and --%s (%s) exclude each other", keysFlag, keysEnv, checkFlag, checkEnv)
	}
	var cfg aws.Config
	if r.file == "" {
		if r.check == "" && p.tables.stack == "" {
			return nil, errors.New("no key ring is named")
		}
		var err error
		if cfg, err = awsConfig(ctx, false, "--keys FILE for a ring on this machine"); err != nil {
			return nil, err
		}
		if r.check == "" {
			out, err := stackOutputs(ctx, cfg, p.tables.stack)
			if err != nil {
				return nil, err
			}
			if r.check, err = out.need("CheckKeysArn"); err != nil {
				return nil, err
			}
		}
	}
	cache := keys.NewCache(keys.CheckSource(cfg, p.path(r.file), r.check), p.clock.now)
	if _, err := cache.Ring(ctx); err != nil {
		return nil, r.explain(err)
	}
	return cache, nil
}

// addCheckFlags adds those for commands that verify alone.
func (r *ring) addCheckFlags(flags *pflag.FlagSet, getenv func(string) string) {
	flags.StringVar(&r.file, keysFlag, getenv(keysEnv), "`file` with the key ring, as fob serve --keys makes it, or set "+keysEnv)
	flags.StringVar(&r.check, checkFlag, getenv(checkEnv), "`ARN` of the secret with the check keys, or set "+checkEnv)
}

// nameFromStack takes the names that no flag gave from the stack's outputs.
func (r *ring) nameFromStack(ctx context.Context, cfg aws.Config, stack string) error {
	if r.check != "" && r.mint != "" {
		return nil
	}
	out, err := stackOutputs(ctx, cfg, stack)
	if err != nil {
		return err
	}
	for name, arn := range map[string]*string{"CheckKeysArn": &r.check, "MintKeysArn": &r.mint} {
		if *arn != "" {
			continue
		}
		if *arn, err = out.need(name); err != nil {
			return err
		}
	}
	return nil
}

// missing says which secret nobody named.
func (r *ring) missing() error {
	switch {
	case r.check == "" && r.mint == "":
		return fail(exitUsage, "where is the key ring? give --%s, or --%s and --%s, or --%s for a file", stackFlag, checkFlag, mintFlag, keysFlag)
	case r.check == "":
		return fail(exitUsage, "the check keys are missing: name their secret with --%s or %s", checkFlag, checkEnv)
	case r.mint == "":
		return fail(exitUsage, "the mint keys are missing: name their secret with --%s or %s", mintFlag, mintEnv)
	}
	return nil
}

// explain turns an error of the vault into what to do about it.
func (r *ring) explain(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*failure](err); ok {
		return err
	}
	if refusal, ok := errors.AsType[*rotation.StepError](err); ok {
		return explainRefusal(refusal)
	}
	about, code := "the key ring", ""
	if s, ok := errors.AsType[*rotation.SecretError](err); ok {
		about = "the secret " + s.Secret
	}
	api, _ := errors.AsType[smithy.APIError](err)
	if api != nil {
		code = api.ErrorCode()
	}
	_, missing := errors.AsType[*types.ResourceNotFoundException](err)
	_, noHost := errors.AsType[*net.DNSError](err)
	switch {
	case errors.Is(err, context.Canceled):
		return errInterrupted
	case errors.Is(err, bearer.ErrBadRing):
		return fail(exitFailure, "%v: no instance serves with it, and nothing was changed", err)
	case errors.Is(err, oauth.ErrConflict):
		return fail(exitConflict, "somebody else changed the key ring meanwhile: look at fob key list, and run the command again")
	case r.file != "" && errors.Is(err, fs.ErrNotExist):
		return fail(exitFailure, "there is no key file %s: fob serve --%s makes one", r.file, keysFlag)
	case missing:
		return fail(exitFailure, "%s is not there, in the account and region of this environment: name it with --%s, or --%s and --%s", about, stackFlag, checkFlag, mintFlag)
	case code == "AccessDeniedException":
		return fail(exitFailure, "AWS forbids it: %s", api.ErrorMessage())
	case isCredentialFault(code):
		return fail(exitFailure, "Secrets Manager refuses the credentials: %s", api.ErrorMessage())
	case errors.Is(err, syscall.ECONNREFUSED):
		return fail(exitUnavailable, "nothing answers where Secrets Manager should be: check AWS_ENDPOINT_URL_SECRETS_MANAGER")
	case noHost:
		return fail(exitUnavailable, "the host of Secrets Manager is not known here: check the AWS region")
	case errors.Is(err, oauth.ErrUnavailable):
		return fail(exitUnavailable, "it is not known whether %s was reached: look at fob key list, and run the command again. %v", about, err)
	case api != nil:
		return fail(exitFailure, "%s: %s: %s", about, code, api.ErrorMessage())
	}
	return err
}

// explainRefusal adds what to do instead.
func explainRefusal(r *rotation.StepError) error {
	switch r.Reason {
	case rotation.NoSuchKey:
		return fail(exitNotFound, "%v: see fob key list", r)
	case rotation.UsedUp:
		return fail(exitConflict, "%v: docs/runbook.md says how to begin again", r)
	case rotation.TooEarly:
		why := "until then an instance may not know it"
		if r.Step == rotation.RetireStep {
			why = "until then a token under it may be active; --now ends a key that leaked, with its tokens"
		}
		return fail(exitConflict, "%v, %s", r, why)
	}
	k := r.Key
	switch {
	case r.Step == rotation.NoStep:
		return fail(exitConflict, "%v already: fob key activate %d or fob key rotate goes on with it", r, k.KID)
	case r.Step == rotation.RetireStep && k.State == bearer.Retired, r.Step == rotation.ActivateStep && k.State == bearer.Active:
		return fail(exitConflict, "%v already", r)
	case r.Step == rotation.ActivateStep:
		return fail(exitConflict, "%v, and a key does not become active twice: fob key rotate adds a new one", r)
	case k.State == bearer.Active:
		return fail(exitConflict, "%v: fob key rotate puts another in its place; --now ends a key that leaked, with its tokens", r)
	}
	return fail(exitConflict, "%v, and only a verify-only key can be retired; --now ends one that leaked", r)
}

// withRing runs a command on the key ring.
func (p *program) withRing(run func(ctx context.Context, v rotation.Vault, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		v, err := p.openRing(cmd.Context(), cmd.Flags())
		if err != nil {
			return err
		}
		return p.ring.explain(run(cmd.Context(), v, args))
	}
}
