// Package linklocal tells the addresses that mean something else on every link, or on
// every machine of a cloud: among them is where clouds hand out credentials to whoever
// asks. It looks nothing up. The one invariant: an address that reaches such a service,
// in whatever spelling, is one of them.
package linklocal

import "net/netip"

// services are addresses outside of the link-local ranges at which clouds answer the
// machine itself: Amazon's over IPv6, Oracle's, Alibaba's, Azure's.
var services = []netip.Prefix{
	netip.MustParsePrefix("fd00:ec2::/32"),
	netip.MustParsePrefix("192.0.0.192/32"),
	netip.MustParsePrefix("100.100.100.200/32"),
	netip.MustParsePrefix("168.63.129.16/32"),
}

// nat64 embeds addresses of IPv4 in those of IPv6 (RFC 6052 §2.1).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// Addr reports whether addr is link-local (RFC 3927, RFC 4291 §2.5.6) or that of such a
// service.
func Addr(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if nat64.Contains(addr) {
		b := addr.As16()
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	if addr.IsLinkLocalUnicast() {
		return true
	}
	for _, s := range services {
		if s.Contains(addr) {
			return true
		}
	}
	return false
}

// Host is Addr for a host without port and brackets. A name is none of them, whatever it
// stands for.
func Host(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && Addr(addr)
}
