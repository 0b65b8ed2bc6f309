package wire

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"

	"github.com/fob-oauth/fob/internal/oauth"
)

// Headers that an edge in front of the gateway, such as CloudFront, adds to each request.
const (
	// EdgeHeader holds the secret that proves that a request came by the edge.
	EdgeHeader = "X-Fob-Edge"
	// ViewerHeader holds the address of the client that the edge saw. Anybody can send
	// it, so it counts only next to the secret.
	ViewerHeader = "X-Fob-Viewer"
)

// source is where a request came from: the peer that the gateway saw, or the client that
// the edge saw.
type source struct {
	// text is the address as the gateway writes it, in its access log too, or as the edge
	// does. It is empty when there is no address.
	text string
	// counted is what failed logins are counted by: an IPv4 address, or the /64 of an
	// IPv6 address, since one subscriber has a whole /64.
	counted string
	edge    bool // the edge said so
}

// sourceOf is the one place that decides where a request came from.
func (o Options) sourceOf(r *http.Request) source {
	if viewers := r.Header.Values(ViewerHeader); len(viewers) == 1 && o.isEdge(r.Header.Values(EdgeHeader)) {
		if s := readSource(viewers[0]); s.text != "" {
			s.edge = true
			return s
		}
	}
	return readSource(r.RemoteAddr)
}

// isEdge reports whether a request shows a secret of the edge. A gateway joins what a
// client sent twice, and then it is not the secret.
func (o Options) isEdge(shown []string) bool {
	if len(shown) != 1 || shown[0] == "" {
		return false
	}
	hash, matched := sha256.Sum256([]byte(shown[0])), 0
	for _, h := range o.Edge {
		matched |= subtle.ConstantTimeCompare(hash[:], h[:])
	}
	return matched == 1
}

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
		return source{text: host, counted: addr.String()}
	}
	return source{text: host, counted: netip.PrefixFrom(addr, 64).Masked().String()}
}

// userSourceOf reads the address of the user's device as a back end names it. It judges
// the text alone: whether the client may name one is the domain's business.
func userSourceOf(form oauth.Form) (counted string, err error) {
	text := form[oauth.ParamUserAddress]
	if text == "" {
		return "", nil
	}
	if _, err := netip.ParseAddr(text); err != nil {
		return "", invalidRequest("user_address must be one IP address, without a port")
	}
	return readSource(text).counted, nil
}
