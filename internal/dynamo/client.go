// Package dynamo keeps tokens, clients and users in three DynamoDB tables, as the
// interfaces of package oauth say: [NewClient] first, then [NewTokens] and the others.
// Each write that must not race is one conditional write, and each read that may decide
// something is strongly consistent. An outage matches [oauth.ErrUnavailable], never an absence.
//
// The package knows how records lie in items and not what they mean: package oauth
// judges expiry, epochs, tampering and policy.
package dynamo

import (
	"cmp"
	"errors"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

const (
	// DynamoDB answers within milliseconds or not at all. A function that was
	// frozen often holds dead connections, and must find out well within the time
	// that its caller waits.
	dialTimeout   = time.Second
	tlsTimeout    = 2 * time.Second
	answerTimeout = time.Second

	maxAttempts = 3 // of one call, by the SDK
	batchTries  = 4 // until no key of a batch is left unprocessed
)

// NewClient returns a client for the stores: three attempts with short pauses,
// timeouts for a caller who waits, and [*ForeignError] for what DynamoDB did not
// answer. An HTTP client in cfg that the SDK did not
// build is left as it is, and one that it built keeps its own time for an answer.
func NewClient(cfg aws.Config, options ...func(*dynamodb.Options)) *dynamodb.Client {
	build, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
	if cfg.HTTPClient == nil {
		build, ok = awshttp.NewBuildableClient(), true
	}
	if ok {
		cfg.HTTPClient = inOneWrite{build.
			WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
			WithTransportOptions(func(t *http.Transport) {
				t.TLSHandshakeTimeout = tlsTimeout
				t.ResponseHeaderTimeout = cmp.Or(t.ResponseHeaderTimeout, answerTimeout)
			})}
	}
	// The token bucket of the retryer is the client's: an outage is not made worse
	// by tripling the load.
	retryer := newRetryer(retry.DefaultRetryables...)
	defaults := func(o *dynamodb.Options) {
		o.Retryer = retryer
		o.APIOptions = append(o.APIOptions, refuseForeign)
	}
	return dynamodb.NewFromConfig(cfg, append([]func(*dynamodb.Options){defaults}, options...)...)
}

// newRetryer tries again what one of those calls an error worth it.
func newRetryer(worthIt ...retry.IsErrorRetryable) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = maxAttempts
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) { return backoff(attempt), nil })
		o.Retryables = worthIt
	})
}

func retryable(is func(error) bool) retry.IsErrorRetryable {
	return retry.IsErrorRetryableFunc(func(err error) aws.Ternary { return aws.BoolTernary(is(err)) })
}

// isThrottled reports that DynamoDB refused a call and did nothing.
func isThrottled(err error) bool {
	return retry.ThrottleErrorCode{Codes: retry.DefaultThrottleErrorCodes}.IsErrorThrottle(err) == aws.TrueTernary
}

// neverLeft reports that a call failed before a byte of it was sent.
func neverLeft(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "dial"
}

// didNothing reports that a call failed and certainly had no effect.
func didNothing(err error) bool {
	e, ok := errors.AsType[*awshttp.ResponseError](err)
	return neverLeft(err) || ok && e.HTTPStatusCode() >= 400 && e.HTTPStatusCode() < 500
}

// backoff is the pause after the n-th try, from 1: 25 to 50 ms, then twice that.
func backoff(n int) time.Duration {
	most := 25 * time.Millisecond << n
	return most/2 + mathrand.N(most/2) //nolint:gosec // spreads retries, decides nothing
}
