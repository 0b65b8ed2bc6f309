// Package announcetest holds events to docs/events-out.schema.json, for the tests of
// what makes them.
package announcetest

import (
	"bytes"
	"encoding/json"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/fob-oauth/fob/docs"
)

var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	const name = "events-out.schema.json"
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(docs.EventsOut))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name, document); err != nil {
		return nil, err
	}
	return c.Compile(name)
})

// Check returns what is wrong with an event, as JSON text or as a value that becomes it.
func Check(event any) error {
	schema, err := compiled()
	if err != nil {
		return err
	}
	text, isText := event.([]byte)
	if !isText {
		if text, err = json.Marshal(event); err != nil {
			return err
		}
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// Valid is an error of the test for each event that the schema refuses.
func Valid[E any](t testing.TB, events ...E) {
	t.Helper()
	for _, e := range events {
		if err := Check(e); err != nil {
			t.Errorf("%+v: %v", e, err)
		}
	}
}
