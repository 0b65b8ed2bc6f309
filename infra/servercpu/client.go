//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/fob-oauth/fob/internal/endpoint"
	"github.com/fob-oauth/fob/internal/secret"
	"github.com/fob-oauth/fob/internal/wire"
)

var verbNames = []string{"returned", "introspected", "forged", "revoked", "refreshed"}

// members are those of an answer.
type members map[string]any

func (m members) text(name string) string {
	text, _ := m[name].(string)
	return text
}

// verb is a kind of request.
type verb struct {
	name         string
	id           string // of the client
	clientSecret string // empty: it is public
	path         string // of the endpoint
	form         url.Values
	// next is the member of an answer that takes the place of the parameter of this
	// name in the next request, as a refresh token does.
	next string
	// want reports whether an answer is as it should be; nil takes all.
	want func(members) bool
}

// atFloor is the same request to the floor, whose answer is a constant.
func (v verb) atFloor() verb {
	v.next, v.want = "", nil
	return v
}

// verb prepares a kind of request.
func (s service) verb(ctx context.Context, name string) (verb, error) {
	token := verb{
		name: name, path: wire.TokenPath, id: s.ClientID, clientSecret: s.ClientSecret,
		form: url.Values{"grant_type": {"client_credentials"}, "scope": {"device_cpu"}},
		want: func(got members) bool { return got.text("access_token") != "" },
	}
	login := token
	login.id, login.clientSecret = s.AppID, ""
	login.form = url.Values{"grant_type": {"password"}, "username": {s.Username}, "password": {s.Password}, "scope": {"device_cpu"}}
	switch name {
	case "returned":
		_, err := s.send(ctx, token)
		return token, err
	case "refreshed":
		got, err := s.send(ctx, login)
		v := login
		v.form, v.next = url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.text("refresh_token")}}, "refresh_token"
		return v, err
	case "introspected", "forged":
		got, err := s.send(ctx, login)
		text, active := got.text("access_token"), true
		if name == "forged" && text != "" {
			text, active = text[:len(text)-1]+otherThan(text[len(text)-1]), false
		}
		return verb{
			name: name, path: wire.IntrospectPath, id: s.ResourceID, clientSecret: s.ResourceSecret, form: url.Values{"token": {text}},
			want: func(got members) bool { return got["active"] == active },
		}, err
	case "revoked":
		token.form.Set("scope", "device_revoked")
		got, err := s.send(ctx, token)
		return verb{name: name, path: wire.RevokePath, id: s.ClientID, clientSecret: s.ClientSecret, form: url.Values{"token": {got.text("access_token")}}}, err
	}
	return verb{}, fmt.Errorf("no request is called %q: want some of %s", name, strings.Join(verbNames, " "))
}

// otherThan is a letter of base64url that is not c and leaves the bits that a last letter
// does not use.
func otherThan(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	at := strings.IndexByte(alphabet, c)
	return string(alphabet[(at+32)%len(alphabet)])
}

// send sends a request once.
func (s service) send(ctx context.Context, v verb) (got members, err error) {
	said, err := endpoint.New(s.Issuer, v.id, secret.New(v.clientSecret), nil).Post(ctx, v.path, v.form)
	if err == nil {
		err = said.Refused()
	}
	if err == nil {
		err = said.Decode(&got)
	}
	if err == nil && v.want != nil && !v.want(got) {
		err = errors.New("not the answer that it should be")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.name, err)
	}
	return got, nil
}

// spend sends requests one after the other and returns the processor time that the
// server took for each, on average.
func (s *server) spend(ctx context.Context, requests int, v verb) (time.Duration, error) {
	before, err := s.spent()
	if err != nil {
		return 0, err
	}
	for range requests {
		got, err := s.service.send(ctx, v)
		if err != nil {
			return 0, err
		}
		if v.next != "" {
			v.form.Set(v.next, got.text(v.next))
		}
	}
	after, err := s.spent()
	return (after - before) / time.Duration(requests), err
}
