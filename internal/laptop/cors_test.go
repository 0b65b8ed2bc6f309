package laptop

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ask sends a request through AllowOrigins and returns the status and the headers that
// browsers look at.
func ask(t *testing.T, origins []string, method, origin string, header ...string) (status int, seen map[string]string) {
	t.Helper()
	inner := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.WriteHeader(http.StatusUnauthorized)
	})
	allow, err := AllowOrigins(origins)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(method, "/devices", nil)
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	allow(inner).ServeHTTP(w, r)
	seen = map[string]string{}
	for _, name := range []string{"Allow-Origin", "Allow-Methods", "Allow-Headers", "Allow-Credentials", "Allow-Private-Network", "Expose-Headers", "Max-Age"} {
		if value := w.Header().Get("Access-Control-" + name); value != "" {
			seen[name] = value
		}
	}
	return w.Code, seen
}

const page, other = "https://app.example.com", "https://other.example.com"

func TestAllowOrigins(t *testing.T) {
	const wantsMethod, wantsHeaders = "Access-Control-Request-Method", "Access-Control-Request-Headers"
	none := map[string]string{}
	for name, c := range map[string]struct {
		origins        []string
		method, origin string
		header         []string
		status         int
		seen           map[string]string
	}{
		"off":                     {nil, "GET", page, nil, 401, none},
		"off, preflight":          {nil, "OPTIONS", page, []string{wantsMethod, "DELETE"}, 401, none},
		"no page":                 {[]string{page}, "GET", "", nil, 401, none},
		"a page":                  {[]string{page}, "GET", page, nil, 401, map[string]string{"Allow-Origin": page, "Expose-Headers": "Www-Authenticate, Retry-After, Date"}},
		"an app":                  {[]string{page, "capacitor://localhost"}, "POST", "capacitor://localhost", nil, 401, map[string]string{"Allow-Origin": "capacitor://localhost", "Expose-Headers": "Www-Authenticate, Retry-After, Date"}},
		"another page":            {[]string{page}, "GET", other, nil, 401, none},
		"a longer name":           {[]string{page}, "GET", page + ".evil.example", nil, 401, none},
		"without encryption":      {[]string{page}, "GET", "http://app.example.com", nil, 401, none},
		"a sandbox":               {[]string{page}, "GET", "null", nil, 401, none},
		"preflight":               {[]string{page}, "OPTIONS", page, []string{wantsMethod, "DELETE", wantsHeaders, "authorization,content-type"}, 204, map[string]string{"Allow-Origin": page, "Allow-Methods": "DELETE", "Allow-Headers": "authorization,content-type", "Max-Age": "7200"}},
		"preflight of a tool":     {[]string{page}, "OPTIONS", page, []string{wantsMethod, "GET", wantsHeaders, "Content-Type, Authorization"}, 204, map[string]string{"Allow-Origin": page, "Allow-Methods": "GET", "Allow-Headers": "authorization,content-type", "Max-Age": "7200"}},
		"preflight elsewhere":     {[]string{page}, "OPTIONS", other, []string{wantsMethod, "DELETE"}, 204, none},
		"preflight of a method":   {[]string{page}, "OPTIONS", page, []string{wantsMethod, "PUT"}, 204, none},
		"preflight of a header":   {[]string{page}, "OPTIONS", page, []string{wantsMethod, "GET", wantsHeaders, "x-secret"}, 204, none},
		"preflight in a network":  {[]string{page}, "OPTIONS", page, []string{wantsMethod, "GET", "Access-Control-Request-Private-Network", "true"}, 204, map[string]string{"Allow-Origin": page, "Allow-Methods": "GET", "Max-Age": "7200"}},
		"OPTIONS of another kind": {[]string{page}, "OPTIONS", page, nil, 401, map[string]string{"Allow-Origin": page, "Expose-Headers": "Www-Authenticate, Retry-After, Date"}},
		"all":                     {[]string{"*"}, "GET", other, nil, 401, map[string]string{"Allow-Origin": "*", "Expose-Headers": "Www-Authenticate, Retry-After, Date"}},
	} {
		status, seen := ask(t, c.origins, c.method, c.origin, c.header...)
		if diff := cmp.Diff(c.seen, seen); diff != "" || status != c.status {
			t.Errorf("%s: status %d, want %d; headers (-want +got):\n%s", name, status, c.status, diff)
		}
	}
}

func TestOriginsThatNoBrowserSends(t *testing.T) {
	for _, origins := range [][]string{
		{""}, {"app.example.com"}, {"https://app.example.com/"}, {"https://app.example.com/path"}, {"https://app.example.com?x"}, {"https://App.example.com"},
		{"https://"}, {"https://:443"}, {"null"}, {"file://"}, {"https://*"}, {"https://*.example.com"}, {"https://user@app.example.com"},
		{"https://a.example,https://b.example"}, {" https://app.example.com"}, {page, "*"},
		{"https://app.example.com:443"}, {"http://localhost:80"}, {"https://app.example.com:"}, {"https://app.example.com:99999"}, {"https://app.example.com:0443"}, {"https://b\u00fccher.example"},
	} {
		if _, err := AllowOrigins(origins); err == nil {
			t.Errorf("%q is taken", origins)
		}
	}
	for _, origin := range []string{"https://localhost", "http://localhost:3000", "capacitor://localhost", "ionic://localhost", "app://com.example.app", "http://[::1]:3000"} {
		if _, err := AllowOrigins([]string{origin}); err != nil {
			t.Error(err)
		}
	}
}
