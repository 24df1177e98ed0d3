package proxy

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/tunnel"
	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

// Reverse relays requests to upstreams over HTTP/1.1, HTTP/2 and h2c.
type Reverse struct {
	headers   *headerPolicy
	bodyBytes int64
	upstreams map[*routing.Route]*upstream
	tunnels   *tunnel.Registry
	pool      transportPool
	proxy     func(*url.URL) (*url.URL, error)
}

// upstream is where the requests of one route go.
type upstream struct {
	scheme, host string
	base         string // escaped base path, without a slash at its end
	strip        int    // segments to take off the path
	name         string // for the log
	multiplexed  bool   // it may speak HTTP/2
	upgrades     bool   // it may speak HTTP/1.1, which alone has Upgrade (RFC 9113 §8.6)
	absolute     bool   // a proxy on the way is asked by the whole address (RFC 9112 §3.2.2)
	transport    *http.Transport
	fresh        *http.Transport // the same, over a connection of its own each time
}

// NewReverse builds the relay for all routes of o.Table that name an upstream.
// It connects to none.
func NewReverse(o Options) (*Reverse, error) {
	rev := &Reverse{
		headers:   newHeaderPolicy(o),
		bodyBytes: o.BodyBytes,
		upstreams: make(map[*routing.Route]*upstream),
		tunnels:   cmp.Or(o.Tunnels, &tunnel.Registry{}),
		pool:      transportPool{tls: o.UpstreamTLS},
		proxy:     o.Proxy,
	}
	for _, route := range o.Table.Routes() {
		if route.Upstream == nil {
			continue
		}
		up, err := rev.upstream(route)
		if err != nil {
			return nil, err
		}
		rev.upstreams[route] = up
	}
	return rev, nil
}

func (rev *Reverse) upstream(route *routing.Route) (*upstream, error) {
	target := route.Upstream
	up := &upstream{
		scheme: target.Scheme,
		host:   target.Host,
		base:   strings.TrimRight(target.EscapedPath(), "/"),
		name:   target.Host,

		multiplexed: target.Scheme != "http",
		upgrades:    target.Scheme != "h2c",
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
	via, err := rev.via(route, up)
	if err != nil {
		return nil, err
	}
	// A SOCKS proxy, like one that is asked to connect to a TLS port, sees no request.
	up.absolute = via != nil && up.scheme == "http" && strings.HasPrefix(via.Scheme, "http")
	up.transport, up.fresh = rev.pool.get(route, via)
	return up, nil
}

// via is the proxy on the way to an upstream, or nil.
func (rev *Reverse) via(route *routing.Route, up *upstream) (*url.URL, error) {
	if !route.UseProxy || rev.proxy == nil {
		return nil, nil
	}
	via, err := rev.proxy(&url.URL{Scheme: up.scheme, Host: up.host})
	if err != nil {
		return nil, fmt.Errorf("route %s: find the proxy to its upstream: %w", route.Path, err)
	}
	return via, nil
}

// url returns where the upstream finds the path, with the query as it came. A
// canonical path has no dot segments, so it cannot leave the base path; opaque,
// it is sent as it stands here.
func (u *upstream) url(p urlpath.Path, query *url.URL) url.URL {
	target := urlpath.After(p.Escaped(), u.strip)
	if u.base != "" {
		target = u.base + target
	}
	if u.absolute {
		target = "//" + u.host + target
	}
	return url.URL{Scheme: u.scheme, Host: u.host, Opaque: target, RawQuery: query.RawQuery, ForceQuery: query.ForceQuery}
}

// CloseIdle closes the idle connections to all upstreams.
func (rev *Reverse) CloseIdle() { rev.pool.closeIdle() }

// Relay implements [Relay].
func (rev *Reverse) Relay(w http.ResponseWriter, r *http.Request, d *Decision) error {
	up := rev.upstreams[d.Route]
	if up == nil {
		return fmt.Errorf("relay to route %s: it is not of this table", d.Route.Path)
	}
	if d.Event != nil {
		d.Event.Upstream = up.name
	}
	t := trip{reverse: rev, up: up, d: d, in: r, w: w}
	return t.run()
}
