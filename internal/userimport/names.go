package userimport

import (
	"errors"
	"strings"

	"github.com/fob-oauth/fob/internal/oauth"
)

// Names says what becomes of usernames as WSO2 prints them: with the domain of a user
// store in front of them (PRIMARY/ann), with a tenant behind them (ann@carbon.super), or
// with both. A login sends one of these spellings, and has to send the one that was
// imported. The zero value takes all names as they are, but for those with WSO2's own
// domain and tenant, which it refuses.
type Names struct {
	Domains []string // to cut off together with the slash, such as PRIMARY; in any case
	Tenants []string // to cut off together with the @, such as carbon.super; in any case
	Keep    bool     // takes names with WSO2's own domain and tenant
}

// WSO2's own domain and tenant. Its other ones look like a part of a name.
const (
	primaryDomain = "PRIMARY/"
	superTenant   = "@carbon.super"
)

var errAsPrinted = errors.New("WSO2 prints ann as PRIMARY/ann or ann@carbon.super: " +
	"give --strip-domain PRIMARY or --strip-tenant carbon.super to import ann, or --keep-names to import the name as it is")

// of returns the name to import.
func (n Names) of(name string) (string, error) {
	for _, domain := range n.Domains {
		if head := domain + "/"; hasPrefixFold(name, head) {
			name = name[len(head):]
			break
		}
	}
	for _, tenant := range n.Tenants {
		if tail := "@" + tenant; hasSuffixFold(name, tail) {
			name = name[:len(name)-len(tail)]
			break
		}
	}
	if !n.Keep && (hasPrefixFold(name, primaryDomain) || hasSuffixFold(name, superTenant)) {
		return name, errAsPrinted
	}
	return oauth.NormalUsername(name), nil
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}
