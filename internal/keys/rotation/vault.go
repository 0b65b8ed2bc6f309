package rotation

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/oauth"
)

// Vault stores the two secrets for those who change them. Functions only read
// them, and their roles allow no more.
type Vault interface {
	// Read returns the ring. The check secret must be read first: the
	// mint secret is written first, so it then has every key that the check secret
	// names.
	Read(ctx context.Context) (Document, error)

	// Write replaces what d was made from by d, and returns d as it was written, to
	// be changed again. If somebody else wrote since, it must change nothing and
	// return oauth.ErrConflict. The mint secret must be durable before the check
	// secret changes. An error that matches oauth.ErrUnavailable leaves open whether
	// d was written: Read again to learn it.
	Write(ctx context.Context, d Document) (Document, error)
}

// stagingLabel is on the version that is about to become AWSCURRENT, and stays
// there until the next write. AWSPENDING belongs to the rotation functions of
// Secrets Manager.
const (
	stagingLabel = "FOBPENDING"
	currentLabel = "AWSCURRENT"
)

// secretsVault keeps the ring in two secrets of Secrets Manager.
//
// Secrets Manager has no conditional put. But moving a label is conditional: the
// new text is put under stagingLabel, which nobody reads, and then AWSCURRENT
// is moved to it from the version that was read, which fails if AWSCURRENT is not
// there any more. The version before keeps AWSPREVIOUS.
type secretsVault struct {
	sm                *secretsmanager.Client
	mintARN, checkARN string
}

// versions are those that a Document was made from.
type versions struct{ mint, check string }

// NewVault opens the ring in the secrets with these ARNs.
func NewVault(cfg aws.Config, mintARN, checkARN string) Vault {
	return &secretsVault{sm: keys.NewClient(cfg), mintARN: mintARN, checkARN: checkARN}
}

// mostBehind is how far the clock that keys are added and activated by may be behind that of
// Secrets Manager: bearer.JWTsLeft has an hour for it. With a time that is too early, the public key
// of the key before leaves the key set while JWTs under it live. The SDK corrects a wrong clock
// for its signatures, so nothing else shows it.
const mostBehind = 10 * time.Minute

var errSlowClock = &StepError{Reason: SlowClock}

// SecretError says which secret an error is about.
type SecretError struct {
	Secret string // its ARN or name
	Doing  string
	Err    error
}

func (e *SecretError) Error() string { return e.Doing + " secret " + e.Secret + ": " + e.Err.Error() }
func (e *SecretError) Unwrap() error { return e.Err }

func (v *secretsVault) Read(ctx context.Context) (Document, error) {
	check, err := v.get(ctx, v.checkARN)
	if err != nil {
		return Document{}, err
	}
	mint, err := v.get(ctx, v.mintARN)
	if err != nil {
		return Document{}, err
	}
	d, err := parseDocument([]byte(*mint.SecretString), []byte(*check.SecretString), *check.CreatedDate)
	if err != nil {
		return Document{}, err
	}
	d.from = versions{*mint.VersionId, *check.VersionId}
	d.behind, _ = awsmiddleware.GetAttemptSkew(check.ResultMetadata)
	return d, nil
}

func (v *secretsVault) get(ctx context.Context, arn string) (*secretsmanager.GetSecretValueOutput, error) {
	out, err := v.sm.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	switch {
	case err != nil:
		return nil, &SecretError{arn, "get", outage(err)}
	case out.SecretString == nil || out.VersionId == nil || out.CreatedDate == nil:
		return nil, &SecretError{arn, "get", errors.New("it has no text, or no version")}
	}
	return out, nil
}

func (v *secretsVault) Write(ctx context.Context, d Document) (Document, error) {
	from, ok := d.from.(versions)
	if !ok {
		return Document{}, errors.New("write a key ring that was not read")
	}
	mint, check, err := d.texts()
	if err != nil {
		return Document{}, err
	}
	if err := ctx.Err(); err != nil {
		return Document{}, err
	}
	// A write that began is not interrupted: nobody would know what it did.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writePatience)
	defer cancel()
	if d.newMint {
		if from.mint, err = v.replace(ctx, v.mintARN, string(mint), from.mint); err != nil {
			return Document{}, err
		}
		d.newMint = false
	}
	if from.check, err = v.replace(ctx, v.checkARN, string(check), from.check); err != nil {
		return Document{}, err
	}
	d.from = from
	return d, nil
}

// replace makes text the current version in the place of seen, and returns the
// new version's id.
func (v *secretsVault) replace(ctx context.Context, arn, text, seen string) (string, error) {
	// The id of the new version is drawn here, so that tries of the SDK are one version,
	// and one whose reply was lost can be recognised.
	version := newVersionID()
	_, err := v.sm.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: &arn, SecretString: &text, ClientRequestToken: &version, VersionStages: []string{stagingLabel},
	})
	if err != nil {
		return "", &SecretError{arn, "put a version of", outage(err)} // which nobody reads, if it is there
	}
	_, err = v.sm.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: &arn, VersionStage: aws.String(currentLabel), MoveToVersionId: &version, RemoveFromVersionId: &seen,
	})
	if err == nil {
		return version, nil
	}
	// A refusal means that somebody else moved the label, or that an earlier try of
	// this call did and its reply was lost. An outage leaves it open.
	failed := &SecretError{arn, "move AWSCURRENT in", outage(err)}
	there, lookErr := v.get(ctx, arn)
	switch {
	case lookErr == nil && *there.VersionId == version:
		return version, nil
	case lookErr == nil && *there.VersionId != seen:
		return "", &SecretError{arn, "move AWSCURRENT in", oauth.ErrConflict}
	case isLabelElsewhere(err):
		// Nobody knows where, or the two answers contradict each other: one is old.
		return "", &SecretError{arn, "find out where AWSCURRENT is in", oauth.Unavailable("look", errors.Join(failed, lookErr))}
	}
	return "", failed
}

// isLabelElsewhere reports whether AWSCURRENT was not at the version from which
// it should be removed.
func isLabelElsewhere(err error) bool {
	_, parameter := errors.AsType[*types.InvalidParameterException](err)
	_, request := errors.AsType[*types.InvalidRequestException](err)
	return parameter || request
}

// outage marks errors that leave open what Secrets Manager did: no reply came, or
// it said that it is busy or broken. Trying again later can help.
func outage(err error) error {
	api, answered := errors.AsType[smithy.APIError](err)
	response, replied := errors.AsType[*awshttp.ResponseError](err)
	if answered && !(replied && response.HTTPStatusCode() >= 500) {
		switch api.ErrorCode() {
		case "ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded":
		default:
			return err
		}
	}
	return oauth.Unavailable("ask Secrets Manager", err)
}

// newVersionID is a random UUID (RFC 9562 §5.4), as the SDK would make one.
func newVersionID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
