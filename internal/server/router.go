package server

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/assertion"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/identity"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// router is the routes of one configuration: a table, the relay that knows its
// routes, and the handlers over both. A request keeps the router it began with, so
// that the relay always knows the route that the table found.
type router struct {
	routes  *RouteListing
	relay   *proxy.Dispatcher
	handler http.Handler
	fronts  http.Handler // of verify.listen
}

func (p *pipeline) router(routes []config.Route) (*router, error) {
	table, err := routing.NewTable(routeTable(routes), p.mount)
	if err != nil {
		return nil, err
	}
	relay, err := proxy.NewRelay(table, p.relay)
	if err != nil {
		return nil, err
	}
	return &router{newRouteListing(routes, table, p.mount), relay, p.handler(table, relay), p.verdictsOnly(table)}, nil
}

// routeTable is the routes of a configuration as the route table takes it.
func routeTable(routes []config.Route) []routing.Route {
	token := map[string]routing.Token{"access": routing.TokenAccess, "id": routing.TokenID, "none": routing.TokenNone}
	protocol := map[string]routing.Protocol{"auto": routing.AnyProtocol, "http1": routing.HTTP1, "http2": routing.HTTP2}
	out := make([]routing.Route, len(routes))
	for i, r := range routes {
		out[i] = routing.Route{
			Path: r.Path, Host: r.Host, Access: access(r), Methods: r.Methods,
			Upstreams: upstreams(r), HealthCheck: routing.HealthCheck(r.HealthCheck),
			UpstreamTLS: routing.UpstreamTLS(r.UpstreamTLS), UpstreamProtocol: protocol[r.UpstreamProtocol], BodyBytes: r.BodyBytes,
			StripPrefix: r.StripPrefix, PreserveHost: r.PreserveHost,
			Token: token[r.Token], Identity: identityHeaders(r), Assertion: assertionRule(r), UseProxy: r.UseProxy, Timeout: r.Timeout, IdleTimeout: r.IdleTimeout,
			UpstreamIdle: r.UpstreamIdleTimeout, UpstreamRest: r.UpstreamRest, UpstreamConnections: r.UpstreamConnections,
			AllowLinkLocal: r.AllowLinkLocal, ReuseNever: r.Reuse == "never", StandardTransport: r.Transport == "standard", CacheUpstream: r.CacheUpstream, CORSUpstream: r.CORSUpstream,
			Static: r.Static, SPAFallback: r.SPAFallback,
			AllowEncodedSlash: r.AllowEncodedSlash,
			Rate:              rateOf(r), Concurrency: r.Concurrency,
		}
	}
	return out
}

func upstreams(r config.Route) []routing.Upstream {
	out := make([]routing.Upstream, len(r.Upstreams))
	for i, up := range r.Upstreams {
		out[i] = routing.Upstream{URL: up.URL, Weight: up.Weight}
	}
	return out
}

// identityHeaders are the headers of a route that say who is calling.
func identityHeaders(r config.Route) *identity.Headers {
	claims := make([]identity.Claim, len(r.Headers))
	for i, p := range r.Headers {
		claims[i] = identity.Claim{Header: p.Name, Name: p.Values[0]}
	}
	return identity.New(r.IdentityHeaders, claims)
}

// assertionRule is how a route vouches for who is calling.
func assertionRule(r config.Route) *assertion.Rule {
	if r.Assertion.Audience == "" {
		return nil
	}
	return assertion.NewRule(r.Assertion.Audience, r.Assertion.Header)
}

// auths are the words of routes[].auth.
var auths = map[string]routing.Auth{
	"session": routing.AuthSession, "bearer": routing.AuthBearer, "either": routing.AuthEither,
	"optional": routing.AuthOptional, "none": routing.AuthNone,
}

// access is the access policy of a route of the configuration.
func access(r config.Route) routing.Access {
	return routing.Access{Auth: auths[r.Auth], Navigations: r.Navigations, Touch: r.Touch, Require: require(&r.Require)}
}

// require is what a route of the configuration asks of a caller; nil for nothing.
func require(r *config.Require) *routing.Require {
	if !r.Asks() {
		return nil
	}
	rules := &routing.Require{Groups: routing.NewSet(r.Groups...), Scopes: r.Scopes, MaxAuthAge: r.MaxAuthAge, Unsaid: !r.Detail}
	for _, claim := range r.Claims {
		rules.Claims = append(rules.Claims, routing.Claim{Name: claim.Name, Values: routing.NewSet(claim.Values...)})
	}
	return rules
}
