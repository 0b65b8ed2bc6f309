package oauth

import (
	"reflect"
	"testing"

	"github.com/fob-oauth/fob/internal/bearer"
)

// A grant can neither mint nor write a record, because nothing that it holds can. A function
// of the Issuer that it holds answers one question.
func TestGrantsHoldNoKeysAndNoTokens(t *testing.T) {
	withheld := []reflect.Type{
		reflect.TypeFor[Keys[*bearer.MintRing]](), reflect.TypeFor[*bearer.MintRing](),
		reflect.TypeFor[Tokens](), reflect.TypeFor[Subjects](), reflect.TypeFor[*Issuer](),
	}
	var look func(where string, of reflect.Type)
	look = func(where string, of reflect.Type) {
		for _, w := range withheld {
			if of == w {
				t.Errorf("%s is a %s", where, of)
			}
		}
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		if of.Kind() == reflect.Struct && of.PkgPath() == reflect.TypeFor[Issuer]().PkgPath() {
			for field := range of.Fields() {
				look(where+"."+field.Name, field.Type)
			}
		}
	}
	for _, g := range []grant{passwordGrant{}, clientCredentialsGrant{}, refreshTokenGrant{}, assertionGrant{}} {
		of := reflect.TypeOf(g)
		look(of.Name(), of)
	}
}
