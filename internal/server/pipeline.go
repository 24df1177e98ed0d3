package server

import (
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/internal/assertion"
	"github.com/gatehouse-auth/gatehouse/internal/clientconn"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/handlers"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/returnto"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
	"github.com/gatehouse-auth/gatehouse/internal/tunnel"
)

// pipeline is what a request passes, whichever routes hold when it comes.
type pipeline struct {
	mount    string
	edge     edge
	verify   handlers.Verify
	sessions *middleware.Sessions
	streams  *middleware.Streams
	bearers  *middleware.Bearers
	limits   *limits
	room     *clientconn.Room
	// assertions says who is calling, to upstreams that are to go by it.
	assertions *assertion.Signer
	own        ownHandlers
	relay      proxy.Options // the same over each table
	metrics    *telemetry.Metrics
}

func newPipeline(
	cfg *config.Config, o Options, ring *secret.Ring, pool *pool, sessions *sessions,
	forward func(*url.URL) (*url.URL, error), sig signals,
) *pipeline {
	tunnels, streams := &tunnel.Registry{Most: cfg.Limits.Streams}, &tunnel.Registry{}
	upstreams := &proxy.Upstreams{Log: sig.log}
	sig.metrics.OnScrape(func(show telemetry.Show) {
		show(tunnelsOpen, float64(tunnels.Len()))
		show(eventStreamsOpen, float64(streams.Len()))
		upstreamFigures(upstreams, show)
	})
	edge, limits := newEdge(cfg, o, sessions.cookies, sig), newLimits(sessions.store, sig.metrics)
	sig.metrics.OnScrape(limits.figures)
	room := newRoom(cfg.Limits)
	room.Spare = upstreams.Shed
	sig.metrics.OnScrape(func(show telemetry.Show) { connectionFigures(room, show) })
	assertions := assertion.NewSigner(cfg.PublicURL.String(), ring)
	return &pipeline{
		mount: cfg.Mount, edge: edge, verify: newVerify(cfg, edge), sessions: sessions.steps, assertions: assertions, streams: sessions.streams,
		limits: limits, room: room, bearers: newBearers(cfg, pool, sig), metrics: sig.metrics,
		own: newOwnHandlers(cfg, ring, assertions, pool, sessions, edge, limits.loginRate(cfg.RateLimit.LoginPerMinute), sig.metrics),
		relay: proxy.Options{
			CookieNames: sessions.cookies.Names(), ClientTimeout: cfg.Limits.WriteTimeout, Room: room,
			Proxy: forward, TrustedHeaders: cfg.TrustedHeaders, Tunnels: tunnels, Streams: streams, Upstreams: upstreams,
		},
	}
}

// handler is the map of the server. Every request takes the first line, but for those of
// fronts about others; the path, made canonical, then decides between the gateway's own
// endpoints and the routes of the configuration.
func (p *pipeline) handler(table *routing.Table, relay proxy.Relay) http.Handler {
	return p.withVerdicts(table, p.edge.record(p.requestMetrics(table)).Handler(middleware.Chain(p.dispatch(table, relay),
		p.edge.origins.Expose,
		p.edge.guard.Middleware,
		middleware.LeavePreflight(table, p.limits.ratesOf(table).BeforeSession(p.limits.placesOf(table).Hold(p.relayed(relay)))),
		p.edge.origins.Preflight,
		middleware.Match(table),
	)))
}

// dispatch sends a request to its side of the gateway.
func (p *pipeline) dispatch(table *routing.Table, relay proxy.Relay) middleware.Handler {
	mux := p.ownMux()
	own := p.edge.patience.BoundBody(middleware.Mux(onCanonicalPath(mux)))
	proxied := middleware.Chain(p.admitted(table, p.limits.placesOf(table).Hold(p.streams.Hold(p.relayed(relay)))),
		p.edge.origins.SameOrigin,
		p.continueStrict,
	)
	return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
		if x.Decision.Route.Access.Auth == routing.AuthOwn {
			nameEndpoint(mux, r.Method, x)
			return own(w, r, x)
		}
		return proxied(w, r, x)
	}
}

// admitted is what a request gets to that meets the access policy of its route, whether it
// is relayed or a front asks about it.
func (p *pipeline) admitted(table *routing.Table, h middleware.Handler) middleware.Handler {
	rates := p.limits.ratesOf(table)
	return middleware.Chain(h,
		rates.BeforeSession,
		p.bearers.LoadBearer,
		p.sessions.LoadSession,
		middleware.Authorize,
		rates.OfUser,
		p.sessions.TouchSession,
		p.sessions.FreshToken,
		middleware.Require,
		middleware.Identify(p.assertions),
	)
}

// onCanonicalPath makes a router see the path that was judged.
func onCanonicalPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := *r.URL
		u.Path, u.RawPath = middleware.ExchangeOf(r).Decision.Path.Literal(), ""
		r.URL = &u
		next.ServeHTTP(w, r)
	})
}

// relayed is the end of the walk of a proxied request.
func (p *pipeline) relayed(relay proxy.Relay) middleware.Handler {
	relayed := func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
		return relay.Relay(w, r, &x.Decision)
	}
	file := p.edge.patience.LeaveBody(relayed)
	return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
		if x.Decision.Route.Static != "" {
			return file(w, r, x)
		}
		return relayed(w, r, x)
	}
}

// continueStrict repeats a login navigation that came from another site as one
// of this site, where the session cookie is Strict and was therefore left out.
func (p *pipeline) continueStrict(next middleware.Handler) middleware.Handler {
	if !p.sessions.Cookies.Strict() {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
		if x.Handle.Empty() && middleware.CrossSiteLogin(r) && x.Decision.Route.Access.Auth.TakesCookie() && !middleware.ByBearer(r, x) {
			// Only the grammar counts: it repeats itself, the login included, to which
			// nothing ever returns. What must be cut would be no repetition.
			if to := (returnto.Policy{}).Request(r.URL.EscapedPath(), r.URL.RawQuery); !to.IsZero() && !to.Truncated() {
				return handlers.ContinuePage(w, to.String())
			}
		}
		return next(w, r, x)
	}
}
