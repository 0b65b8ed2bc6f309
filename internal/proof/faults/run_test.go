package faults

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/fob-oauth/fob/internal/apigw"
	"github.com/fob-oauth/fob/internal/assertion/assertiontest"
	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/oauth/oauthtest"
	"github.com/fob-oauth/fob/internal/storetest"
	"github.com/fob-oauth/fob/internal/wire"
)

// maxTries is how often the client sends a request that is answered 503.
const maxTries = 1 + 3

// usualDeadline is the function's, as the template has it. Where a request
// stalls it is shortDeadline, to save time; less the adapter's reserve of
// 300 ms that leaves 400 ms.
const (
	usualDeadline = 10 * time.Second
	shortDeadline = 700 * time.Millisecond

	// lateness is what a machine that is busy with other tests adds. That the reserve is
	// kept to the millisecond is a test of internal/apigw, by a clock of its own.
	lateness = 2 * time.Second
)

// atFullLength asks for everything, where the usual run takes a sample of what
// would take minutes.
func atFullLength() bool { return os.Getenv("FOB_PROOF") == "long" }

// statistics are the figures of a leg.
type statistics struct {
	runs       atomic.Int64 // of flows, the clean ones included
	operations atomic.Int64 // requests answered by fob
	faults     atomic.Int64 // injected, strangers not included
	strangers  atomic.Int64 // visits of another instance between two calls
	checks     atomic.Int64 // of all invariants at once
}

func (s *statistics) log(t testing.TB) {
	t.Logf("%d runs, %d operations, %d faults, %d visits of another instance, invariants read %d times",
		s.runs.Load(), s.operations.Load(), s.faults.Load(), s.strangers.Load(), s.checks.Load())
}

// instance is one instance of fob behind the gateway's adapter, as
// deployed.
type instance struct {
	endpoints map[string]func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error)
	subjects  oauth.Subjects
	log       bytes.Buffer
}

// run is one run of a flow: a client in front of an instance whose store
// fails, another instance over the same store that works, and everything that
// was ever answered.
type run struct {
	witness
	front *instance
	other *instance

	client   ledger.ClientID
	keyed    bool   // the client signs in the place of a secret, or a platform does
	trusts   string // the sub of the platform's word; empty if the client signs
	user     string
	who      ledger.Subject    // for whom the logins of the flow are
	key      assertiontest.Key // of the issuers and of the client
	forger   assertiontest.Key
	roots    *x509.CertPool // of issuers whose keys are fetched
	deadline time.Duration  // of the function in front

	strict bool // faults end soon and nobody interferes: the flow must come to its end
}

// newRun seeds a user and a client of the run's own.
func newRun(t testing.TB, label, name string, flow clientFlow, stores storetest.Stores, front requestStores, stats *statistics) *run {
	template := flow.client
	r := &run{
		witness: witness{labelledTB: &labelledTB{TB: t, label: label}, stats: stats, stores: stores, public: template.Public},
		client:  ledger.ClientID("client-" + name), user: "user_" + name,
		deadline: usualDeadline, strict: true,
	}
	r.who, r.key, r.forger, r.roots = oauth.SubjectOf("u_"+r.user), assertiontest.NewKey(r, "EdDSA"), assertiontest.NewKey(r, "EdDSA"), flow.roots
	if flow.hashed {
		r.who = r.providersUser()
	}
	r.subjects = []ledger.Subject{r.who, {Kind: ledger.ClientSubject, ID: string(r.client)}}
	r.lookUp = func(token string) answer { return r.send(r.other, "introspect", "api", itsSecret, "token", token) }
	r.clock.Store(began)
	r.front, r.other = r.instance(front), r.instance(storesOf(stores))
	template.ID = r.client
	keys := assertiontest.JWKS(r, r.key)
	if r.keyed = template.Asserts(); template.JWKS != "" {
		template.JWKS = keys
	}
	if r.trusts = template.Trusts.Subject; r.trusts != "" {
		template.Trusts.Issuer = r.platform()
	}
	r.saveIssuer(r.registered(r.provider(), oauth.HashedSubjects, keys))
	r.saveIssuer(r.registered(r.backEnd(), oauth.NamedSubjects, keys))
	r.saveIssuer(r.registered(r.platform(), oauth.ClientSubjects, keys))
	saveClient(r, stores, template)
	oauthtest.SaveUser(r, stores.UserRegistry, oauth.User{Username: r.user, ID: "u_" + r.user, Created: began}, oauthtest.Password(r.user))
	stats.runs.Add(1)
	return r
}

