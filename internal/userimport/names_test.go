package userimport

import "testing"

func TestNames(t *testing.T) {
	strip := Names{Domains: []string{"PRIMARY", "LDAP"}, Tenants: []string{"carbon.super", "shop.example"}}
	for _, tt := range []struct {
		names    Names
		in, want string // no want: refused
	}{
		{strip, "ann", "ann"},
		{strip, "PRIMARY/zoe\u0308@carbon.super", "zo\u00eb"},
		{strip, "PRIMARY/ann", "ann"},
		{strip, "primary/ann@Carbon.Super", "ann"},
		{strip, "LDAP/ann@shop.example", "ann"},
		{strip, "ann@example.com@carbon.super", "ann@example.com"},
		{strip, "ann@example.com", "ann@example.com"},
		{strip, "OTHER/ann", "OTHER/ann"},
		{strip, "PRIMARYann", "PRIMARYann"},
		{strip, "anncarbon.super", "anncarbon.super"},
		{strip, "LDAP/PRIMARY/ann", ""}, // one of each, and then it is not clear
		{Names{}, "ann", "ann"},
		{Names{}, "LDAP/ann@shop.example", "LDAP/ann@shop.example"},
		{Names{}, "PRIMARY/ann", ""},
		{Names{}, "ann@carbon.super", ""},
		{Names{Domains: []string{"PRIMARY"}}, "PRIMARY/ann@carbon.super", ""},
		{Names{Keep: true}, "PRIMARY/ann@carbon.super", "PRIMARY/ann@carbon.super"},
		{Names{Keep: true, Tenants: []string{"carbon.super"}}, "PRIMARY/ann@carbon.super", "PRIMARY/ann"},
	} {
		got, err := tt.names.of(tt.in)
		if (err == nil) != (tt.want != "") || err == nil && got != tt.want {
			t.Errorf("%+v: %q becomes %q, %v; want %q", tt.names, tt.in, got, err, tt.want)
		}
	}
}
