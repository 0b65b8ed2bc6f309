// Package loopback says which hosts are this machine, whatever a name server says. Requests
// to them never leave the machine, so they may go without TLS.
package loopback

import (
	"net/netip"
	"strings"
)

// Is reports whether a host of a URL, without a port and without brackets, is this machine:
// localhost, or an address that means the machine itself.
func Is(host string) bool {
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}
