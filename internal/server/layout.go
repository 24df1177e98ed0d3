package server

import (
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
	"github.com/gatehouse-auth/gatehouse/internal/tunnel"
)

// layout is what all generations of the routes have in common.
type layout struct {
	mount    string
	edge     edge
	sessions *middleware.Sessions
	own      ownHandlers
	relay    proxy.Options // without a table
	metrics  *telemetry.Metrics
}

func newLayout(
	cfg *config.Config, o Options, pool *pool, sessions *sessions, forward func(*url.URL) (*url.URL, error), sig signals,
) *layout {
	edge := newEdge(cfg, o, sessions.cookies, sig)
	return &layout{
		mount: cfg.Mount, edge: edge, sessions: sessions.steps, metrics: sig.metrics,
		own: newOwnHandlers(cfg, pool, sessions, edge, sig.metrics),
		relay: proxy.Options{
			CookieNames: sessions.cookies.Names(), BodyBytes: cfg.Limits.BodyBytes,
			Proxy: forward, TrustedHeaders: cfg.TrustedHeaders, Tunnels: &tunnel.Registry{},
		},
	}
}

// generation is the routes of one configuration: a table, the relay that knows its
// routes, and the handler over both. A request keeps the generation it began
// with, so that the relay always knows the route that the table found.
type generation struct {
	routes  *RouteMap
	relay   *proxy.Dispatcher
	handler http.Handler
}

func (l *layout) generation(routes []config.Route) (*generation, error) {
	table, err := routing.NewTable(routeTable(routes), l.mount)
	if err != nil {
		return nil, err
	}
	o := l.relay
	o.Table = table
	relay, err := proxy.NewRelay(o)
	if err != nil {
		return nil, err
	}
	return &generation{newRouteMap(routes, table, l.mount), relay, l.routes(table, relay)}, nil
}
