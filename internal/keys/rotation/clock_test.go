package rotation

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/fob-oauth/fob/internal/bearer"
)

// By a clock that is two hours behind, the key set would lose a key an hour before its last
// JWT of 30 days ends, and by one of last year at once. A key that leaked is ended by any clock.
func TestSlowClock(t *testing.T) {
	for ahead, refused := range map[time.Duration]bool{-2 * time.Hour: false, 5 * time.Minute: false, 2 * time.Hour: true} {
		s, _ := secretsManager(t)
		there, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		proxy := httptest.NewServer(&httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(there) },
			ModifyResponse: func(r *http.Response) error {
				r.Header.Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
				return nil
			},
		})
		t.Cleanup(proxy.Close)
		s.URL = proxy.URL
		v := NewVault(at(s), mintARN, checkARN)

		d, _, err := read(t, v).Sign(began)
		if err == nil {
			d, err = v.Write(t.Context(), d)
		}
		if err != nil {
			t.Fatal(err)
		}
		next, k, err := d.Add(began)
		if refused {
			wantRefusal(t, err, SlowClock)
			d.behind = 0 // an operator with a good clock adds it
			if next, k, err = d.Add(began); err != nil {
				t.Fatal(err)
			}
		}
		if _, err = v.Write(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		d = read(t, v)
		switch _, err = d.Activate(k.KID, began.Add(PublicationWait)); {
		case refused:
			wantRefusal(t, err, SlowClock)
		case err != nil:
			t.Errorf("AWS is %v ahead: %v", ahead, err)
		}
		if d, _, err = d.RetireNow(1, began.Add(time.Minute)); err == nil {
			_, err = v.Write(t.Context(), d)
		}
		if k, _ := read(t, v).Key(1); err != nil || k.State != bearer.Retired {
			t.Errorf("AWS is %v ahead: key 1 is %s, %v", ahead, k.State, err)
		}
	}
}
