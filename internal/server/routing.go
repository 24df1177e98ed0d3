package server

import (
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
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
			Proxy: forward, TrustedHeaders: cfg.TrustedHeaders,
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
	table, err := proxy.NewTable(routeTable(routes), l.mount)
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

func routeTable(routes []config.Route) []proxy.Route {
	token := map[string]proxy.Token{"access": proxy.TokenAccess, "id": proxy.TokenID, "none": proxy.TokenNone}
	out := make([]proxy.Route, len(routes))
	for i, r := range routes {
		out[i] = proxy.Route{
			Path: r.Path, Host: r.Host, Access: access(r), Methods: r.Methods,
			Upstream: r.Upstream, StripPrefix: r.StripPrefix, PreserveHost: r.PreserveHost,
			Token: token[r.Token], UseProxy: r.UseProxy, Timeout: r.Timeout,
			UpstreamIdle: r.UpstreamIdleTimeout, CacheUpstream: r.CacheUpstream,
			Static: r.Static, SPAFallback: r.SPAFallback,
			AllowEncodedSlash: r.AllowEncodedSlash,
		}
	}
	return out
}

// access is the access policy of a route of the configuration.
func access(r config.Route) proxy.Access {
	auth := map[string]proxy.Auth{"session": proxy.AuthSession, "optional": proxy.AuthOptional, "none": proxy.AuthNone}
	return proxy.Access{Auth: auth[r.Auth], Navigations: r.Navigations, Touch: r.Touch}
}

// routeMetrics resolves each route's metrics once.
func routeMetrics(m *telemetry.Metrics, table *proxy.Table) func(*proxy.Route) *telemetry.RouteMetrics {
	none := m.Route("none")
	byRoute := make(map[*proxy.Route]*telemetry.RouteMetrics)
	for _, r := range table.Routes() {
		byRoute[r] = m.Route(r.Host + r.Path)
	}
	return func(r *proxy.Route) *telemetry.RouteMetrics {
		if m, ok := byRoute[r]; ok {
			return m
		}
		return none
	}
}
