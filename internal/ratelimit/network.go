package ratelimit

import "net/netip"

// Network is what one client can have all addresses of: an IPv4 address, or the /64 of an
// IPv6 address (RFC 6177 §2). What is no address stands for itself.
func Network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Unmap().Is4() {
		return address
	}
	prefix, _ := ip.WithZone("").Prefix(64) // 64 bits are fewer than an address has
	return prefix.String()
}
