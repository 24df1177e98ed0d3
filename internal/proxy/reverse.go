package proxy

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/clientconn"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/tunnel"
)

// reverseProxy relays requests to upstreams over HTTP/1.1, HTTP/2 and h2c.
type reverseProxy struct {
	headers   *headerPolicy
	balancers map[*routing.Route]*balancer
	tunnels   *tunnel.Registry
	streams   *tunnel.Registry                 // that have left their handlers
	proxy     func(*url.URL) (*url.URL, error) // as [Options] has it
	given     *credentials                     // of tests
	room      *clientconn.Room                 // as [Options] has it
	bodies    bodies

	known *Upstreams
	held  []*ways // to be given back to it
	// gatherTime is how long a short body is waited for, clientTimeout a client that reads.
	gatherTime, clientTimeout time.Duration
}

// newReverseProxy builds the relay for all routes of a table that name an upstream.
// It connects to none.
func newReverseProxy(table *routing.Table, o Options) (*reverseProxy, error) {
	rev := &reverseProxy{
		headers:   newHeaderPolicy(o, table.IdentityHeaders()...),
		balancers: make(map[*routing.Route]*balancer),
		tunnels:   cmp.Or(o.Tunnels, &tunnel.Registry{}),
		streams:   cmp.Or(o.Streams, &tunnel.Registry{}),
		proxy:     o.Proxy,
		room:      o.Room,
		known:     cmp.Or(o.Upstreams, &Upstreams{}),

		gatherTime: cmp.Or(o.gatherTime, gatherTime), clientTimeout: cmp.Or(o.ClientTimeout, clientTimeout),
	}
	if o.upstreamTLS != nil {
		rev.given = &credentials{}
		rev.given.current.Store(o.upstreamTLS)
	}
	for _, route := range table.Routes() {
		if len(route.Upstreams) == 0 {
			continue
		}
		b, err := rev.newBalancer(route)
		if err != nil {
			rev.close()
			return nil, err
		}
		rev.balancers[route] = b
	}
	return rev, nil
}

func (rev *reverseProxy) newBalancer(route *routing.Route) (*balancer, error) {
	if len(route.Upstreams) > mostUpstreams {
		return nil, fmt.Errorf("route %s: more than %d upstreams", route.Path, mostUpstreams)
	}
	b := &balancer{}
	for _, at := range route.Upstreams {
		up, err := rev.newUpstream(route, at)
		if err != nil {
			return nil, err
		}
		b.all = append(b.all, up)
	}
	return b, nil
}

// close lets go of the ways to all upstreams.
func (rev *reverseProxy) close() {
	for _, w := range rev.held {
		rev.known.put(w)
	}
	rev.held = nil
}

// relay is [Relay] for a route that names an upstream.
func (rev *reverseProxy) relay(w http.ResponseWriter, r *http.Request, d *Decision) error {
	b := rev.balancers[d.Route]
	if b == nil {
		return fmt.Errorf("relay to route %s: it is not of this table", d.Route.Path)
	}
	t := trip{reverse: rev, among: b, d: d, in: r, w: w}
	return t.run()
}
