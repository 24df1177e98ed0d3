package server

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/gatehouse-auth/gatehouse/internal/handlers"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/returnto"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// routes is the map of the server. Every request takes the first line; the path,
// made canonical, then decides between the gateway's own endpoints and the
// routes of the configuration.
func (l *layout) routes(table *routing.Table, relay proxy.Relay) http.Handler {
	return l.edge.record(l.requestMetrics(table)).Handler(middleware.Chain(l.dispatch(relay),
		l.edge.origins.Expose,
		l.edge.guard.Middleware,
		l.edge.origins.Preflight,
		middleware.Match(table),
	))
}

// dispatch sends a request to its side of the gateway.
func (l *layout) dispatch(relay proxy.Relay) middleware.Handler {
	mux := l.ownMux()
	own := middleware.Chain(middleware.Mux(onCanonicalPath(mux)), l.edge.origins.SameOrigin)
	proxied := middleware.Chain(relayed(relay),
		l.edge.origins.SameOrigin,
		l.continueStrict,
		l.sessions.LoadSession,
		middleware.Authorize,
		l.sessions.TouchSession,
		l.sessions.FreshToken,
	)
	return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
		if x.Decision.Route.Access.Auth == routing.AuthOwn {
			nameEndpoint(mux, r.Method, x)
		}
		switch {
		case x.Decision.Path.Literal() == l.mount+"/healthz" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			return l.own.health.Serve(w, r, x) // whatever the cookie says
		case x.Decision.Route.Access.Auth == routing.AuthOwn:
			return own(w, r, x)
		default:
			return proxied(w, r, x)
		}
	}
}

// endpoint is one row of the gateway's own endpoints.
type endpoint struct {
	method, path string
	handler      middleware.Handler
}

// endpoints is the whole list of them, below the mount.
func (l *layout) endpoints() []endpoint {
	return []endpoint{
		{"GET", "/login", middleware.Chain(l.own.flow.Login, l.continueStrict)},
		{"GET", "/callback", l.own.flow.Callback},
		{"GET", "/session", l.own.account.Session},
		{"GET", "/user", l.own.account.User},
		{"GET", "/events", l.own.events.Stream},
		{"POST", "/refresh", l.own.account.Refresh},
		{"POST", "/logout", l.own.logout.End},
		{"GET", "/logout", l.own.logout.Page},
		{"GET", "/signed-out", l.own.logout.SignedOut},
		{"GET", "/sessions", l.own.account.List},
		{"DELETE", "/sessions", l.own.account.EndOthers},
		{"DELETE", "/sessions/{id}", l.own.account.EndOne},
		{"GET", "/config", l.own.public.Serve},
		{"GET", "/healthz", l.own.health.Serve},
		{"GET", "/credentials", handlers.NotEnabled},
	}
}

// ownMux routes the gateway's own endpoints. A HEAD is answered as its GET.
func (l *layout) ownMux() *chi.Mux {
	mux := chi.NewRouter()
	for _, e := range l.endpoints() {
		mux.Method(e.method, l.mount+e.path, middleware.Leaf(e.handler))
		if e.method == http.MethodGet {
			mux.Method(http.MethodHead, l.mount+e.path, middleware.Leaf(e.handler))
		}
	}
	mux.NotFound(middleware.Leaf(func(http.ResponseWriter, *http.Request, *middleware.Exchange) error {
		return &problem.Error{Status: http.StatusNotFound, Code: "not_found", Public: "The gateway has no such endpoint."}
	}))
	mux.MethodNotAllowed(middleware.Leaf(func(_ http.ResponseWriter, r *http.Request, _ *middleware.Exchange) error {
		return problem.MethodNotRouted(mux, r.URL.Path)
	}))
	return mux
}

// nameEndpoint puts an endpoint's pattern, such as /auth/sessions/{id}, in the place
// of the route that all of them share. What is no endpoint keeps that.
func nameEndpoint(mux *chi.Mux, method string, x *middleware.Exchange) {
	if pattern := mux.Find(chi.NewRouteContext(), method, x.Decision.Path.Literal()); pattern != "" {
		x.Event.Route = pattern
	}
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
func relayed(relay proxy.Relay) middleware.Handler {
	return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
		return relay.Relay(w, r, &x.Decision)
	}
}

// continueStrict repeats a login navigation that came from another site as one
// of this site, where the session cookie is Strict and was therefore left out.
func (l *layout) continueStrict(next middleware.Handler) middleware.Handler {
	if !l.sessions.Cookies.Strict() {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
		if x.Handle.Empty() && middleware.CrossSiteLogin(r) && x.Decision.Route.Access.Auth != routing.AuthNone {
			// Only the grammar counts: it repeats itself, the login included, to which
			// nothing ever returns. What must be cut would be no repetition.
			if to := (returnto.Policy{}).Request(r.URL.EscapedPath(), r.URL.RawQuery); !to.IsZero() && !to.Cut() {
				return handlers.ContinuePage(w, to.String())
			}
		}
		return next(w, r, x)
	}
}
