package compose

import (
	"errors"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/logging"
)

// AWS is the SDK's configuration as the environment has it: the Region and the
// credentials that Lambda sets, and the endpoints of `sam local`. It reads no profile and
// asks nobody for credentials, because a function has neither a home nor another identity
// than its role's. LoadDefaultConfig would link the clients of SSO, STS and sign-in
// for that, which is a sixth of a function ([decision 88]).
//
// An error names each variable that is missing.
//
// [decision 88]: https://github.com/fob-oauth/fob/blob/main/docs/decisions/0088-what-a-start-may-cost.md
func AWS() (aws.Config, error) {
	env, err := awsconfig.NewEnvConfig()
	if err != nil {
		return aws.Config{}, err
	}
	var missing []error
	if env.Region == "" {
		missing = append(missing, errors.New("AWS_REGION is not set"))
	}
	if !env.Credentials.HasKeys() {
		missing = append(missing, errors.New("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set: a function has no other credentials"))
	}
	if env.CustomCABundle != "" {
		missing = append(missing, errors.New("AWS_CA_BUNDLE is set: a function reads its roots from SSL_CERT_FILE"))
	}
	cfg := aws.Config{
		Region:                env.Region,
		Credentials:           credentials.StaticCredentialsProvider{Value: env.Credentials},
		ConfigSources:         []any{env}, // where the clients look for their endpoints
		RetryMode:             env.RetryMode,
		RetryMaxAttempts:      env.RetryMaxAttempts,
		AccountIDEndpointMode: env.AccountIDEndpointMode,
		AppID:                 env.AppID,
		Logger:                logging.NewStandardLogger(os.Stderr),
	}
	if ignore := env.IgnoreConfiguredEndpoints; env.BaseEndpoint != "" && (ignore == nil || !*ignore) {
		cfg.BaseEndpoint = &env.BaseEndpoint
	}
	return cfg, errors.Join(missing...)
}
