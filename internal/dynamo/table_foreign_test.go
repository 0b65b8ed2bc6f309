package dynamo_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/dynamo"
	"github.com/fob-oauth/fob/internal/oauth"
)

// foreign is what an HTTP server answers that is not DynamoDB.
func foreign(status int, kind, body string) answer {
	return func(request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

// To the SDK an empty 200 says that a write was made, and that a read found nothing.
func TestAnswersOfOtherServersAreNone(t *testing.T) {
	for name, says := range map[string]answer{
		"an empty body": foreign(http.StatusOK, "", ""),
		"a JSON object": foreign(http.StatusOK, "application/json", "{}"),
		"a page":        foreign(http.StatusOK, "text/html", "<html>"),
		"a 404":         foreign(http.StatusNotFound, "application/json", `{"error":"not_found"}`),
		"a redirect":    foreign(http.StatusMovedPermanently, "text/html", ""),
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, ctx context.Context, _ *oauth.Event) {
				s, stores := scripted(says)
				_, found, read := stores.Clients.Client(ctx, "shop")
				_, saved := stores.Clients.SaveClient(ctx, oauth.Client{ID: "shop"})
				for doing, err := range map[string]error{"read": read, "save": saved} {
					if _, ok := errors.AsType[*dynamo.ForeignError](err); !ok || !errors.Is(err, oauth.ErrUnavailable) || found {
						t.Errorf("%s: %v; want a ForeignError that is unavailable", doing, err)
					}
				}
				if len(s.requests) != 2 {
					t.Errorf("%d requests for two calls", len(s.requests))
				}
			})
		})
	}
}

// An engine that leaves one header out is believed.
func TestAnswersOfEngines(t *testing.T) {
	inBubble(t, func(t *testing.T, ctx context.Context, _ *oauth.Event) {
		for _, header := range []http.Header{
			{"Content-Type": {"application/x-amz-json-1.0"}},
			{"Content-Type": {"application/json"}, "X-Amzn-Requestid": {"1"}},
		} {
			_, stores := scripted(func(request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(strings.NewReader("{}"))}, nil
			})
			if _, found, err := stores.Clients.Client(ctx, "shop"); found || err != nil {
				t.Errorf("%v: found %v, %v", header, found, err)
			}
		}
	})
}
