package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fob-oauth/fob/internal/endpoint"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/wire"
)

// service is the deployment as an app and an API see it.
type service struct {
	cast     *cast
	app, api *endpoint.Client
}

func newService(base string, workers int, c *cast) *service {
	transport, _ := http.DefaultTransport.(*http.Transport)
	transport = transport.Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = workers, workers
	return &service{
		cast: c,
		app:  endpoint.New(base, string(appOf(c.name)), secret.Text{}, transport),
		api:  endpoint.New(base, string(apiOf(c.name)), c.apiSecret, transport),
	}
}

// phone is one device of one user, and what it knows. One worker has it.
type phone struct {
	service          *service
	username, device string // the device as a scope

	access, refresh string    // of the sign-in; empty when signed out
	since           time.Time // when access was seen first
	lifetime        time.Duration
	unsure          bool   // an answer was missing: which token is current is not known
	ended           string // the access token of the sign-in before, which was revoked
}

// answer is what a phone looks at.
type answer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	ExpiresIn    int64  `json:"expires_in"`
	Scope        string `json:"scope"`

	Active   *bool  `json:"active"`
	Username string `json:"username"`
	ClientID string `json:"client_id"`
	Device   string `json:"device"`
}

// do makes the request of a verb. It returns what was wrong, in words that are the same
// for each case of it, or nothing.
func (p *phone) do(ctx context.Context, v verb) (fault string) {
	switch v {
	case login, again, refresh:
		fault = p.askForToken(ctx, v)
	case introspect:
		fault = p.introspect(ctx, p.access, true)
	case ended:
		fault = p.introspect(ctx, p.ended, false)
	case revoke:
		if _, fault = p.post(ctx, p.service.app, wire.RevokePath, url.Values{"token": {p.access}}); fault == "" {
			p.ended, p.access, p.refresh = p.access, "", ""
		}
	}
	if isUnanswered(fault) {
		p.access, p.refresh, p.unsure = "", "", true
	}
	return fault
}

func (p *phone) askForToken(ctx context.Context, v verb) (fault string) {
	form := url.Values{"grant_type": {"password"}, "username": {p.username}, "password": {p.service.cast.password.Reveal()}, "scope": {p.device}}
	if v == refresh {
		form = url.Values{"grant_type": {"refresh_token"}, "refresh_token": {p.refresh}}
	}
	got, fault := p.post(ctx, p.service.app, wire.TokenPath, form)
	if fault != "" {
		if !isUnanswered(fault) { // refused: the next login is a new start
			p.access, p.refresh, p.unsure = "", "", true
		}
		return fault
	}
	fault = p.judge(v, got)
	if got.AccessToken != p.access {
		p.since, p.lifetime = time.Now(), time.Duration(got.ExpiresIn)*time.Second
	}
	p.access, p.refresh, p.unsure = got.AccessToken, got.RefreshToken, false
	return fault
}

// judge says what is wrong with tokens. In the second half of its life a token may give way
// to the next.
func (p *phone) judge(v verb, got answer) (fault string) {
	young := time.Since(p.since) < p.lifetime/2-5*time.Second
	switch {
	case got.AccessToken == "" || got.RefreshToken == "" || got.ExpiresIn < 1:
		return "wrong: an answer without both tokens and a lifetime"
	case !strings.Contains(" "+got.Scope+" ", " "+p.device+" "):
		return "wrong: a token that is not for the device"
	case v == login && !p.unsure && got.AccessToken == p.ended:
		return "wrong: a token that was revoked comes back"
	case v != login && young && got.AccessToken != p.access:
		return "wrong: another token while the first is young"
	case v == again && young && got.RefreshToken != p.refresh:
		return "wrong: another refresh token at a login"
	case v == refresh && got.RefreshToken == p.refresh:
		return "wrong: a refresh token that did not rotate"
	}
	return ""
}

func (p *phone) introspect(ctx context.Context, token string, want bool) (fault string) {
	got, fault := p.post(ctx, p.service.api, wire.IntrospectPath, url.Values{"token": {token}})
	switch {
	case fault != "":
		return fault
	case got.Active == nil:
		return "wrong: an introspection that does not say active or not"
	case *got.Active && !want:
		return "wrong: a token that was revoked is active"
	case !*got.Active && want:
		return "wrong: a token in force is inactive"
	case want && (got.Username != p.username || got.Device != nameOfDevice(p.device) || got.ClientID != string(appOf(p.service.cast.name))):
		return "wrong: a token of somebody else"
	case !want && got.Username+got.Device+got.ClientID != "":
		return "wrong: an inactive token that says whose it was"
	}
	return ""
}

// noAnswer begins a fault after which nobody knows what the service did.
const noAnswer = "no answer"

func isUnanswered(fault string) bool { return strings.HasPrefix(fault, noAnswer) }

// post sends a form. A fault names no address, no token and no password.
func (p *phone) post(ctx context.Context, client *endpoint.Client, path string, form url.Values) (got answer, fault string) {
	said, err := client.Post(ctx, path, form)
	if _, none := errors.AsType[*endpoint.NoAnswerError](err); none || said.Status == 0 {
		return got, noAnswer + reason(err)
	}
	if refused, ok := errors.AsType[*endpoint.RefusedError](said.Refused()); ok {
		switch {
		case refused.Status >= 500: // it may have been done
			return got, fmt.Sprintf("%s: status %d", noAnswer, refused.Status)
		case refused.Code != "":
			return got, fmt.Sprintf("refused: status %d %q", refused.Status, refused.Code)
		}
		return got, fmt.Sprintf("refused: status %d", refused.Status)
	}
	if err != nil || said.Decode(&got) != nil {
		return got, "wrong: a body that is not an answer of fob"
	}
	return got, ""
}

func reason(err error) string {
	if timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok && timeout.Timeout() {
		return ": too late"
	}
	return ": the connection failed"
}
