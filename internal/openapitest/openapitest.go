// Package openapitest holds answers to docs/openapi.yaml, for the tests of whatever
// answers.
package openapitest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/fob-oauth/fob/docs"
)

// Answer is an answer of an operation, as far as the document distinguishes them. Code is
// the member error of its body, or err (RFC 8935 §2.3), or empty.
type Answer struct {
	Method, Route string
	Status        int
	Code          string
}

// Routes are the methods that the document has for each path. A path with GET has HEAD
// too, as the document says of all.
func Routes(t testing.TB) map[string][]string {
	t.Helper()
	routes := map[string][]string{}
	for path, item := range load(t).Paths.Map() {
		for method := range item.Operations() {
			routes[path] = append(routes[path], method)
			if method == http.MethodGet {
				routes[path] = append(routes[path], http.MethodHead)
			}
		}
		slices.Sort(routes[path])
	}
	return routes
}

// Answers are all that the document has. An answer of each code is one.
func Answers(t testing.TB) []Answer {
	t.Helper()
	var all []Answer
	for path, item := range load(t).Paths.Map() {
		for method, operation := range item.Operations() {
			for text, response := range operation.Responses.Map() {
				status, err := strconv.Atoi(text)
				if err != nil {
					t.Fatalf("%s %s documents the status %q", method, path, text)
				}
				for _, code := range codesOf(response.Value) {
					all = append(all, Answer{method, path, status, code})
				}
			}
		}
	}
	return all
}

// codesOf are the error codes of a response, or the empty one.
func codesOf(r *openapi3.Response) (codes []string) {
	content := r.Content.Get("application/json")
	if content == nil || content.Schema == nil {
		return []string{""}
	}
	for _, part := range append(openapi3.SchemaRefs{content.Schema}, content.Schema.Value.AllOf...) {
		property := cmp.Or(part.Value.Properties["error"], part.Value.Properties["err"])
		if property != nil && part.Ref != errorSchema && part.Ref != eventErrorSchema {
			if text, isText := property.Value.Const.(string); isText {
				return []string{text}
			}
			for _, code := range property.Value.Enum {
				text, _ := code.(string)
				codes = append(codes, text)
			}
			return codes
		}
	}
	return []string{""}
}

// Parameters are those of the form that a POST to the route takes.
func Parameters(t testing.TB, route string) []string {
	t.Helper()
	names := map[string]bool{}
	var collect func(s *openapi3.SchemaRef)
	collect = func(s *openapi3.SchemaRef) {
		for name := range s.Value.Properties {
			names[name] = true
		}
		for _, part := range slices.Concat(s.Value.AllOf, s.Value.OneOf) {
			collect(part)
		}
	}
	collect(load(t).Paths.Value(route).Post.RequestBody.Value.Content.Get("application/x-www-form-urlencoded").Schema)
	return slices.Sorted(maps.Keys(names))
}

const (
	errorSchema      = "#/components/schemas/Error"
	eventErrorSchema = "#/components/schemas/EventError"
)

// Check reports an answer that the document does not have: another status, another body or
// another header, also a body with a member that the schema lacks. The route is as the
// document spells it. Of a method that the document does not have for the route, a 405 is
// right.
func Check(t testing.TB, method, route string, status int, header http.Header, body string) (a Answer) {
	t.Helper()
	doc := load(t)
	item := doc.Paths.Value(route)
	if item == nil {
		t.Errorf("docs/openapi.yaml has no path %s", route)
		return a
	}
	described := method
	if method == http.MethodHead {
		described = http.MethodGet
	}
	operation := item.Operations()[described]
	if operation == nil {
		if status != http.StatusMethodNotAllowed {
			t.Errorf("%s %s: status %d, and docs/openapi.yaml does not have the method", method, route, status)
		}
		return a
	}
	if method == http.MethodHead && body == "" {
		if operation.Responses.Status(status) == nil {
			t.Errorf("HEAD %s: docs/openapi.yaml does not have the status %d", route, status)
		}
		return a
	}
	err := openapi3filter.ValidateResponse(context.WithoutCancel(t.Context()), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: &http.Request{Method: described},
			Route:   &routers.Route{Spec: doc, Path: route, PathItem: item, Method: described, Operation: operation},
		},
		Status:  status,
		Header:  header,
		Body:    io.NopCloser(bytes.NewReader([]byte(body))),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		t.Errorf("%s %s, status %d: docs/openapi.yaml says otherwise: %v\n%s", method, route, status, err, body)
	}
	var members struct{ Error, Err string }
	_ = json.Unmarshal([]byte(body), &members) // one that is not JSON has no code
	return Answer{method, route, status, cmp.Or(members.Error, members.Err)}
}

// load returns the document, once it is known to be OpenAPI.
func load(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := document()
	if err != nil {
		t.Fatalf("docs/openapi.yaml: %v", err)
	}
	return doc
}

var document = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(docs.OpenAPI)
	if err == nil {
		err = doc.Validate(context.Background())
	}
	if err != nil {
		return nil, err
	}
	// To a client the schemas are open. Here a member that they lack is a fault.
	closed := false
	for _, s := range doc.Components.Schemas {
		if s.Value.Type.Is("object") {
			s.Value.UnevaluatedProperties.Has = &closed
		}
	}
	return doc, nil
})
