package middleware

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Trust says which peers are believed about where a request came from, and in
// which of its headers. The zero value believes nobody.
type Trust struct {
	// Proxies are the networks of the proxies in front.
	Proxies []netip.Prefix
	// Headers are the names, in any case, of the headers that they set themselves.
	Headers []string
}

// believes reports whether the header of that name is a trusted proxy's own word.
func (t *Trust) believes(name string) bool {
	return slices.ContainsFunc(t.Headers, func(h string) bool { return strings.EqualFold(h, name) })
}

// source is where a request came from: the caller's address without a port, the
// host that the caller asked for, as it came, and whether a trusted proxy stands
// between.
type source struct {
	client, host string
	trusted      bool
}

// source walks back from the peer through the proxies that are trusted: each has
// put the address that it was asked from at the end of X-Forwarded-For, and the
// host that it was asked for at the end of X-Forwarded-Host. Whoever stands
// before the last trusted one is the caller, and what that one wrote is what the
// caller asked for; all entries before are the caller's own inventions.
func (t *Trust) source(r *http.Request) source {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return source{host: r.Host}
	}
	addr := peer.Addr().Unmap()
	if !t.contains(addr) {
		client := r.RemoteAddr[:strings.LastIndexByte(r.RemoteAddr, ':')]
		if !peer.Addr().Is4() { // which has but one spelling, so it stands there already
			client = addr.String()
		}
		return source{client: client, host: r.Host}
	}
	client, hops := addr, 1
	if t.believes("X-Forwarded-For") {
		client, hops = t.walk(addr, r.Header["X-Forwarded-For"])
	}
	from := source{client: client.String(), host: r.Host, trusted: true}
	if t.believes("X-Forwarded-Host") {
		if host := fromEnd(r.Header["X-Forwarded-Host"], hops); host != "" {
			from.host = host
		}
	}
	return from
}

// walk returns the caller's address, and how many trusted proxies stand before
// it. If an entry is no address none of them counts, and the peer is the caller.
func (t *Trust) walk(peer netip.Addr, lines []string) (client netip.Addr, hops int) {
	client, hops = peer, 1
	for entry := range backward(lines) {
		addr, ok := hopAddress(entry)
		if !ok {
			return peer, 1
		}
		client = addr
		if !t.contains(addr) {
			break
		}
		hops++
	}
	return client, hops
}

func (t *Trust) contains(addr netip.Addr) bool {
	return slices.ContainsFunc(t.Proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// hopAddress reads an entry of X-Forwarded-For. Some proxies write the port
// behind the address, and some put quotes around both, as in Forwarded (RFC 7239
// §6).
func hopAddress(entry string) (netip.Addr, bool) {
	if len(entry) > 1 && entry[0] == '"' && entry[len(entry)-1] == '"' {
		entry = entry[1 : len(entry)-1]
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(entry, "["), "]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(entry)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = withPort.Addr()
	}
	return addr.Unmap().WithZone(""), true
}

// fromEnd returns the n-th entry from the end, or the first if there are fewer:
// a proxy that passes on what it got adds none.
func fromEnd(lines []string, n int) string {
	found := ""
	for entry := range backward(lines) {
		if found = entry; n == 1 {
			break
		}
		n--
	}
	return found
}

// backward yields the entries of lists separated by commas, the last one first.
// Empty ones are none (RFC 9110 §5.6.1).
func backward(lines []string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, line := range slices.Backward(lines) {
			for line != "" {
				i := strings.LastIndexByte(line, ',')
				entry := strings.Trim(line[i+1:], " \t")
				line = line[:max(i, 0)]
				if entry != "" && !yield(entry) {
					return
				}
			}
		}
	}
}
