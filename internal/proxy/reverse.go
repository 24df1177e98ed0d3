package proxy

import (
	"cmp"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/tunnel"
)

// reverseProxy relays requests to upstreams over HTTP/1.1, HTTP/2 and h2c.
type reverseProxy struct {
	headers   *headerPolicy
	bodyBytes int64
	upstreams map[*routing.Route]*upstream
	tunnels   *tunnel.Registry
	pool      transportPool
	bodies    bodies
	// gatherTime is how long a short body is waited for, clientTimeout a client that reads.
	gatherTime, clientTimeout time.Duration
}

// newReverseProxy builds the relay for all routes of a table that name an upstream.
// It connects to none.
func newReverseProxy(table *routing.Table, o Options) (*reverseProxy, error) {
	rev := &reverseProxy{
		headers:   newHeaderPolicy(o, table.IdentityHeaders()...),
		bodyBytes: o.BodyBytes,
		upstreams: make(map[*routing.Route]*upstream),
		tunnels:   cmp.Or(o.Tunnels, &tunnel.Registry{}),
		pool:      transportPool{tls: o.upstreamTLS, upstreams: cmp.Or(o.Upstreams, &Upstreams{})},

		gatherTime: cmp.Or(o.gatherTime, gatherTime), clientTimeout: cmp.Or(o.clientTimeout, clientTimeout),
	}
	for _, route := range table.Routes() {
		if len(route.Upstreams) == 0 {
			continue
		}
		up, err := newUpstream(route, &rev.pool, o.Proxy)
		if err != nil {
			return nil, err
		}
		rev.upstreams[route] = up
	}
	return rev, nil
}

// closeIdle closes the idle connections to all upstreams.
func (rev *reverseProxy) closeIdle() { rev.pool.closeIdle() }

// relay is [Relay] for a route that names an upstream.
func (rev *reverseProxy) relay(w http.ResponseWriter, r *http.Request, d *Decision) error {
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
