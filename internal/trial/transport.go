package trial

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// Base is the address that requests through a [Transport] are sent to. It leads nowhere
// (RFC 2606).
const Base = "https://trial.invalid"

// Lambda calls functions: a *lambda.Client.
type Lambda interface {
	Invoke(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

// Transport is an [http.RoundTripper] that hands each request to the version of a function,
// as API Gateway would (payload format 2.0).
type Transport struct {
	Lambda Lambda
	// Versions are the ARNs of versions by the path that each answers.
	Versions map[string]string
}

// RoundTrip implements [http.RoundTripper]. A function that failed in place of an answer is
// an error.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	version, known := t.Versions[r.URL.Path]
	if !known {
		return nil, fmt.Errorf("no function answers %s", r.URL.Path)
	}
	event, err := eventOf(r)
	if err != nil {
		return nil, err
	}
	out, err := t.Lambda.Invoke(r.Context(), &lambda.InvokeInput{FunctionName: aws.String(version), Payload: event})
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", version, err)
	}
	if out.FunctionError != nil { // the payload may repeat what was sent
		return nil, fmt.Errorf("%s failed: %s", version, *out.FunctionError)
	}
	var answer events.APIGatewayV2HTTPResponse
	if json.Unmarshal(out.Payload, &answer) != nil || answer.StatusCode == 0 || answer.IsBase64Encoded {
		return nil, fmt.Errorf("%s answered something that is not an answer to the gateway", version)
	}
	header := http.Header{}
	for name, value := range answer.Headers {
		header.Set(name, value)
	}
	return &http.Response{StatusCode: answer.StatusCode, Header: header, Body: io.NopCloser(strings.NewReader(answer.Body)), Request: r}, nil
}

func eventOf(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	headers := map[string]string{}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	return json.Marshal(events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: r.Method + " " + r.URL.Path, RawPath: r.URL.Path, Headers: headers,
		Body: base64.StdEncoding.EncodeToString(body), IsBase64Encoded: true,
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			DomainName: r.URL.Host, RequestID: "trial",
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: r.Method, Path: r.URL.Path, Protocol: "HTTP/1.1", SourceIP: "127.0.0.1"},
		},
	})
}
