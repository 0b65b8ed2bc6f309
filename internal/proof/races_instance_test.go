package proof_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/rpc"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

// An instance of fob in a process of its own: the domain over the stores on
// DynamoDB, with its own SDK client, caches and connections, and with a network
// that is slow at random and loses what it is told to lose. It takes requests on
// standard input and answers them on standard output (net/rpc), until the input
// ends: however the driver goes, the instance goes with it.

const raceInstanceEnv = "FOB_RACE_INSTANCE"

func serveRaceInstance() (exitCode int) {
	server := rpc.NewServer()
	if err := server.RegisterName("Instance", new(raceInstance)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	server.ServeConn(struct {
		io.Reader
		io.WriteCloser
	}{os.Stdin, os.Stdout})
	return 0
}

// RaceSetup is what an instance is made of.
type RaceSetup struct {
	Endpoint    string
	Tables      dynamo.Tables
	Mint, Check string // the texts of the key ring
	Defect      raceDefect
	Faults      raceFaults
}

// raceFaults are probabilities.
type raceFaults struct {
	LostRequest float64 // of a request to DynamoDB: it does not arrive
	LostReply   float64 // of a request to DynamoDB: it takes effect, its reply is lost
	Deadline    float64 // of an operation: it is given up after a few milliseconds
	TornRead    float64 // of a read: record and state are read some time apart
}

// The longest pause before and after a request to DynamoDB. One in eight is that
// long, the others at most a quarter of it.
const raceLatency = 8 * time.Millisecond

// raceInstance is what net/rpc serves.
type raceInstance struct {
	issuer     *oauth.Issuer
	verifier   *oauth.Verifier
	subjects   oauth.Subjects
	introspect func(context.Context, oauth.IntrospectRequest) (oauth.Introspection, error)
	faults     raceFaults
}

// Compose must be called once, before any Do.
func (i *raceInstance) Compose(s RaceSetup, _ *struct{}) error {
	ring, err := bearer.ParseMintRing([]byte(s.Mint), []byte(s.Check))
	if err != nil {
		return err
	}
	cfg := dynamotest.Config(s.Endpoint)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	cfg.HTTPClient = &http.Client{Transport: raceNetwork{transport, s.Faults}}
	db := dynamo.NewClient(cfg)

	tokens := dynamo.NewTokens(db, s.Tables.Tokens)
	var store oauth.Tokens = raceTorn{tokens, s.Faults.TornRead}
	if wrap, ok := raceDefectiveStores[s.Defect]; ok {
		store = wrap(store)
	}
	*i = composeRaceInstance(db, s.Tables, store, ring, time.Now)
	if s.Defect == raceCachedIntrospection {
		i.introspect = raceCached(i.introspect)
	}
	i.subjects, i.faults = tokens, s.Faults
	return nil
}

// composeRaceInstance gives an instance its own caches.
func composeRaceInstance(db *dynamodb.Client, tables dynamo.Tables, tokens oauth.Tokens, ring *bearer.MintRing, now func() time.Time) raceInstance {
	clients := oauth.NewClientCache(dynamo.NewClients(db, tables.Clients), now)
	issuer := &oauth.Issuer{
		Tokens: tokens, Clients: clients, Users: dynamo.NewUsers(db, tables.Users), Passwords: racePasswords{},
		Keys: keys.NewCache(func(context.Context) (*bearer.MintRing, error) { return ring, nil }, now),
		Now:  now,
	}
	verifier := &oauth.Verifier{
		Tokens: tokens, Clients: clients,
		Keys: keys.NewCache(func(context.Context) (*bearer.CheckRing, error) { return ring.CheckRing, nil }, now),
		Now:  now,
	}
	return raceInstance{issuer: issuer, verifier: verifier, introspect: verifier.Introspect}
}

// RaceRequest is one operation, in words of the endpoints.
type RaceRequest struct {
	Verb    raceVerb
	Client  oauth.ClientID
	Subject oauth.Subject // sign-out
	User    string        // issue; empty is the client itself
	Device  string        // issue
	Token   string        // all but issue and sign-out
}

// RaceAnswer is what a client sees of it, and what the instance did to it.
type RaceAnswer struct {
	Access, Refresh string
	Active          bool
	Code            oauth.Code // of a refusal
	Unavailable     string     // why it is not known what came of it
	Faults          int        // that were injected
	Writes          int        // requests to DynamoDB that may have written
	LostWrites      int        // of these, those whose reply was lost
}

// Do runs one operation.
func (i *raceInstance) Do(r RaceRequest, a *RaceAnswer) error {
	trace := new(raceTrace)
	ctx := context.WithValue(context.Background(), raceTraceKey{}, trace)
	if rand.Float64() < i.faults.Deadline {
		trace.faults.Add(1)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, raceUpTo(2*raceLatency))
		defer cancel()
	}
	err := i.do(ctx, r, a)
	a.Faults, a.Writes, a.LostWrites = int(trace.faults.Load()), int(trace.writes.Load()), int(trace.lostWrites.Load())
	if refusal, ok := errors.AsType[*oauth.Error](err); ok {
		a.Code = refusal.Code
		return nil
	}
	if errors.Is(err, oauth.ErrUnavailable) {
		a.Unavailable = err.Error()
		return nil
	}
	return err
}

