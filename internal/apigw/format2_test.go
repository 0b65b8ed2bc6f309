package apigw

import (
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/wire"
)

func TestRequest(t *testing.T) {
	want := seen{
		Method: "POST", Path: "/prod/token", Query: "a=%20b&c",
		Host:       "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
		RemoteAddr: "[2001:db8::7]:0",
		Header: http.Header{
			"Authorization":     {"Basic one,Basic two"},
			"Content-Length":    {"12"},
			"Content-Type":      {"application/x-www-form-urlencoded"},
			"Host":              {"evil.example"},
			"X-Forwarded-For":   {"198.51.100.9"},
			"X-Forwarded-Proto": {"http"},
		},
		Length: 12, Body: "grant_type=x", TLS: true,
	}
	encoded := parse(t, event)
	plain := encoded
	plain.Body, plain.IsBase64Encoded = "grant_type=x", false
	for name, e := range map[string]events.APIGatewayV2HTTPRequest{"base64": encoded, "plain": plain} {
		got, err := look(t, t.Context(), e)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%s: got -, want +:\n%s", name, diff)
		}
	}

	twice := encoded
	twice.Headers = map[string]string{"authorization": "one", "Authorization": "two"}
	if got, _ := look(t, t.Context(), twice); len(got.Header.Values("Authorization")) != 2 {
		t.Errorf("of two headers that differ in case, %q is left", got.Header.Values("Authorization"))
	}
}

func TestBodyThatIsNoBase64(t *testing.T) {
	for _, body := range []string{"!", "Z3JhbnRfdHlwZT14=", "Z3JhbnRfdHlwZT1", "Z3JhbnRfdHlwZT14-_"} {
		e := parse(t, event)
		e.Body = body
		if got, err := look(t, t.Context(), e); err == nil || got.Body != "" || got.Length != -1 {
			t.Errorf("%q: body %q of length %d, error %v", body, got.Body, got.Length, err)
		}

		e.Headers = map[string]string{"content-type": "application/x-www-form-urlencoded"}
		resp, err := serve2(t, t.Context(), wire.Token(&oauth.Issuer{}, wire.Options{}), discard, e)
		if want := `{"error":"invalid_request","error_description":"the body cannot be read"}`; err != nil || resp.StatusCode != 400 || resp.Body != want {
			t.Errorf("%q: %d %s, %v", body, resp.StatusCode, resp.Body, err)
		}
	}
}

func TestResponse(t *testing.T) {
	for name, c := range map[string]struct {
		serve func(w http.ResponseWriter)
		want  events.APIGatewayV2HTTPResponse
	}{
		"nothing": {
			func(http.ResponseWriter) {},
			events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: map[string]string{}},
		},
		"body without status": {
			func(w http.ResponseWriter) {
				_, _ = io.WriteString(w, "a")
				_, _ = io.WriteString(w, "b")
			},
			events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: map[string]string{}, Body: "ab"},
		},
		"headers until the status": {
			func(w http.ResponseWriter) {
				w.Header().Add("x-many", "1")
				w.Header().Add("X-Many", "2")
				w.Header().Set("Allow", "POST")
				w.WriteHeader(405)
				w.WriteHeader(200)
				w.Header().Set("X-Late", "1")
				w.Header().Add("X-Many", "3")
				_, _ = io.WriteString(w, "{}")
			},
			events.APIGatewayV2HTTPResponse{StatusCode: 405, Headers: map[string]string{"X-Many": "1, 2", "Allow": "POST"}, Body: "{}"},
		},
	} {
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { c.serve(w) })
		got, err := serve2(t, t.Context(), h, discard, parse(t, event))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, c.want); diff != "" {
			t.Errorf("%s: got -, want +:\n%s", name, diff)
		}
	}
}

// The headers share a slice, and no value gets into another's place.
func TestHeadersOfFormat2(t *testing.T) {
	header := header2(map[string]string{"accept": "a", "Accept": "b", "x-1": "one", "x-2": "two", "x-3": "three"})
	for _, name := range []string{"X-1", "X-2", "X-3"} {
		header.Add(name, "more")
	}
	slices.Sort(header["Accept"])
	if diff := cmp.Diff(header, http.Header{
		"Accept": {"a", "b"}, "X-1": {"one", "more"}, "X-2": {"two", "more"}, "X-3": {"three", "more"},
	}); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}
