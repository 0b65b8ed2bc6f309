package endpoint_test

import (
	"testing"

	"github.com/fob-oauth/fob/internal/endpoint"
)

func TestParseBase(t *testing.T) {
	for address, want := range map[string]string{
		"https://login.example.com":        "https://login.example.com",
		"https://login.example.com/prod/":  "https://login.example.com/prod",
		"http://localhost:8080":            "http://localhost:8080",
		"http://[::1]:8080":                "http://[::1]:8080",
		"":                                 "",
		"login.example.com":                "",
		"http://login.example.com":         "",
		"http://localhost.example.com":     "",
		"ftp://localhost":                  "",
		"http://192.0.2.1:8080":            "",
		"https://login.example.com?a=b":    "",
		"https://login.example.com#a":      "",
		"https://ann:pw@login.example.com": "",
	} {
		if got, err := endpoint.ParseBase(address); got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v; want %q", address, got, err, want)
		}
	}
}
