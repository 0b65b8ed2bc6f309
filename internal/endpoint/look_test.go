package endpoint_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/endpoint"
	"github.com/fob-oauth/fob/internal/secret"
)

// Tokens that fob makes are recognised.
func TestLookAtTokensOfFob(t *testing.T) {
	d := newDeployment(t)
	got, err := d.app.Get(t.Context(), d.login("device_ipad"))
	if err != nil {
		t.Fatal(err)
	}
	active, err := d.api.Introspect(t.Context(), got.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	access, ok := endpoint.Look(got.AccessToken)
	if want := (endpoint.Sight{Kind: "access_token", Format: endpoint.Opaque, KeyID: "1", Expiry: active.Expiry}); !ok || cmp.Diff(want, access) != "" {
		t.Errorf("the access token is seen as %+v, want %+v", access, want)
	}
	refresh, ok := endpoint.Look(got.RefreshToken)
	if !ok || refresh.Kind != "refresh_token" || refresh.Format != endpoint.Opaque || refresh.Expiry <= active.Expiry {
		t.Errorf("the refresh token is seen as %+v", refresh)
	}
	for name, text := range map[string]string{
		"a part":        got.AccessToken.Reveal()[:80],
		"a line end":    got.AccessToken.Reveal() + "\n",
		"more":          got.AccessToken.Reveal() + "AAAA",
		"another kind":  strings.Replace(got.AccessToken.Reveal(), "fob_at_", "fob_xt_", 1),
		"a version":     "fob_at_Ag" + got.AccessToken.Reveal()[9:],
		"nothing":       "",
		"the prefix":    "fob_rt_",
		"an address":    "www.example.com",
		"a broken line": got.AccessToken.Reveal()[:50] + "\n" + got.AccessToken.Reveal()[50:],
	} {
		if s, ok := endpoint.Look(secret.New(text)); ok {
			t.Errorf("%s is seen as %+v", name, s)
		}
	}
}

func jwt(header, claims string) secret.Text {
	e := base64.RawURLEncoding
	return secret.New(e.EncodeToString([]byte(header)) + "." + e.EncodeToString([]byte(claims)) + ".c2lnbmF0dXJl")
}

func TestLookAtJWT(t *testing.T) {
	for _, test := range []struct {
		header, claims string
		want           endpoint.Sight // without header and claims
	}{
		{`{"alg":"RS256","typ":"at+jwt","kid":"k1"}`, `{"exp":1795420800}`, endpoint.Sight{Kind: "access_token", KeyID: "k1", Expiry: 1795420800}},
		{`{"typ":"application/AT+JWT"}`, `{}`, endpoint.Sight{Kind: "access_token"}},
		{`{"typ":"JWT","kid":7}`, `{"exp":1795420800.5}`, endpoint.Sight{Expiry: 1795420800}},
		{`{}`, `{"exp":"soon"}`, endpoint.Sight{}},
		{`{}`, `{"exp":-1}`, endpoint.Sight{}},
		{`{}`, `{"exp":1e300}`, endpoint.Sight{}},
	} {
		got, ok := endpoint.Look(jwt(test.header, test.claims))
		test.want.Format, test.want.Header, test.want.Claims = endpoint.JWT, got.Header, got.Claims
		if diff := cmp.Diff(test.want, got); !ok || diff != "" {
			t.Errorf("%s.%s: %v, %s", test.header, test.claims, ok, diff)
		}
	}
	got, _ := endpoint.Look(jwt(`{}`, `{"sub":"u_1","auth_time":1795420800123}`))
	if diff := cmp.Diff(map[string]any{"sub": "u_1", "auth_time": json.Number("1795420800123")}, got.Claims); diff != "" {
		t.Error(diff)
	}
	for _, test := range [][2]string{{`[]`, `{}`}, {`{}`, `null`}, {`{}`, `{}{}`}, {`{`, `{}`}, {``, ``}} {
		if s, ok := endpoint.Look(jwt(test[0], test[1])); ok {
			t.Errorf("%s.%s is seen as %+v", test[0], test[1], s)
		}
	}
	if s, ok := endpoint.Look(secret.New(jwt(`{}`, `{}`).Reveal() + "\n")); ok {
		t.Errorf("a JWT with a line end is seen as %+v", s)
	}
	if _, ok := endpoint.Look(secret.New("a.b.c.d.e")); ok {
		t.Error("five parts are seen as a JWT")
	}
}