func (r *run) instance(s requestStores) *instance {
	in := &instance{subjects: s.Subjects, endpoints: map[string]func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error){}}
	log := slog.New(slog.NewJSONHandler(&in.log, nil))
	for name, h := range endpoints(r, s, r.roots, r.clock.Now, log) {
		serve := apigw.Handler(h, wire.Options{Log: log})
		in.endpoints[name] = func(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
			event, err := json.Marshal(e)
			if err != nil {
				return events.APIGatewayV2HTTPResponse{}, err
			}
			answer, err := serve(ctx, event)
			response, _ := answer.(events.APIGatewayV2HTTPResponse)
			return response, err
		}
	}
	return in
}

func (r *run) advance(seconds int64) { r.clock.Add(seconds) }

// expect is for what only a run without strangers and endless faults promises.
func (r *run) expect(ok bool, format string, args ...any) {
	r.Helper()
	if r.strict && !ok {
		r.Errorf(format, args...)
	}
}

// credential is how a client proves itself.
type credential int

const (
	itsID credential = iota
	itsSecret
	itsSignature
)

// credential of the run's client at an endpoint. A signature serves at one alone.
func (r *run) credential(endpoint string) credential {
	switch {
	case r.public:
		return itsID
	case r.keyed && endpoint == "token":
		return itsSignature
	}
	return itsSecret
}

// send is one request with a form.
func (r *run) send(in *instance, endpoint string, client ledger.ClientID, shows credential, pairs ...string) answer {
	r.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "POST /" + endpoint, RawPath: "/" + endpoint,
		Headers: map[string]string{"content-type": "application/x-www-form-urlencoded"},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			DomainName: "fob.example",
			HTTP:       events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: "POST", Path: "/" + endpoint, SourceIP: "192.0.2.7"},
		},
	}
	switch shows {
	case itsID:
		form.Set("client_id", string(client))
	case itsSignature:
		if r.trusts != "" {
			form.Set("client_id", string(client))
		}
		form.Set("client_assertion_type", jwtBearer)
		form.Set("client_assertion", r.signAsClient(r.key))
	case itsSecret:
		e.Headers["authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(string(client)+":"+oauthtest.Secret(client)))
	}
	e.Body = form.Encode()
	return r.serve(in, endpoint, e)
}

// serve lets an instance answer one request, and holds the answer to what every one must be.
func (r *run) serve(in *instance, endpoint string, e events.APIGatewayV2HTTPRequest) answer {
	r.Helper()
	deadline := usualDeadline
	if in == r.front {
		deadline = r.deadline
	}
	in.log.Reset()
	began := time.Now()
	ctx, cancel := context.WithDeadline(r.Context(), began.Add(deadline))
	defer cancel()
	response, err := in.endpoints[endpoint](ctx, e)
	if err != nil {
		r.Errorf("%s was not served: %v", endpoint, err)
	}
	if d := time.Since(began); d >= deadline+lateness {
		r.Errorf("%s took %v of the function's %v", endpoint, d, deadline)
	}
	r.stats.operations.Add(1)

	a := answer{status: response.StatusCode, header: response.Headers, text: response.Body}
	if a.text != "" && json.Unmarshal([]byte(a.text), &a.body) != nil {
		r.Errorf("%s answered %v, which is not JSON", endpoint, a)
	}
	a.access, _ = a.body["access_token"].(string)
	a.refresh, _ = a.body["refresh_token"].(string)
	r.checkAnswer(in, endpoint, a)
	return a
}

