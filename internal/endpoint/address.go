package endpoint

import (
	"errors"
	"net/url"
	"strings"

	"github.com/fob-oauth/fob/internal/loopback"
)

// ParseBase reads the address before /token, and returns it as [New] takes it. Secrets are
// sent to it, so it is https, or http on this machine.
func ParseBase(address string) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http":
		return "", errors.New("the address must be like https://login.example.com, without a query")
	case u.Scheme == "http" && !loopback.Is(u.Hostname()):
		return "", errors.New("the address must be https: secrets are sent to it")
	}
	return strings.TrimRight(u.String(), "/"), nil
}
