package main

// This file says what to do about an error of DynamoDB, CloudFormation or Secrets Manager.

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/aws/smithy-go"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/keys/rotation"
	"github.com/fob-oauth/fob/internal/oauth"
)

// kind is what an error of AWS, or of the network before it, is about.
type kind int

const (
	otherKind kind = iota
	conflict
	stopped
	missing
	nothingListens
	noHost
	foreign
	badRequest
	forbidden
	badCredentials
	unavailable
)

// kindOf sorts an error. code is what AWS answered, if it did.
func kindOf(err error, code string) kind {
	_, unknownHost := errors.AsType[*net.DNSError](err)
	switch {
	case errors.Is(err, oauth.ErrConflict):
		return conflict
	case errors.Is(err, context.Canceled):
		return stopped
	case errors.Is(err, syscall.ECONNREFUSED):
		return nothingListens
	case unknownHost:
		return noHost
	case foreignAnswer(err) != nil:
		return foreign
	}
	switch code { // the services do not agree on the spelling
	case "ResourceNotFoundException":
		return missing
	case "ValidationException", "ValidationError":
		return badRequest
	case "AccessDeniedException", "AccessDenied":
		return forbidden
	case "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException",
		"InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken":
		return badCredentials
	}
	if errors.Is(err, oauth.ErrUnavailable) {
		return unavailable
	}
	return otherKind
}

// foreignAnswer returns what a server said that is not of AWS, if it was one: another
// HTTP server, TLS without TLS or the other way round, or another protocol.
func foreignAnswer(err error) error {
	if e, ok := errors.AsType[*dynamo.ForeignError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return e
	}
	sent, ok := errors.AsType[*url.Error](err)
	switch {
	case !ok:
		return nil
	case errors.Is(err, http.ErrSchemeMismatch), strings.Contains(sent.Err.Error(), "malformed HTTP"): // which has no type
		return sent.Err
	case strings.HasPrefix(sent.URL, "http:") && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)):
		return errors.New("it closes the connection; is it https?")
	}
	return nil
}

// explainAs turns an error of a service into what to do about it. in has the words for
// this service, and returns nil where those for all services do.
func explainAs(err error, service string, in func(k kind, code, message string) error) error {
	if _, ok := errors.AsType[*failure](err); ok || err == nil {
		return err
	}
	code, message := "", ""
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		code, message = api.ErrorCode(), oneLine(api.ErrorMessage())
	}
	k := kindOf(err, code)
	if k == stopped {
		return errInterrupted
	}
	if said := in(k, code, message); said != nil {
		return said
	}
	switch k {
	case badCredentials:
		return fail(exitFailure, "%s refuses the credentials: %s", service, message)
	case forbidden:
		return fail(exitFailure, "AWS forbids it: %s", message)
	}
	return err
}

// explain is for errors of the tables.
func (t *tables) explain(err error) error {
	asked := t.tokens
	if e, ok := errors.AsType[*dynamo.TableError](err); ok {
		for _, s := range []*setting{t.clients, t.users} {
			if s.value == e.Table {
				asked = s
			}
		}
	}
	name, where, endpoint := asked.value, t.where(), t.endpointSource()
	return explainAs(err, "DynamoDB "+where, func(k kind, _, message string) error {
		switch k {
		case conflict:
			return fail(exitConflict, "somebody else changed it meanwhile: look at it, and run the command again")
		case missing:
			return fail(exitFailure, "there is no table %q %s: %s (fob serve --dynamodb makes missing tables; no command reaches what fob serve keeps in memory)", name, where, t.naming(asked))
		case nothingListens:
			return fail(exitUnavailable, "nothing answers %s: start it, or change %s", where, endpoint)
		case noHost:
			return fail(exitUnavailable, "the host of DynamoDB %s is not known here: check %s, and the AWS region", where, endpoint)
		case badRequest:
			return fail(exitUsage, "%q %s is not a table of fob, or not a table name: %s (%s)", name, where, t.naming(asked), message)
		case foreign:
			return fail(exitUnavailable, "a server that is not DynamoDB answers %s: check %s (%v)", where, endpoint, foreignAnswer(err))
		case unavailable:
			return fail(exitUnavailable, "the table %q %s gives no answer, try again: %v", name, where, err)
		}
		return nil
	})
}

func explainStack(err error, stack, source, region string) error {
	return explainAs(err, "CloudFormation in "+region, func(k kind, _, message string) error {
		switch k {
		case badRequest:
			return fail(exitNotFound, "there is no stack %q in %s: see %s, AWS_REGION and AWS_PROFILE (%s)", stack, region, source, message)
		case forbidden:
			return fail(exitFailure, "AWS forbids to look at the stack %q: %s", stack, message)
		case badCredentials:
			return nil
		case noHost:
			return fail(exitUnavailable, "the host of CloudFormation in %q is not known here: check the AWS region", region)
		}
		return fail(exitUnavailable, "CloudFormation in %s gives no answer about the stack %q, try again: %s", region, stack, oneLine(err.Error()))
	})
}

// explain is for errors of the vault.
func (r *ring) explain(err error) error {
	if step, ok := errors.AsType[*rotation.StepError](err); ok {
		return explainStep(step)
	}
	about, naming := "the key ring", "name it with --stack, or --check-secret and --mint-secret"
	if s, ok := errors.AsType[*rotation.SecretError](err); ok {
		about = "the secret " + s.Secret
		for _, named := range r.secrets() {
			if named.value == s.Secret {
				naming = r.tables.naming(named)
			}
		}
	}
	return explainAs(err, "Secrets Manager", func(k kind, code, message string) error {
		switch {
		case errors.Is(err, bearer.ErrBadRing):
			return fail(exitFailure, "%v: no instance serves with it, and nothing was changed", err)
		case k == conflict:
			return fail(exitConflict, "somebody else changed the key ring meanwhile: look at fob key list, and run the command again")
		case r.file.value != "" && errors.Is(err, fs.ErrNotExist):
			return fail(exitFailure, "there is no key file %s: %s, and fob serve --keys makes one", r.file.value, r.tables.naming(r.file))
		case k == missing:
			return fail(exitFailure, "%s is not there, in the account and region of this environment: %s", about, naming)
		case k == forbidden, k == badCredentials:
			return nil
		case k == nothingListens:
			return fail(exitUnavailable, "nothing answers where Secrets Manager should be: check AWS_ENDPOINT_URL_SECRETS_MANAGER")
		case k == noHost:
			return fail(exitUnavailable, "the host of Secrets Manager is not known here: check the AWS region")
		case errors.Is(err, oauth.ErrUnavailable):
			return fail(exitUnavailable, "it is not known whether %s was reached: look at fob key list, and run the command again (%v)", about, err)
		case code != "":
			return fail(exitFailure, "%s: %s: %s", about, code, message)
		}
		return nil
	})
}

// explainStep adds what to do instead.
func explainStep(r *rotation.StepError) error {
	switch r.Reason {
	case rotation.NoSuchKey:
		return fail(exitNotFound, "%v: see fob key list", r)
	case rotation.UsedUp:
		return fail(exitConflict, "%v: docs/runbook.md says how to begin again", r)
	case rotation.SlowClock:
		return fail(exitFailure, "%v: set it first, or the public key of the active one would leave the key set while its JWTs live", r)
	case rotation.NoRoom:
		return fail(exitConflict, "%v: run fob key rotate when the oldest verify-only key can be retired (fob key list), "+
			"or end that key and its tokens with fob key retire KID --now; 90 seconds later there is room", r)
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