func (i *raceInstance) do(ctx context.Context, r RaceRequest, a *RaceAnswer) error {
	token := bearer.FromClient(r.Token)
	form := oauth.Form{}
	switch r.Verb {
	case raceIssue:
		form["grant_type"], form["scope"] = string(oauth.ClientCredentialsGrant), "device_"+r.Device
		if r.User != "" {
			form["grant_type"], form["username"], form["password"] = string(oauth.PasswordGrant), r.User, racePassword
		}
	case raceRefresh:
		form["grant_type"], form["refresh_token"] = string(oauth.RefreshTokenGrant), r.Token
	case raceIntrospect:
		said, err := i.introspect(ctx, oauth.IntrospectRequest{Credentials: raceCredentials(r.Client), Token: token})
		a.Active = said.Active
		return err
	case raceRevoke:
		return i.verifier.Revoke(ctx, oauth.RevokeRequest{Credentials: raceCredentials(r.Client), Token: token})
	case raceSignOut:
		return i.subjects.Raise(ctx, r.Subject, oauth.StateChange{})
	}
	resp, err := i.issuer.Token(ctx, oauth.TokenRequest{Credentials: raceCredentials(r.Client), Form: form, Source: "192.0.2.1"})
	a.Access, a.Refresh = resp.AccessToken.Reveal(), resp.RefreshToken.Reveal()
	return err
}

// The clients of the races, and the password of all users.
const (
	raceApp      oauth.ClientID = "app"     // public
	raceBackend  oauth.ClientID = "backend" // confidential
	raceAPI      oauth.ClientID = "api"     // introspects both's access tokens
	racePassword                = "password"
)

func raceCredentials(id oauth.ClientID) oauth.Credentials {
	if id == raceApp {
		return oauth.Credentials{Method: oauth.ClientIDOnly, ID: id}
	}
	return oauth.Credentials{Method: oauth.SecretBasic, ID: id, Secret: raceSecret(id)}
}

func raceSecret(id oauth.ClientID) secret.Text { return secret.New("secret-of-" + string(id)) }

// racePasswords costs nothing: hashing is not what races here.
type racePasswords struct{}

func (racePasswords) Hash(password secret.Text) (secret.Text, error) { return password, nil }

func (racePasswords) Verify(password, hash secret.Text) (ok, outdated bool, err error) {
	return password.Equal(hash), false, nil
}

// raceTrace is what befell the requests of one operation.
type raceTrace struct{ faults, writes, lostWrites atomic.Int64 }

type raceTraceKey struct{}

// raceNetwork is the way to DynamoDB.
type raceNetwork struct {
	next   http.RoundTripper
	faults raceFaults
}

func (n raceNetwork) RoundTrip(req *http.Request) (*http.Response, error) {
	trace, ok := req.Context().Value(raceTraceKey{}).(*raceTrace)
	if !ok {
		return nil, errors.New("a request to DynamoDB without the operation's context")
	}
	if err := racePause(req.Context(), raceSomeLatency()); err != nil {
		return nil, err
	}
	if rand.Float64() < n.faults.LostRequest {
		trace.faults.Add(1)
		return nil, syscall.ECONNRESET
	}
	_, operation, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	writes := operation == "PutItem" || operation == "DeleteItem" || operation == "UpdateItem"
	if writes {
		trace.writes.Add(1)
	}
	resp, err := n.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	lost := rand.Float64() < n.faults.LostReply
	if err := racePause(req.Context(), raceSomeLatency()); err != nil || lost {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if lost {
			trace.faults.Add(1)
		}
		if lost && writes {
			trace.lostWrites.Add(1)
		}
		return nil, cmp.Or(err, error(syscall.ECONNRESET))
	}
	return resp, nil
}

func raceSomeLatency() time.Duration {
	if rand.IntN(8) == 0 {
		return raceUpTo(raceLatency)
	}
	return raceUpTo(raceLatency / 4)
}

func raceUpTo(d time.Duration) time.Duration { return rand.N(d) + 1 }

func racePause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// raceTorn reads record and state at two times, in either order, as often as it
// is told to. The contract of oauth.Tokens allows that, and DynamoDB does it;
// small engines answer a batch in one go.
type raceTorn struct {
	oauth.Tokens
	often float64
}

func (s raceTorn) Read(ctx context.Context, loc bearer.Locator) (oauth.Reading, error) {
	first, err := s.Tokens.Read(ctx, loc)
	if err != nil || rand.Float64() >= s.often {
		return first, err
	}
	second, err := s.Tokens.Read(ctx, loc)
	if err != nil {
		return oauth.Reading{}, err
	}
	if rand.IntN(2) == 0 {
		first, second = second, first
	}
	first.State = second.State
	return first, nil
}
