package oauth

import (
	"errors"
	"testing"

	"github.com/fob-oauth/fob/internal/ledger"
	"github.com/fob-oauth/fob/internal/scope"
)

func parsedScope(t *testing.T, s string) scope.Set {
	t.Helper()
	set, err := scope.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// Cases A43, A15.
func TestRefreshScope(t *testing.T) {
	client := Client{ID: "app", Scopes: parsedScope(t, "read")}
	registered := ResourceScopes{Roles: map[string][]string{"read": nil, "write": nil}}
	granted := ledger.Answer{Scope: parsedScope(t, "read device_ipad")}
	for _, do := range []ledger.Action{ledger.Return, ledger.Save} {
		decided := ledger.Decision{Do: do, Answer: granted}
		for asked, want := range map[string]Code{
			"": "", "read device_ipad": "", "device_ipad read": "", "read read device_ipad": "",
			"device_ipad": "", // as at login, the scopes are left open
			"read":        InvalidScope, "device_iphone": InvalidScope, "read device_iphone": InvalidScope, "read write device_ipad": InvalidScope,
		} {
			q := question{scope: parsedScope(t, asked)}
			if got := codeOf(checkRefresh(new(Event), client, registered, q, decided)); got != want {
				t.Errorf("scope %q: %q, want %q", asked, got, want)
			}
		}
		any := question{}
		if got := codeOf(checkRefresh(new(Event), client, ResourceScopes{}, any, decided)); got != InvalidGrant {
			t.Errorf("a scope that no longer exists: %q", got)
		}
		if got := codeOf(checkRefresh(new(Event), Client{ID: "app"}, registered, any, decided)); got != InvalidGrant {
			t.Errorf("a scope that the client lost: %q", got)
		}
	}
	// A replay ends the Authorization, and a dead token is refused, with any scope.
	for _, do := range []ledger.Action{ledger.Refuse, ledger.End} {
		if err := checkRefresh(new(Event), client, registered, question{scope: parsedScope(t, "admin")}, ledger.Decision{Do: do}); err != nil {
			t.Errorf("%v: %v", do, err)
		}
	}
}

func codeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}
