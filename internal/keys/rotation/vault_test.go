package rotation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/keys/keystest"
	"github.com/fob-oauth/fob/internal/oauth"
)

const (
	mintARN  = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:mint"
	checkARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:check"
)

// at is a configuration for the server. The SDK tries thrice, without pauses.
func at(s *keystest.SecretsManager) aws.Config {
	return aws.Config{
		Region:       "eu-central-1",
		BaseEndpoint: &s.URL,
		Credentials:  credentials.NewStaticCredentialsProvider("fixture", "fixture", ""),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
	}
}

// secretsManager has a ring of one key, as the template makes it.
func secretsManager(t *testing.T) (*keystest.SecretsManager, Vault) {
	t.Helper()
	s := keystest.New(t, func() time.Time { return began })
	mint, check := secretsOf(t, 0, bearer.Active)
	s.Create(mintARN, string(mint))
	s.Create(checkARN, string(check))
	return s, NewVault(at(s), mintARN, checkARN)
}

func read(t *testing.T, v Vault) Document {
	t.Helper()
	d, err := v.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func added(t *testing.T, d Document) Document {
	t.Helper()
	d, _, err := d.Add(began.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func raised(t *testing.T, d Document) Document {
	t.Helper()
	d, err := d.RaiseEpoch()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// What every vault does.
func TestVaults(t *testing.T) {
	for name, open := range map[string]func(*testing.T) Vault{
		"Secrets Manager": func(t *testing.T) Vault { _, v := secretsManager(t); return v },
		"file":            func(t *testing.T) Vault { _, v := keyFile(t); return v },
	} {
		t.Run(name, func(t *testing.T) {
			v := open(t)
			first := read(t, v)
			wantStates(t, first, map[uint8]bearer.State{1: bearer.Active})

			wrote, err := v.Write(t.Context(), added(t, first))
			if err != nil {
				t.Fatal(err)
			}
			// What Write returns can be changed and written again.
			if wrote, err = v.Write(t.Context(), raised(t, wrote)); err != nil {
				t.Fatal(err)
			}
			there := read(t, v)
			wantStates(t, there, map[uint8]bearer.State{1: bearer.Active, 2: bearer.Prepublished})
			if there.IssuerEpoch() != 1 || !there.mint[2].Equal(wrote.mint[2]) || !there.check[2].Equal(wrote.check[2]) {
				t.Error("what was read is not what was written")
			}

			// Two operators at once: the second has read what is not there any more.
			if _, err := v.Write(t.Context(), raised(t, first)); !errors.Is(err, oauth.ErrConflict) {
				t.Errorf("a write over somebody else's: %v, want ErrConflict", err)
			}
			if _, err := v.Write(t.Context(), added(t, first)); !errors.Is(err, oauth.ErrConflict) {
				t.Errorf("a second key 2 over the first: %v, want ErrConflict", err)
			}
			again := read(t, v)
			if !again.mint[2].Equal(wrote.mint[2]) || again.IssuerEpoch() != 1 {
				t.Error("a write that lost changed something")
			}

			broken := raised(t, again).clone()
			delete(broken.mint, 1)
			if _, err := v.Write(t.Context(), broken); !errors.Is(err, bearer.ErrBadRing) {
				t.Errorf("a ring that no instance serves with: %v, want ErrBadRing", err)
			}
			if _, err := v.Write(t.Context(), document(t, bearer.Active)); err == nil {
				t.Error("a ring was written that was never read")
			}
			ctx, interrupt := context.WithCancel(t.Context())
			interrupt()
			if _, err := v.Write(ctx, raised(t, again)); !errors.Is(err, context.Canceled) {
				t.Errorf("written after a Ctrl-C: %v", err)
			}
			if got := read(t, v).IssuerEpoch(); got != 1 {
				t.Errorf("the issuer epoch is %d, want 1", got)
			}
		})
	}
}

// Many at once: each raise is made once, or refused.
func TestVaultUnderACrowd(t *testing.T) {
	_, v := secretsManager(t)
	var mu sync.Mutex
	won := uint64(0)
	var crowd sync.WaitGroup
	for range 8 {
		crowd.Go(func() {
			d, err := v.Read(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			d, _ = d.RaiseEpoch()
			_, err = v.Write(t.Context(), d)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case !errors.Is(err, oauth.ErrConflict):
				t.Error(err)
			}
		})
	}
	crowd.Wait()
	if got := read(t, v).IssuerEpoch(); got != won || won == 0 {
		t.Errorf("%d writes were said to be made, and the issuer epoch is %d", won, got)
	}
}

func TestMintIsWrittenFirst(t *testing.T) {
	s, v := secretsManager(t)
	if _, err := v.Write(t.Context(), added(t, read(t, v))); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"GetSecretValue " + checkARN, "GetSecretValue " + mintARN,
		"PutSecretValue " + mintARN, "UpdateSecretVersionStage " + mintARN,
		"PutSecretValue " + checkARN, "UpdateSecretVersionStage " + checkARN,
	}
	if got := s.Calls(); !slices.Equal(got, want) {
		t.Errorf("calls:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// The way back.
	if text := s.Text(checkARN, keystest.Previous); strings.Contains(text, "prepublished") || text == "" {
		t.Error("AWSPREVIOUS is not the version before")
	}
}

// An Add is stopped between its two writes, and run again.
func TestStoppedBetweenTheSecrets(t *testing.T) {
	s, v := secretsManager(t)
	s.Before(func(operation, secret string) error {
		if operation == "PutSecretValue" && secret == checkARN {
			return &keystest.Error{Status: 400, Code: "AccessDeniedException", Message: "no"}
		}
		return nil
	})
	if _, err := v.Write(t.Context(), added(t, read(t, v))); err == nil {
		t.Fatal("it was not stopped")
	}
	s.Before(nil)
	left := read(t, v)
	wantStates(t, left, map[uint8]bearer.State{1: bearer.Active})
	// The instances serve with what is left.
	if _, err := keys.MintSource(at(s), "", mintARN, checkARN)(t.Context()); err != nil {
		t.Errorf("instances: %v", err)
	}
	if _, err := v.Write(t.Context(), added(t, left)); err != nil {
		t.Fatal(err)
	}
	if n := s.Versions(mintARN); n != 2 {
		t.Errorf("%d versions of the mint secret: the key that was begun was not taken on", n)
	}
	wantStates(t, read(t, v), map[uint8]bearer.State{1: bearer.Active, 2: bearer.Prepublished})
}

// A reply that is lost, once or for good, at each call of a write: what Write
// says is true, or that it does not know.
func TestLostReplies(t *testing.T) {
	for _, operation := range []string{"PutSecretValue", "UpdateSecretVersionStage"} {
		for _, secret := range []string{mintARN, checkARN} {
			for _, times := range []int64{1, 3} { // the SDK tries thrice
				for when, happened := range map[string]bool{"before": false, "after": true} {
					name := operation + " of " + secret[strings.LastIndex(secret, ":")+1:] + " " + when
					s, v := secretsManager(t)
					d := added(t, read(t, v))
					var lost atomic.Int64
					lose := func(op, arn string) error {
						if op != operation || arn != secret || lost.Load() == times {
							return nil
						}
						lost.Add(1)
						return keystest.Lost
					}
					if happened {
						s.After(lose)
					} else {
						s.Before(lose)
					}
					_, err := v.Write(t.Context(), d)
					// The second try of a move that happened is refused, so it is not lost.
					recognised := happened && operation == "UpdateSecretVersionStage"
					if n := lost.Load(); n < times && !recognised || n == 0 {
						t.Errorf("%s: %d of %d replies were lost", name, n, times)
					}
					_, written := read(t, v).Key(2)
					switch {
					case (times == 1 || recognised) && (err != nil || !written):
						t.Errorf("%s, %d lost: written %v, %v", name, times, written, err)
					case err != nil && !errors.Is(err, oauth.ErrUnavailable):
						t.Errorf("%s, %d lost: %v, want ErrUnavailable", name, times, err)
					case err == nil && !written:
						t.Errorf("%s, %d lost: it says that it wrote", name, times)
					}
				}
			}
		}
	}
}

// The reply to the move is lost, and so is the look at what is there.
func TestInDoubt(t *testing.T) {
	s, v := secretsManager(t)
	d := raised(t, read(t, v))
	var moved atomic.Bool
	s.Before(func(operation, _ string) error {
		if operation == "GetSecretValue" && moved.Load() {
			return keystest.Lost
		}
		return nil
	})
	s.After(func(operation, _ string) error {
		if operation == "UpdateSecretVersionStage" {
			moved.Store(true)
			return keystest.Lost
		}
		return nil
	})
	if _, err := v.Write(t.Context(), d); !errors.Is(err, oauth.ErrUnavailable) || errors.Is(err, oauth.ErrConflict) {
		t.Errorf("in doubt: %v, want ErrUnavailable", err)
	}
}

// Somebody else moves the label between our put and our move. Whatever words
// Secrets Manager has for that, what is there decides.
func TestOvertaken(t *testing.T) {
	for _, answer := range []error{nil, &keystest.Error{Status: 400, Code: "ResourceNotFoundException", Message: "no such version"}} {
		s, v := secretsManager(t)
		mine, other := read(t, v), NewVault(at(s), mintARN, checkARN)
		s.Before(func(operation, _ string) error {
			if operation != "UpdateSecretVersionStage" {
				return nil
			}
			s.Before(nil)
			if _, err := other.Write(t.Context(), raised(t, raised(t, read(t, other)))); err != nil {
				t.Error(err)
			}
			return answer
		})
		if _, err := v.Write(t.Context(), raised(t, mine)); !errors.Is(err, oauth.ErrConflict) {
			t.Errorf("overtaken: %v, want ErrConflict", err)
		}
		if got := read(t, v).IssuerEpoch(); got != 2 {
			t.Errorf("the issuer epoch is %d, want theirs", got)
		}
	}
}

// Errors name the secret and what AWS said, and are told apart.
func TestVaultErrors(t *testing.T) {
	s, v := secretsManager(t)
	for _, tt := range []struct {
		answer      *keystest.Error
		unavailable bool
	}{
		{&keystest.Error{Status: 400, Code: "AccessDeniedException", Message: "not authorized"}, false},
		{&keystest.Error{Status: 400, Code: "ThrottlingException", Message: "Rate exceeded"}, true},
		{&keystest.Error{Status: 503, Code: "ServiceUnavailable", Message: "later"}, true},
		{&keystest.Error{Status: 500, Code: "InternalServiceError", Message: "oops"}, true},
		{keystest.Lost, true},
	} {
		s.Before(func(string, string) error { return tt.answer })
		_, err := v.Read(t.Context())
		about, ok := errors.AsType[*SecretError](err)
		if !ok || about.Secret != checkARN || errors.Is(err, oauth.ErrUnavailable) != tt.unavailable {
			t.Errorf("%v: %v", tt.answer, err)
		}
	}
	s.Before(nil)
	if _, err := NewVault(at(s), mintARN, "nowhere").Read(t.Context()); err == nil || errors.Is(err, oauth.ErrUnavailable) {
		t.Errorf("a secret that is not there: %v", err)
	}
	s.Create(checkARN, `{"issuer_epoch": 0, "states": {"1": "active"}, "1": "`+textOf("check", 1)+`", "2": "`+textOf("check", 2)+`"}`)
	if _, err := v.Read(t.Context()); !errors.Is(err, bearer.ErrBadRing) || strings.Contains(err.Error(), "key-text") {
		t.Errorf("a broken ring: %v", err)
	}
}
