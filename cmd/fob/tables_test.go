package main

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// The demo is added only where this says yes, so it must not say so of a place
// that others can reach.
func TestOnlyLoopbackIsLocal(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"http://localhost:8000":                         true,
		"http://LOCALHOST:8000":                         true,
		"https://localhost":                             true,
		"http://127.0.0.1:8000":                         true,
		"http://127.8.9.10:8000":                        true,
		"http://[::1]:8000":                             true,
		"http://[::ffff:127.0.0.1]:8000":                true,
		"":                                              false,
		"localhost:8000":                                false,
		"http://0.0.0.0:8000":                           false,
		"http://10.0.0.1:8000":                          false,
		"http://[::]:8000":                              false,
		"http://localhost.example.com:8000":             false,
		"http://127.0.0.1.example.com":                  false,
		"http://dynamodb:8000":                          false,
		"https://dynamodb.eu-central-1.amazonaws.com":   false,
		"http://localhost:8000@dynamodb.example.com":    false,
		"http://dynamodb.example.com/?http://localhost": false,
		"http://dynamodb.example.com#localhost":         false,
	} {
		tables := tables{endpoint: &setting{value: endpoint}}
		if got := tables.areLocal(); got != want {
			t.Errorf("%q: %v, want %v", endpoint, got, want)
		}
	}
}

// cloudFormation answers DescribeStacks in the words of the service.
type cloudFormation struct {
	url string

	mu     sync.Mutex // guards what follows
	stacks map[string]map[string]string
}

func newCloudFormation(t *testing.T) *cloudFormation {
	c := &cloudFormation{stacks: map[string]map[string]string{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *cloudFormation) deploy(stack string, outputs map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stacks[stack] = outputs
}

type stackOutput struct {
	Key   string `xml:"OutputKey"`
	Value string `xml:"OutputValue"`
}

func (c *cloudFormation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	refuse := func(status int, code, message string) {
		type fault struct {
			XMLName xml.Name `xml:"ErrorResponse"`
			Type    string   `xml:"Error>Type"`
			Code    string   `xml:"Error>Code"`
			Message string   `xml:"Error>Message"`
		}
		w.WriteHeader(status)
		_ = xml.NewEncoder(w).Encode(fault{Type: "Sender", Code: code, Message: message})
	}
	stack := r.FormValue("StackName")
	outputs, deployed := c.stacks[stack]
	switch {
	case r.FormValue("Action") != "DescribeStacks":
		refuse(http.StatusBadRequest, "InvalidAction", "not here")
	case stack == "secret-plans":
		refuse(http.StatusForbidden, "AccessDenied", "not authorized to perform: cloudformation:DescribeStacks")
	case stack == "too-late":
		refuse(http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired")
	case !deployed:
		refuse(http.StatusBadRequest, "ValidationError", "Stack with id "+stack+" does not exist")
	default:
		type response struct {
			XMLName xml.Name      `xml:"DescribeStacksResponse"`
			Name    string        `xml:"DescribeStacksResult>Stacks>member>StackName"`
			Status  string        `xml:"DescribeStacksResult>Stacks>member>StackStatus"`
			Outputs []stackOutput `xml:"DescribeStacksResult>Stacks>member>Outputs>member"`
		}
		answer := response{Name: stack, Status: "CREATE_COMPLETE"}
		for key, value := range outputs {
			answer.Outputs = append(answer.Outputs, stackOutput{key, value})
		}
		_ = xml.NewEncoder(w).Encode(answer)
	}
}
