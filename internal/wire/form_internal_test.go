package wire

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/oauth"
)

func TestParseForm(t *testing.T) {
	for body, want := range map[string]oauth.Form{
		"":                                 {},
		"&&":                               {},
		"grant_type=a&scope=b+c%20d":       {"grant_type": "a", "scope": "b c d"},
		"grant_type=a=b&username==":        {"grant_type": "a=b", "username": "="},
		"password=%2B%26%3D%25&unknown=1":  {"password": "+&=%"},
		"scope=&token&username=%C3%BC":     {"username": "\u00fc"},
		"%67rant_type=a":                   {"grant_type": "a"},
		"Scope=a&SCOPE=b&scope%20=c&tok=d": {},
	} {
		got, err := parseForm(body, isKnown)
		if err != nil {
			t.Errorf("%q: %v", body, err)
		} else if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%q: got -, want +:\n%s", body, diff)
		}
	}
}

// An accepted form says the same when it is written anew, holds known parameters
// with values and UTF-8 alone, and url.ParseQuery, which is no more lenient,
// reads the same in it.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		"", "&", "=", "grant_type=password&username=ada&password=x%20y+z&scope=device_ipad",
		"scope=a&scope=a", "scope=&scope", "x=1&x=2&token=%C3%BC", "token=%ff", "token=%", "a;b=c", "%74oken=x", "token=a=b&&client_id=\x00",
		strings.Repeat("a&", 120),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		form, err := parseForm(body, isKnown)
		if err != nil {
			if form != nil {
				t.Errorf("an error and %v", form)
			}
			return
		}
		values, err := url.ParseQuery(body)
		if err != nil {
			t.Fatalf("accepted what net/url refuses: %v", err)
		}
		rewritten := url.Values{}
		for name, value := range form {
			if got := values[name]; !isKnown(name) || value == "" || len(got) != 1 || got[0] != value {
				t.Errorf("%q is %q here and %q for net/url", name, value, got)
			}
			rewritten.Set(name, value)
		}
		again, err := parseForm(rewritten.Encode(), isKnown)
		if err != nil || !cmp.Equal(again, form) {
			t.Errorf("written anew it is %v, %v; it was %v", again, err, form)
		}
	})
}

// A secret is found in any query in which net/url would find it.
func FuzzSecretInQuery(f *testing.F) {
	for _, seed := range []string{"", "token=x", "%74oken", "a=%zz&password=x", "a;token=b", "tok%65n=1&%zz", "tokens=1", "x=token"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		found := nameInQuery(query, isSecretName)
		values, _ := url.ParseQuery(query) // what can be read of it
		for name := range values {
			if isSecretName(name) && !found {
				t.Errorf("%q was not found", name)
			}
		}
	})
}

// body counts what is read of it.
type body struct {
	io.Reader
	read int
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read += n
	return n, err
}

// A request that can be refused by method, type or length is refused unread, and a body of
// unknown length is not read to its end (A56).
func TestReadFormReadsNoMoreThanItMust(t *testing.T) {
	const formType = "application/x-www-form-urlencoded"
	long := strings.Repeat("x", 200_000)
	for name, c := range map[string]struct {
		method, contentType string
		length              int64
		body                string
		want                error
		most                int
	}{
		"method":         {"PUT", formType, -1, long, errMethod, 0},
		"type":           {"POST", "text/plain", -1, long, nil, 0},
		"length":         {"POST", formType, 200_000, long, errTooLarge, 0},
		"unknown length": {"POST", formType, -1, long, errTooLarge, maxBody + 1},
		"false length":   {"POST", formType, 10, long, errTooLarge, maxBody + 1},
		"exact":          {"POST", formType, -1, long[:maxBody], nil, maxBody},
	} {
		b := &body{Reader: strings.NewReader(c.body)}
		r := httptest.NewRequest(c.method, "/", b)
		r.ContentLength = c.length
		r.Header.Set("Content-Type", c.contentType)
		_, err := readForm(httptest.NewRecorder(), r, isKnown)
		if c.want != nil && err != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if b.read > c.most {
			t.Errorf("%s: read %d bytes, want at most %d", name, b.read, c.most)
		}
	}
}

// An accepted header says the same when it is written anew, and a header that
// differs in its base64 alone is not accepted next to it.
func FuzzBasic(f *testing.F) {
	for _, pair := range []string{"", ":", "shop:x", "sh%6Fp:%2B+", "a:b:c", "a%zz:b", "a:\xff", "\u00fc:%C3%BC", "a:b\x00"} {
		f.Add("Basic " + base64.StdEncoding.EncodeToString([]byte(pair)))
	}
	for _, header := range []string{"", "Basic", "basic  YTpi", "Bearer YTpi", "Basic YTpi\n", "Basic YTp=", "Basic YTo=", "Basic YTp\r\ni"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		id, password, ok := parseBasic(header)
		if !ok {
			if id != "" || password.Len() != 0 {
				t.Errorf("refused, and yet %q with %d bytes", id, password.Len())
			}
			return
		}
		pair := url.QueryEscape(id) + ":" + url.QueryEscape(password.Reveal())
		id2, password2, ok := parseBasic("Basic " + base64.StdEncoding.EncodeToString([]byte(pair)))
		if !ok || id2 != id || !password2.Equal(password) {
			t.Errorf("written anew it is not the same: %q and %q", id, id2)
		}
		for _, altered := range []string{header + "=", header + " ", header + "A", header + "\n", header[:len(header)-1]} {
			if id2, password2, ok := parseBasic(altered); ok && id2 == id && password2.Equal(password) {
				t.Errorf("%q means the same", altered)
			}
		}
	})
}

func TestTakeCredentials(t *testing.T) {
	form := oauth.Form{
		"client_id": "shop", "client_secret": "x", "grant_type": "password", "password": "y",
	}
	got, err := takeCredentials(http.Header{}, form)
	if err != nil || got.ID != "shop" || got.Secret.Reveal() != "x" {
		t.Errorf("%+v, %v", got, err)
	}
	// The rest goes to the domain, without credentials of the client.
	if diff := cmp.Diff(form, oauth.Form{"grant_type": "password", "password": "y"}); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}

	form = oauth.Form{"client_assertion": "x", "client_assertion_type": jwtBearerAssertion}
	if got, err = takeCredentials(http.Header{}, form); err != nil || got.ID != "" || got.Secret.Len() > 0 || got.Assertion.Reveal() != "x" || len(form) != 0 {
		t.Errorf("%+v, %v, %v", got, err, form)
	}
	form = oauth.Form{"client_id": "shop", "client_assertion": "x", "client_assertion_type": "y"}
	if got, err = takeCredentials(http.Header{}, form); err == nil || got.ID != "" || len(form) != 0 {
		t.Errorf("%+v, %v, %v", got, err, form)
	}
}
