package wire

import (
	"io"
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
		got, err := parseForm(body)
		if err != nil {
			t.Errorf("%q: %v", body, err)
		} else if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%q: got -, want +:\n%s", body, diff)
		}
	}
}

// What is accepted says the same when it is written anew, holds known parameters
// with values and UTF-8 alone, and what url.ParseQuery, which is no more lenient,
// reads in it is the same.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		"", "&", "=", "grant_type=password&username=ada&password=x%20y+z&scope=device_ipad",
		"scope=a&scope=a", "scope=&scope", "x=1&x=2&token=%C3%BC", "token=%ff", "token=%", "a;b=c", "%74oken=x", "token=a=b&&client_id=\x00",
		strings.Repeat("a&", 120),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		form, err := parseForm(body)
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
		again, err := parseForm(rewritten.Encode())
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

// What can be refused by method, type or length is refused unread, and a body of
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
		_, err := readForm(httptest.NewRecorder(), r)
		if c.want != nil && err != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if b.read > c.most {
			t.Errorf("%s: read %d bytes, want at most %d", name, b.read, c.most)
		}
	}
}
