package compose

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"
)

func TestAWS(t *testing.T) {
	lambda := map[string]string{"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "text", "AWS_SESSION_TOKEN": "session"}
	for _, test := range []struct {
		name              string
		environment       map[string]string
		dynamoDB, secrets string // addresses; empty is AWS's own
		faults            []string
	}{
		{name: "as Lambda sets it"},
		{name: "an endpoint for one service", environment: map[string]string{"AWS_ENDPOINT_URL_DYNAMODB": "http://localhost:8000"}, dynamoDB: "http://localhost:8000"},
		{name: "an endpoint for all, and one for one", environment: map[string]string{"AWS_ENDPOINT_URL": "http://localhost:1", "AWS_ENDPOINT_URL_DYNAMODB": "http://localhost:8000"},
			dynamoDB: "http://localhost:8000", secrets: "http://localhost:1"},
		{name: "endpoints that are switched off", environment: map[string]string{"AWS_ENDPOINT_URL": "http://localhost:1", "AWS_ENDPOINT_URL_DYNAMODB": "http://localhost:8000", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}},
		{name: "no region", environment: map[string]string{"AWS_REGION": ""}, faults: []string{"AWS_REGION"}},
		{name: "no credentials, and a profile", environment: map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_PROFILE": "mine"}, faults: []string{"AWS_ACCESS_KEY_ID"}},
		{name: "nothing", environment: map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_REGION": ""}, faults: []string{"AWS_REGION", "AWS_ACCESS_KEY_ID"}},
		{name: "roots where they are not read", environment: map[string]string{"AWS_CA_BUNDLE": "/roots.pem"}, faults: []string{"SSL_CERT_FILE"}},
		{name: "an unknown value", environment: map[string]string{"AWS_USE_FIPS_ENDPOINT": "perhaps"}, faults: []string{"AWS_USE_FIPS_ENDPOINT"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_PROFILE", "AWS_CA_BUNDLE",
				"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"} {
				t.Setenv(name, lambda[name])
			}
			t.Setenv("AWS_SESSION_TOKEN", lambda["AWS_SESSION_TOKEN"])
			for name, value := range test.environment {
				t.Setenv(name, value)
			}
			cfg, err := AWS()
			if len(test.faults) > 0 {
				for _, want := range test.faults {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("AWS: %v, want a word of %s", err, want)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			credentials, err := cfg.Credentials.Retrieve(t.Context())
			if got := []string{cfg.Region, credentials.AccessKeyID, credentials.SecretAccessKey, credentials.SessionToken}; err != nil || !cmp.Equal(got, []string{"eu-central-1", "id", "text", "session"}) {
				t.Errorf("region and credentials: %q, %v", got, err)
			}
			for service, addresses := range map[string][2]*string{
				"DynamoDB":        {dynamodb.NewFromConfig(cfg).Options().BaseEndpoint, &test.dynamoDB},
				"Secrets Manager": {secretsmanager.NewFromConfig(cfg).Options().BaseEndpoint, &test.secrets},
			} {
				got := ""
				if addresses[0] != nil {
					got = *addresses[0]
				}
				if got != *addresses[1] {
					t.Errorf("%s: endpoint %q, want %q", service, got, *addresses[1])
				}
			}
		})
	}
}
