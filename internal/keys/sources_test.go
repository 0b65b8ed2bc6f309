package keys_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/keys/keystest"
)

// The first key of a stack has no time in the ring: it is as old as the secret. For any
// other the ring says it, and the secret was written again since.
func TestActiveSince(t *testing.T) {
	const written, said = 1_700_000_000, 1_600_000_000
	for check, want := range map[string]int64{
		`{"issuer_epoch": 0, "states": {"1": "active"}, "1": "not a real check key of these tests"}`:                             written,
		`{"issuer_epoch": 0, "states": {"1": "active"}, "since": {"1": 1600000000}, "1": "not a real check key of these tests"}`: said,
	} {
		manager := keystest.New(t, func() time.Time { return time.Unix(written, 0) })
		manager.Create("check", check)
		manager.Create("mint", `{"1": "not a real mint key of these tests"}`)
		cfg := aws.Config{Region: "eu-central-1", BaseEndpoint: aws.String(manager.URL), Credentials: credentials.NewStaticCredentialsProvider("x", "x", "")}
		ring, err := keys.MintSource(cfg, "", "mint", "check")(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := ring.ActiveSince(); got != want {
			t.Errorf("%s: since %d, want %d", check, got, want)
		}
	}
}
