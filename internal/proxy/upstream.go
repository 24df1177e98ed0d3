package proxy

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
	"golang.org/x/net/http/httpguts"
)

// upstream is where requests of one route go.
type upstream struct {
	weight       int64
	scheme, host string
	base         string // escaped base path, without a slash at its end
	strip        int    // segments to take off the path
	name         string // for the log
	multiplexed  bool   // it may speak HTTP/2
	upgrades     bool   // it may speak HTTP/1.1, which alone has Upgrade (RFC 9113 §8.6)
	absolute     bool   // a proxy on the way is asked by the whole address (RFC 9112 §3.2.2)
	hostHeader   string // what the upstream is called by, unless by the client's name for it
	ways         *ways
}

// newUpstream makes an upstream of a route. Its ways are those of the relay, which has
// to give them back.
func (rev *reverseProxy) newUpstream(route *routing.Route, at routing.Upstream) (*upstream, error) {
	target := at.URL
	up := &upstream{
		weight: int64(max(at.Weight, 1)),
		scheme: target.Scheme,
		host:   target.Host,
		base:   strings.TrimRight(target.EscapedPath(), "/"),
		name:   target.Host,

		multiplexed: target.Scheme != "http" && route.UpstreamProtocol != routing.HTTP1,
		upgrades:    target.Scheme != "h2c" && route.UpstreamProtocol != routing.HTTP2,
	}
	switch target.Scheme {
	case "http", "https":
	case "h2c":
		up.scheme = "http"
	default:
		return nil, fmt.Errorf("route %s: upstream scheme %q is none of http, https, h2c", route.Path, target.Scheme)
	}
	if target.Host == "" {
		return nil, fmt.Errorf("route %s: upstream has no host", route.Path)
	}
	if route.StripPrefix {
		up.strip = route.Segments()
	}
	via, err := up.via(route, rev.proxy)
	if err != nil {
		return nil, err
	}
	// A SOCKS proxy sees no request, nor does one that connects to a TLS port.
	up.absolute = via != nil && up.scheme == "http" && strings.HasPrefix(via.Scheme, "http")
	if up.hostHeader, err = hostHeader(target.Host); err != nil {
		return nil, fmt.Errorf("route %s: upstream host: %w", route.Path, err)
	}
	key := keyOf(route, target, via != nil)
	key.room = rev.room
	var files *routing.UpstreamTLS // what TLS goes by
	switch {
	case target.Scheme != "https":
	case rev.given != nil:
		key.credentials = rev.given
	default:
		files = &route.UpstreamTLS
	}
	if up.ways, err = rev.known.get(key, via, files); err != nil {
		return nil, fmt.Errorf("route %s: %w", route.Path, err)
	}
	rev.held = append(rev.held, up.ways)
	return up, nil
}

// hostHeader is what the upstream is called in Host: international names in their
// ASCII form, and addresses without the zone, which means nothing elsewhere (RFC 6874).
func hostHeader(host string) (string, error) {
	host, err := httpguts.PunycodeHostPort(host)
	if err != nil {
		return "", err
	}
	if begin := strings.IndexByte(host, '%'); begin >= 0 && host[0] == '[' {
		host = host[:begin] + host[strings.LastIndexByte(host, ']'):]
	}
	return host, nil
}

// via returns the forward proxy on the way to the upstream, or nil.
func (u *upstream) via(route *routing.Route, proxy func(*url.URL) (*url.URL, error)) (*url.URL, error) {
	if !route.UseProxy || proxy == nil {
		return nil, nil
	}
	via, err := proxy(&url.URL{Scheme: u.scheme, Host: u.host})
	if err != nil {
		return nil, fmt.Errorf("route %s: find the proxy to its upstream: %w", route.Path, err)
	}
	return via, nil
}

// path returns the path as the upstream gets it. A canonical path has no dot segments,
// so it cannot leave the base path.
func (u *upstream) path(p urlpath.Path) string {
	target := urlpath.After(p.Escaped(), u.strip)
	if u.base != "" {
		target = u.base + target
	}
	return target
}

// target returns the path and the query, the latter as it came.
func (u *upstream) target(p urlpath.Path, query *url.URL) string {
	if query.RawQuery == "" && !query.ForceQuery {
		return u.path(p)
	}
	return u.path(p) + "?" + query.RawQuery
}

// url returns the upstream's address of the path, with the query as it came. It is
// opaque to net/http, which sends it as it is.
func (u *upstream) url(p urlpath.Path, query *url.URL) url.URL {
	target := u.path(p)
	if u.absolute {
		target = "//" + u.host + target
	}
	return url.URL{Scheme: u.scheme, Host: u.host, Opaque: target, RawQuery: query.RawQuery, ForceQuery: query.ForceQuery}
}
