package storetest

import (
	"reflect"
	"slices"
	"testing"
)

// The suite compares what it saved with what it reads, so a field that a store forgets is found
// if the suite saves something in it.
func TestFullEntriesAreFull(t *testing.T) {
	for _, full := range []struct {
		entry any
		empty []string
	}{
		{Record("ipad"), []string{"Epochs.Subject"}},        // CheckInvariants: no higher than the state
		{testClient("full"), []string{"Version", "Public"}}, // the suite saves a public one too
		{testIssuer("https://full.example.com"), []string{"Version", "Signer.JWKS"}},
		{testUser("full"), []string{"Version"}},
	} {
		v := reflect.ValueOf(full.entry)
		for _, name := range zeroFields("", v) {
			if !slices.Contains(full.empty, name) {
				t.Errorf("%s.%s is empty", v.Type(), name)
			}
		}
	}
}

func zeroFields(prefix string, v reflect.Value) (names []string) {
	for field, value := range v.Fields() {
		switch {
		case !field.IsExported():
		case value.IsZero():
			names = append(names, prefix+field.Name)
		case value.Kind() == reflect.Struct:
			names = append(names, zeroFields(prefix+field.Name+".", value)...)
		}
	}
	return names
}
