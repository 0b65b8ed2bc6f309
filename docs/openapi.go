// Package docs has what fob hands out of the documents.
package docs

import _ "embed"

// OpenAPI is openapi.yaml, which describes the endpoints in OpenAPI 3.1.
//
//go:embed openapi.yaml
var OpenAPI []byte

// EventsOut is events-out.schema.json, the JSON Schema of the events that leave fob.
//
//go:embed events-out.schema.json
var EventsOut []byte
