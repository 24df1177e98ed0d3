// Package loopback tells the names and addresses of this machine alone from all
// others. It looks nothing up, and what being on loopback allows is for its callers
// to say. The one invariant: what is sent to a host that it takes for loopback does
// not leave the machine.
package loopback

import (
	"net"
	"net/netip"
	"strings"
)

// Host reports whether host, without port and brackets, is on loopback: localhost
// and every name under it (RFC 6761 §6.3), 127.0.0.0/8 and ::1. Browsers take the
// same for trustworthy without TLS; an IPv4 address written as one of IPv6 is not
// among them.
func Host(host string) bool {
	host = strings.ToLower(host) // names have no case (RFC 4343)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback() && !addr.Is4In6()
}

// HostPort is Host for host[:port], as in a Host header or an address to listen at.
func HostPort(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	return Host(host)
}
