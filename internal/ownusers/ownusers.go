// Package ownusers asks a team's own system who a name and a password are: a Lambda
// function, or an endpoint for fob serve. docs/own-users.md is the contract.
//
// One question gets one answer within five seconds and 32 KiB, or an error that matches
// [oauth.ErrUnavailable]. No error has anything of a question, nor a value of an answer.
package ownusers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/fob-oauth/fob/internal/jsonobject"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/secret"
)

const (
	timeLimit  = 5 * time.Second // of a question; functions end after ten
	maxAnswer  = 32 << 10        // bytes; 100 roles of 128 have 13 KB
	maxHeaders = 16 << 10
)

// Users is [oauth.OwnUsers] at one address.
type Users struct {
	// request returns the request that puts a question.
	request func(ctx context.Context, body []byte) (*http.Request, error)
	client  *http.Client
}

var _ oauth.OwnUsers = (*Users)(nil)

func newUsers(request func(context.Context, []byte) (*http.Request, error)) *Users {
	return &Users{request, &http.Client{
		// A password goes to the address that was configured and to no other, so there is
		// neither a redirect nor a proxy.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
			TLSHandshakeTimeout:    2 * time.Second,
			IdleConnTimeout:        time.Minute,
			MaxIdleConnsPerHost:    16,
			MaxResponseHeaderBytes: maxHeaders,
			DisableCompression:     true, // the bound on an answer holds for what was sent
		},
	}}
}

// question is the body of a request. Version is 1, and another one is another contract.
type question struct {
	Version  int    `json:"version"`
	Username string `json:"username"`
	Password string `json:"password"`
}

// Ask implements [oauth.OwnUsers].
func (u *Users) Ask(ctx context.Context, username string, password secret.Text) (oauth.OwnUser, bool, error) {
	// JSON would have U+FFFD in its place, and so another password.
	if !utf8.ValidString(username) || !utf8.ValidString(password.Reveal()) {
		return oauth.OwnUser{}, false, nil
	}
	who, proved, err := u.ask(ctx, question{1, username, password.Reveal()})
	if err != nil {
		return oauth.OwnUser{}, false, oauth.Unavailable("ask your own users", err)
	}
	return who, proved, nil
}

func (u *Users) ask(ctx context.Context, q question) (oauth.OwnUser, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	body, err := json.Marshal(q) //nolint:gosec // the password is the question
	if err != nil {
		return oauth.OwnUser{}, false, err
	}
	r, err := u.request(ctx, body)
	if err != nil {
		return oauth.OwnUser{}, false, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	// Not sent: it lets the transport put the question again where a connection that was
	// kept is dead after a freeze.
	r.Header["X-Idempotency-Key"] = nil
	got, err := u.client.Do(r)
	if err != nil {
		return oauth.OwnUser{}, false, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(io.LimitReader(got.Body, maxAnswer+1))
	switch failed := got.Header.Get("X-Amz-Function-Error"); {
	case got.StatusCode != http.StatusOK:
		return oauth.OwnUser{}, false, fmt.Errorf("status %d", got.StatusCode)
	case failed != "":
		return oauth.OwnUser{}, false, errors.New("the function failed: its own log says why")
	case err != nil:
		return oauth.OwnUser{}, false, err
	case len(text) > maxAnswer:
		return oauth.OwnUser{}, false, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	return parse(text)
}

// parse reads an answer. A member that is misspelt is a fault and not left out: it could
// be the one that disables somebody.
func parse(text []byte) (u oauth.OwnUser, proved bool, err error) {
	read, err := jsonobject.Read("the answer", bytes.TrimSpace(text), map[string]any{
		"proved": &proved, "id": &u.ID, "username": &u.Username, "roles": &u.Roles, "disabled": &u.Disabled,
	})
	if err == nil && !read.Has("proved") {
		err = errors.New("the answer has no member proved")
	}
	for name := range read {
		if !read.Has(name) {
			err = errors.Join(err, fmt.Errorf("%s is null", name))
		}
	}
	if !proved && len(read) > 1 {
		err = errors.Join(err, errors.New("an answer that proves nobody has another member"))
	}
	if err == nil && proved {
		err = u.Validate()
	}
	if err != nil {
		return oauth.OwnUser{}, false, err
	}
	return u, proved, nil
}
