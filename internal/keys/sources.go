package keys

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/text"
)

// CheckSource fetches the check ring: from a key file if there is one, else from
// the secret with that ARN.
func CheckSource(cfg aws.Config, keyFile, checkARN string) func(context.Context) (*bearer.CheckRing, error) {
	sm := NewClient(cfg)
	return func(ctx context.Context) (*bearer.CheckRing, error) {
		if keyFile != "" {
			f, err := readFile(keyFile)
			if err != nil {
				return nil, err
			}
			return bearer.ParseCheckRing(f.Check)
		}
		check, _, err := fetchSecret(ctx, sm, checkARN)
		if err != nil {
			return nil, err
		}
		return bearer.ParseCheckRing(check)
	}
}

// MintSource fetches the mint ring in the same way. A new key is written to the mint
// secret first and named by the check secret later. Reading the check secret first,
// it never names a key that the mint secret read after it lacks.
func MintSource(cfg aws.Config, keyFile, mintARN, checkARN string) func(context.Context) (*bearer.MintRing, error) {
	if keyFile != "" {
		return MintFromFile(keyFile)
	}
	sm := NewClient(cfg)
	return func(ctx context.Context) (*bearer.MintRing, error) {
		check, written, err := fetchSecret(ctx, sm, checkARN)
		if err != nil {
			return nil, err
		}
		mint, _, err := fetchSecret(ctx, sm, mintARN)
		if err != nil {
			return nil, err
		}
		ring, err := bearer.ParseMintRing(mint, check)
		if err != nil || written.IsZero() {
			return ring, err
		}
		return ring.Written(written.Unix()), nil
	}
}

// NewClient returns a client that gives each try of a call three seconds: a
// function that was frozen often holds dead connections.
func NewClient(cfg aws.Config) *secretsmanager.Client {
	return secretsmanager.NewFromConfig(cfg, func(o *secretsmanager.Options) {
		if build, ok := o.HTTPClient.(*awshttp.BuildableClient); ok {
			o.HTTPClient = build.WithTimeout(3 * time.Second)
		}
	})
}

// fetchSecret returns a secret, and when it was written; zero if the answer does not say.
func fetchSecret(ctx context.Context, sm *secretsmanager.Client, arn string) (text []byte, written time.Time, err error) {
	out, err := sm.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(arn)})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("get secret %s: %w", arn, err)
	}
	if out.SecretString == nil {
		return nil, time.Time{}, fmt.Errorf("get secret %s: it has no text", arn)
	}
	return []byte(*out.SecretString), aws.ToTime(out.CreatedDate), nil
}

// File is the content of a key file, which is the key ring on a laptop: the two
// secrets as they are in Secrets Manager, and what the secrets of the demo are made of.
type File struct {
	Mint  json.RawMessage `json:"mint"`
	Check json.RawMessage `json:"check"`
	Demo  string          `json:"demo,omitempty"`
}

// DemoSeed reads the seed of the demo's secrets from a key file. It is empty in a file
// that was made without one.
func DemoSeed(path string) (secret.Text, error) {
	f, err := readFile(path)
	return secret.New(f.Demo), err
}

// MintFromFile reads the whole ring of a key file.
func MintFromFile(path string) func(context.Context) (*bearer.MintRing, error) {
	return func(context.Context) (*bearer.MintRing, error) {
		f, err := readFile(path)
		if err != nil {
			return nil, err
		}
		return bearer.ParseMintRing(f.Mint, f.Check)
	}
}

func readFile(path string) (File, error) {
	content, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return File{}, fmt.Errorf("read key file: %w", err)
	}
	return ParseFile(path, content)
}

// ParseFile reads the content of the file at path. Its errors do not quote the content.
func ParseFile(path string, content []byte) (File, error) {
	content, err := text.UTF8(content)
	if err != nil {
		return File{}, fmt.Errorf("read key file: %s is %w", path, err)
	}
	var f File
	if json.Unmarshal(content, &f) != nil { // its error would quote the content
		return File{}, fmt.Errorf("read key file %s: not a JSON object with mint and check", path)
	}
	return f, nil
}

// NewFile writes a ring with one generated key to path, readable by its owner
// alone, unless there is a file already. Instances that begin together agree:
// the file appears whole or not at all, and the first one stays.
func NewFile(path string) error {
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, err := generate(false)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".fob-keys-*") // mode 0600
	if err != nil {
		return fmt.Errorf("make key file: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(text)
	if err := errors.Join(err, temp.Close()); err != nil {
		return fmt.Errorf("write key file: %w", err)
	}
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make key file: %w", err)
	}
	return nil
}

// Generate makes a ring with one new key that lives as long as the process, with a pair
// if signs.
func Generate(signs bool) (*bearer.MintRing, error) {
	text, err := generate(signs)
	if err != nil {
		return nil, err
	}
	var f File
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, errors.New("generated key ring does not parse")
	}
	return bearer.ParseMintRing(f.Mint, f.Check)
}

func generate(signs bool) ([]byte, error) {
	mints := map[string]any{"1": NewText().Reveal()}
	checks := map[string]any{
		"issuer_epoch": 0,
		"states":       map[string]bearer.State{"1": bearer.Active},
		"1":            NewText().Reveal(),
	}
	if signs {
		private, err := NewSigningKey()
		if err != nil {
			return nil, err
		}
		public, err := PublicHalf(private)
		if err != nil {
			return nil, err
		}
		mints["signing"], checks["signing"] = map[string]string{"1": private.Reveal()}, map[string]string{"1": public.Reveal()}
	}
	mint, err := json.Marshal(mints)
	if err != nil {
		return nil, err
	}
	check, err := json.Marshal(checks)
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(File{mint, check, NewText().Reveal()}, "", "  ")
}

// NewText draws a key text of 260 bits.
func NewText() secret.Text { return secret.New(rand.Text() + rand.Text()) }
