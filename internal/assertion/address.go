package assertion

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, s := range texts {
		all[i] = netip.MustParsePrefix(s)
	}
	return all
}

var (
	// reserved4 are the ranges of IPv4 that lead to no public host (the registry of
	// RFC 6890, and multicast).
	reserved4 = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
		"172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
		"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3")
	// reserved6 are those within public6, which is all that is assigned. Teredo and
	// 6to4 lead to an address of IPv4 that they contain.
	reserved6 = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
	public6   = netip.MustParsePrefix("2000::/3")
	// nat64 leads to the address of IPv4 at its end, where a network has IPv6 alone
	// (RFC 6052).
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
	// metadata are where a machine in a cloud finds its own credentials.
	metadata = prefixes("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32", "100.100.100.200/32")
)

// errAddress is why an address is not dialled.
var errAddress = errors.New("an address that is not public")

// publicOnly is a net.Dialer's Control that refuses addresses that are not public.
func publicOnly(_, address string, _ syscall.RawConn) error {
	ip, err := addressOf(address)
	if err != nil {
		return err
	}
	if within(ip, reserved4) || ip.Is6() && (!public6.Contains(ip) || within(ip, reserved6)) {
		return fmt.Errorf("%s: %w", ip, errAddress)
	}
	return nil
}

// noMetadata is a net.Dialer's Control for keys in a private network. An instance's
// own credentials are at no address of keys.
func noMetadata(_, address string, _ syscall.RawConn) error {
	ip, err := addressOf(address)
	if err != nil {
		return err
	}
	if within(ip, metadata) {
		return fmt.Errorf("%s: %w", ip, errAddress)
	}
	return nil
}

// addressOf is where a packet to that address and port goes in the end.
func addressOf(address string) (netip.Addr, error) {
	parsed, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Addr{}, errAddress
	}
	ip := parsed.Addr().WithZone("").Unmap()
	if nat64.Contains(ip) {
		last := ip.As16()
		ip = netip.AddrFrom4([4]byte(last[12:]))
	}
	return ip, nil
}

func within(ip netip.Addr, ranges []netip.Prefix) bool {
	return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(ip) })
}
