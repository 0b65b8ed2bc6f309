//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

var verbNames = []string{"returned", "introspected", "forged", "revoked", "refreshed"}

// verb is a kind of request.
type verb struct {
	name     string
	endpoint string
	id       string // of the client, which authenticates by Basic unless secret is empty
	secret   string
	form     url.Values
	// next is the member of an answer that takes the place of the parameter of this
	// name in the next request, as a refresh token does.
	next string
	// want is a text that each answer has.
	want string
}

// like is a request with the same form to another endpoint, whatever it answers.
func (v verb) like(endpoint string) verb {
	v.endpoint, v.next, v.want = endpoint, "", ""
	return v
}

type client struct {
	http    *http.Client
	service service
}

func newClient(s service) *client { return &client{&http.Client{Timeout: 10 * time.Second}, s} }

// verb prepares a kind of request.
func (c *client) verb(ctx context.Context, name string) (verb, error) {
	s := c.service
	token := verb{
		name: name, endpoint: s.Token, id: s.ClientID, secret: s.ClientSecret, want: `"access_token"`,
		form: url.Values{"grant_type": {"client_credentials"}, "scope": {"device_cpu"}},
	}
	login := token
	login.id, login.secret = s.AppID, ""
	login.form = url.Values{"grant_type": {"password"}, "username": {s.Username}, "password": {s.Password}, "scope": {"device_cpu"}}
	switch name {
	case "returned":
		_, err := c.send(ctx, token)
		return token, err
	case "refreshed":
		got, err := c.send(ctx, login)
		v := login
		v.form, v.next = url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got["refresh_token"]}}, "refresh_token"
		return v, err
	case "introspected", "forged":
		got, err := c.send(ctx, login)
		text, want := got["access_token"], `"active":true`
		if name == "forged" && text != "" {
			text, want = text[:len(text)-1]+otherThan(text[len(text)-1]), `"active":false`
		}
		return verb{name: name, endpoint: s.Introspect, id: s.ResourceID, secret: s.ResourceSecret, want: want, form: url.Values{"token": {text}}}, err
	case "revoked":
		token.form.Set("scope", "device_revoked")
		got, err := c.send(ctx, token)
		return verb{name: name, endpoint: s.Revoke, id: s.ClientID, secret: s.ClientSecret, form: url.Values{"token": {got["access_token"]}}}, err
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

// spend sends requests one after the other and returns the processor time that the
// server took for each, on average.
func (c *client) spend(ctx context.Context, s *server, requests int, v verb) (time.Duration, error) {
	before, err := s.spent()
	if err != nil {
		return 0, err
	}
	for range requests {
		got, err := c.send(ctx, v)
		if err != nil {
			return 0, err
		}
		if v.next != "" {
			v.form.Set(v.next, got[v.next])
		}
	}
	after, err := s.spent()
	return (after - before) / time.Duration(requests), err
}

// send sends one request and returns the members of the answer that are strings.
func (c *client) send(ctx context.Context, v verb) (map[string]string, error) {
	form := v.form
	if v.secret == "" {
		form = url.Values{"client_id": {v.id}}
		for name, values := range v.form {
			form[name] = slices.Clone(values)
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, v.endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if v.secret != "" {
		r.SetBasicAuth(v.id, v.secret)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), v.want) {
		return nil, fmt.Errorf("%s: answered %d, not as it should", v.name, resp.StatusCode)
	}
	var members map[string]any
	_ = json.Unmarshal(body, &members) // an answer to a revocation is empty
	got := map[string]string{}
	for name, value := range members {
		if s, ok := value.(string); ok {
			got[name] = s
		}
	}
	return got, nil
}
