package wire

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/oauth"
)

// What is accepted says the same when it is written anew, and a header that
// differs in its base64 alone is not accepted beside it.
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
	if err != nil || got.Method != oauth.SecretPost || got.ID != "shop" || got.Secret.Reveal() != "x" {
		t.Errorf("%+v, %v", got, err)
	}
	// What is left goes to the domain: no credentials of the client among it.
	if diff := cmp.Diff(form, oauth.Form{"grant_type": "password", "password": "y"}); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}

	form = oauth.Form{"client_id": "shop", "client_assertion": "x", "client_assertion_type": "y"}
	if got, err = takeCredentials(http.Header{}, form); err == nil || got.Method != oauth.NoCredentials || got.ID != "" || len(form) != 0 {
		t.Errorf("%+v, %v, %v", got, err, form)
	}
}
