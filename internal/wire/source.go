package wire

import (
	"net"
	"net/http"
	"net/netip"
)

// source is where a request came from: the peer that the gateway saw.
type source struct {
	// text is the address as the gateway writes it, in its access log too. It is empty
	// when there is no address.
	text string
	// counted is what failed logins are counted by: an IPv4 address, or the /64 of an
	// IPv6 address, since one subscriber has a whole /64.
	counted string
}

// sourceOf is the one place that decides where a request came from.
func sourceOf(r *http.Request) source { return readSource(r.RemoteAddr) }

// readSource reads an address, with or without a port. It returns the zero source for
// any other text.
func readSource(text string) source {
	host, _, err := net.SplitHostPort(text)
	if err != nil {
		host = text
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return source{}
	}
	addr = addr.Unmap()
	if addr.Is4() {
		return source{host, addr.String()}
	}
	return source{host, netip.PrefixFrom(addr, 64).Masked().String()}
}
