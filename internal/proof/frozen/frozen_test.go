package frozen

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/dynamo/dynamotest"
	"github.com/fob-oauth/fob/internal/keys"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
)

// A Lambda function is frozen between requests, for twenty minutes if nobody
// calls. When it wakes, its connections are dead, its caches are old, and the
// monotonic clock has not noticed. None of its first requests may fail for that.
func TestFrozenForTwentyMinutes(t *testing.T) {
	line := newEngineLine(t, dynamotest.Engine(t))
	f := dynamotest.New(t, "http://"+line.address())
	db := dynamo.NewClient(dynamotest.Config("http://" + line.address()))

	var wall atomic.Int64
	wall.Store(time.Now().Unix())
	now := func() time.Time { return time.Unix(wall.Load(), 0) }
	mint, err := keys.Generate(false)
	if err != nil {
		t.Fatal(err)
	}
	var fetches atomic.Int64
	mintRing := keys.NewCache(func(context.Context) (*bearer.MintRing, error) { fetches.Add(1); return mint, nil }, now)
	checkRing := keys.NewCache(func(context.Context) (*bearer.CheckRing, error) { fetches.Add(1); return mint.CheckRing, nil }, now)

	stores := f.Stores()
	if err := stores.Clients.SaveResourceScopes(t.Context(), oauth.ResourceScopes{Roles: map[string][]string{"read": nil}}); err != nil {
		t.Fatal(err)
	}
	read := oauthtest.Scopes(t, "read")
	oauthtest.SaveClient(t, stores.Clients, oauth.Client{ID: "backend", Grants: oauth.GrantTypes(), Scopes: read, DefaultScopes: read}, 1)
	cred := oauthtest.Credentials("backend")

	// One function each, with a client of its own, as deployed.
	tokens := dynamo.NewTokens(db, f.Tables.Tokens)
	issuer := &oauth.Issuer{
		Tokens: tokens, Clients: oauth.NewClientCache(dynamo.NewClients(db, f.Tables.Clients), now), Keys: mintRing, Now: now,
	}
	other := dynamo.NewClient(dynamotest.Config("http://" + line.address()))
	verifier := &oauth.Verifier{
		Tokens: dynamo.NewTokens(other, f.Tables.Tokens), Clients: oauth.NewClientCache(dynamo.NewClients(other, f.Tables.Clients), now), Keys: checkRing, Now: now,
	}
	issue := func(device string) bearer.Bearer {
		t.Helper()
		r, err := issuer.Token(t.Context(), oauth.TokenRequest{Credentials: cred, Form: oauth.Form{"grant_type": "client_credentials", "scope": "device_" + device}})
		if err != nil {
			t.Fatalf("issue: %v", err)
		}
		return r.AccessToken
	}
	active := func(b bearer.Bearer) bool {
		t.Helper()
		i, err := verifier.Introspect(t.Context(), cred, b)
		if err != nil {
			t.Fatalf("introspect: %v", err)
		}
		return i.Active
	}

	a := issue("a")
	if !active(a) {
		t.Fatal("inactive at birth")
	}
	for round, first := range []func(){
		func() { // the first thing after waking is a write
			if err := verifier.Revoke(t.Context(), cred, a); err != nil {
				t.Errorf("revoke: %v", err)
			}
			if active(a) {
				t.Error("revoked, and active")
			}
		},
		func() { // a new record
			a = issue("b")
			if !active(a) {
				t.Error("inactive at birth")
			}
		},
		func() { // a read
			if !active(a) {
				t.Error("a live token is inactive after a freeze")
			}
		},
	} {
		before := fetches.Load()
		killed := line.kill()
		if killed == 0 {
			t.Errorf("round %d: no connection was alive to be killed", round)
		}
		wall.Add(20 * 60)
		first()
		if fetches.Load() == before {
			t.Errorf("round %d: the key ring of before the freeze was believed", round)
		}
	}

	// A client that was disabled meanwhile is not believed either.
	client, _, err := stores.Clients.Client(t.Context(), "backend")
	if err != nil {
		t.Fatal(err)
	}
	client.Disabled = true
	if _, err := stores.Clients.SaveClient(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	line.kill()
	wall.Add(20 * 60)
	if _, err := issuer.Token(t.Context(), oauth.TokenRequest{Credentials: cred, Form: oauth.Form{"grant_type": "client_credentials"}}); err == nil {
		t.Error("a client that was disabled during the freeze got a token")
	}
}

// engineLine is a network line to the engine whose connections can be cut.
type engineLine struct {
	listener net.Listener
	mu       sync.Mutex // guards conns
	conns    map[net.Conn]struct{}
}

func newEngineLine(t *testing.T, endpoint string) *engineLine {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &engineLine{listener: listener, conns: map[net.Conn]struct{}{}}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		l.kill()
		wg.Wait()
	})
	engine := endpoint[len("http://"):]
	wg.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := new(net.Dialer).DialContext(context.Background(), "tcp", engine)
			if err != nil {
				_ = in.Close()
				continue
			}
			l.mu.Lock()
			l.conns[in] = struct{}{}
			l.mu.Unlock()
			wg.Go(func() { _, _ = io.Copy(out, in); _ = out.Close() })
			wg.Go(func() { _, _ = io.Copy(in, out); _ = in.Close() })
		}
	})
	return l
}

func (l *engineLine) address() string { return l.listener.Addr().String() }

// kill resets every connection, as a load balancer does that has forgotten them.
func (l *engineLine) kill() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
		n++
	}
	clear(l.conns)
	return n
}