// attempt makes one request, again as long as the answer is 503 and only if
// faults are to be expected, and reads the store after each answer.
func (r *run) attempt(in *instance, send func() answer, settle func(answer)) answer {
	r.Helper()
	tries := 1
	if in == r.front {
		tries = maxTries
	}
	for {
		r.visited = false
		a := send()
		settle(a)
		r.observe()
		if tries--; a.status != 503 || tries == 0 {
			return a
		}
	}
}

// ask is a request to the token endpoint.
func (r *run) ask(in *instance, pairs ...string) answer {
	r.Helper()
	return r.attempt(in,
		func() answer { r.Helper(); return r.send(in, "token", r.client, r.credential("token"), pairs...) },
		func(a answer) { r.Helper(); r.born(a) })
}

func (r *run) login(in *instance, scope string) answer {
	r.Helper()
	return r.genuine(r.ask(in, "grant_type", "password", "username", r.user, "password", oauthtest.Password(r.user), "scope", scope))
}

func (r *run) clientCredentials(in *instance) answer {
	r.Helper()
	return r.genuine(r.ask(in, "grant_type", "client_credentials", "scope", "read"))
}

func (r *run) refresh(in *instance, token string) answer {
	r.Helper()
	return r.ask(in, "grant_type", "refresh_token", "refresh_token", token)
}

// replay is a refresh with a token that must end its Authorization.
func (r *run) replay(in *instance, token string) answer {
	r.Helper()
	lineage, done := r.doubtLineage(token)
	defer done()
	a := r.refresh(in, token)
	if a.status == 400 && r.strict {
		r.ended(lineage)
	}
	return a
}

// revoke ends the Authorization of a token, if it holds that token.
func (r *run) revoke(in *instance, token string) answer {
	r.Helper()
	lineage, done := r.doubtLineage(token)
	defer done()
	return r.attempt(in,
		func() answer {
			r.Helper()
			return r.send(in, "revoke", r.client, r.credential("revoke"), "token", token)
		},
		func(a answer) {
			r.Helper()
			if a.status == 200 {
				r.ended(lineage)
			}
		})
}

// introspect asks as the resource server, and as the client itself about a
// refresh token.
func (r *run) introspect(in *instance, token string) answer {
	r.Helper()
	caller := ledger.ClientID("api")
	if strings.HasPrefix(token, "fob_rt_") {
		caller = r.client
	}
	return r.attempt(in,
		func() answer { r.Helper(); return r.send(in, "introspect", caller, itsSecret, "token", token) },
		func(answer) {})
}

// signOut raises the subject's epoch. Its caller tries again like
// a client.
func (r *run) signOut(in *instance) (ok bool) {
	r.Helper()
	return r.signOutBy(in, func(ctx context.Context) error { return in.subjects.Raise(ctx, r.who, oauth.StateChange{}) })
}

// signOutBy ends all sign-ins of the subject by what raises its epoch.
func (r *run) signOutBy(in *instance, raise func(context.Context) error) (ok bool) {
	r.Helper()
	own, done := r.doubt(func(k *answeredToken) bool { return k.token.Locator.Subject == ledger.SubjectKey(r.who) })
	defer done()
	tries := 1
	if in == r.front {
		tries = maxTries
	}
	for range tries {
		r.visited = false
		ctx, cancel := context.WithTimeout(r.Context(), r.deadline-300*time.Millisecond)
		err := raise(ctx)
		cancel()
		r.stats.operations.Add(1)
		if err == nil {
			r.ended(own)
		}
		r.observe()
		if err == nil {
			return true
		}
	}
	return false
}
