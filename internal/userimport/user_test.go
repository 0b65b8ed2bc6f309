package userimport

import (
	"strings"
	"testing"
)

const someHash = `"$argon2id$v=19$m=19456,t=2,p=1$ZXhhbXBsZS1zYWx0LTAwMQ$aQ+Sd/43oZLQ6N2Wud/785UYtl4pSGQUpSOfAYtweZA"`

// A member that a back end leaves out is absent, and an empty password is a slip.
func TestParseUser(t *testing.T) {
	for _, c := range []struct {
		body    string
		has     string // of password, hash and none
		refused string
	}{
		{`{"username":"ann"}`, "none", ""},
		{`{"username":"ann","password":null,"password_hash":null,"roles":null}`, "none", ""},
		{`{"username":"ann","password":"long enough"}`, "password", ""},
		{`{"username":"ann","password":""}`, "password", ""}, // which the policy refuses
		{`{"username":"ann","password_hash":` + someHash + `}`, "hash", ""},
		{`{"username":"ann","password_hash":""}`, "", "there is no password hash"},
		{`{"username":"ann","salt":"x"}`, "", "there is no password hash"},
		{`{"username":"ann","password":"x","password_hash":` + someHash + `}`, "", "a password, and a hash"},
		{`{"username":"ann","password":"x","digest":"SHA-1"}`, "", "a password, and a hash"},
		{`{"username":"ann","password":"x","password":"y"}`, "", "password is there twice"},
		{`{"username":"ann","admin":true}`, "", "is not known"},
	} {
		u, err := ParseUser([]byte(c.body))
		if c.refused != "" {
			if err == nil || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%s: %v; want %q", c.body, err, c.refused)
			}
			continue
		}
		got := "password"
		if u.WithoutPassword {
			got = "none"
		} else if u.Hash != nil {
			got = "hash"
		}
		if err != nil || got != c.has || u.Username != "ann" {
			t.Errorf("%s: %s, %+v, %v; want %s", c.body, got, u, err, c.has)
		}
	}
}
