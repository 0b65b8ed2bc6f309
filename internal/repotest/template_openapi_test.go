package repotest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/fob-oauth/fob/internal/laptop"
	"github.com/fob-oauth/fob/internal/openapitest"
)

// openapi: docs/openapi.yaml has the routes of the gateway, and no others but the one that
// is of fob serve alone. A route for GET that is there for the 405 is not described.
func (c *checker) openapi(t *testing.T) {
	documented := openapitest.Routes(t)
	delete(documented, laptop.OpenAPIPath)
	routed := map[string][]string{}
	for _, f := range c.ofType("AWS::Serverless::Function") {
		events, _ := at(f, "Properties", "Events").(map[string]any)
		for name, event := range events {
			method, _ := at(event, "Properties", "Method").(string)
			path, _ := at(event, "Properties", "Path").(string)
			if strings.HasPrefix(name, "WrongMethod") || at(event, "Type") != "HttpApi" {
				continue
			}
			routed[path] = append(routed[path], method)
			slices.Sort(routed[path])
		}
	}
	c.same("docs/openapi.yaml", documented, routed)
}
