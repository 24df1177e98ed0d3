// Package defaultport knows the ports that browsers leave out of an address. All else
// about an address is left to its callers. The one invariant: two spellings of one
// origin become the same (RFC 6454 §6.2).
package defaultport

import "strings"

// Cut returns host[:port] without the port if that is the scheme's default: 443 of
// https, 80 of http. The scheme is in lower case.
func Cut(scheme, hostport string) string {
	switch scheme {
	case "https":
		return strings.TrimSuffix(hostport, ":443")
	case "http":
		return strings.TrimSuffix(hostport, ":80")
	}
	return hostport
}
