package middleware

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/defaultport"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
)

// splitHost takes a Host apart: a name or address and, if there is a colon, what
// stands behind it. It is stricter than RFC 3986 §3.2.2, which lets a name hold
// nearly anything, and escapes: no certificate and no configuration names such.
func splitHost(host string) (name, port string, ok bool) {
	if rest, bracketed := strings.CutPrefix(host, "["); bracketed {
		literal, behind, closed := strings.Cut(rest, "]")
		addr, err := netip.ParseAddr(literal)
		name, port = "["+literal+"]", strings.TrimPrefix(behind, ":")
		ok = closed && err == nil && addr.Is6() && addr.Zone() == "" && (behind == "" || behind[0] == ':')
	} else {
		name, port, _ = strings.Cut(host, ":")
		ok = strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == ""
	}
	return name, port, ok && strings.Trim(port, "0123456789") == ""
}

// canonicalHost returns the host in lower case and without the scheme's default
// port; ok says that it is one at all.
func canonicalHost(host, scheme string) (canonical string, ok bool) {
	host = strings.ToLower(host)
	if _, _, ok := splitHost(host); !ok {
		return host, false
	}
	return defaultport.Cut(scheme, host), true
}

// malformedHost is the answer RFC 9112 §3.2 demands.
func malformedHost(host string) error {
	return &problem.Error{Status: http.StatusBadRequest, Code: "malformed_host",
		Public: "The host that this request names is malformed.",
		Err:    fmt.Errorf("host %q is no name or address with a port", truncate(host))}
}

// misdirected is the answer to a host that is not ours. Mostly the request is
// right and what stands in front is not, so the log names the hosts and the cause.
func (g *Guard) misdirected(r *http.Request, x *Exchange, host string) error {
	said, forwarded := "", strings.Join(r.Header["X-Forwarded-Host"], ", ")
	if forwarded != "" {
		said = fmt.Sprintf(" and X-Forwarded-Host %q", truncate(forwarded))
	}
	ignored := forwarded != "" && forwarded != r.Host && x.Asked == r.Host
	return &problem.Error{Status: http.StatusMisdirectedRequest, Code: "misdirected",
		Public: "This gateway does not serve that host.",
		Err:    fmt.Errorf("header Host is %q%s: %s", truncate(r.Host), said, g.cause(x, host, ignored))}
}

// cause says why the host that counted is not ours, and what would help; ignored
// says that an X-Forwarded-Host stood beside it and did not count.
func (g *Guard) cause(x *Exchange, host string, ignored bool) string {
	switch name, port, _ := splitHost(host); {
	case port == "" && name == bareHost(g.PublicURL) && g.PublicURL.Port() != "":
		return `the port of public_url is missing; nginx's "proxy_set_header Host $host" leaves it out, $http_host does not`
	case ignored && !x.Decision.TrustedPeer:
		return "X-Forwarded-Host does not count, as the peer " + x.Decision.Client + " is not in trusted_proxies"
	case ignored:
		return "X-Forwarded-Host does not count, as trusted_headers does not name it"
	}
	return fmt.Sprintf("%q is neither that of public_url nor in allowed_hosts", truncate(host))
}

// bareHost is the host of u as it stands in a Host, without the port.
func bareHost(u *url.URL) string {
	return strings.ToLower(strings.TrimSuffix(u.Host, ":"+u.Port()))
}
