package ownusers

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/fob-oauth/fob/internal/loopback"
)

// AtURL asks an endpoint by POST. Its address is https, or http on this machine.
func AtURL(address string) (*Users, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("it must be an https URL")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("it must be a URL without a user, a query and a fragment: an error could show what is in them")
	case u.Scheme == "http" && !loopback.Is(u.Hostname()):
		return nil, errors.New("it must be an https URL, because passwords go there; http is for this machine alone")
	}
	return newUsers(func(ctx context.Context, body []byte) (*http.Request, error) {
		return http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	}), nil
}
