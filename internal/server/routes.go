package server

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/gatehouse-auth/gatehouse/internal/handlers"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/returnto"
)

// routes is the map of the server. Every request takes the first line; the path,
// made canonical, then decides between the gateway's own endpoints and the
// routes of the configuration.
func (s *Server) routes(table *proxy.Table, relay proxy.Relay) http.Handler {
	record := *s.record
	record.Metrics = s.routeMetrics(table)
	return record.Handler(middleware.Chain(s.dispatch(relay),
		s.origins.Expose,
		s.guard.Middleware,
		s.origins.Preflight,
		middleware.Match(table),
	))
}

// dispatch sends a request to its side of the gateway.
func (s *Server) dispatch(relay proxy.Relay) middleware.Handler {
	own := middleware.Chain(middleware.Mux(s.own()), s.origins.SameOrigin)
	proxied := middleware.Chain(relayed(relay),
		s.origins.SameOrigin,
		s.continueStrict,
		s.sessions.LoadSession,
		middleware.Authorize,
		s.sessions.TouchSession,
		s.sessions.FreshToken,
	)
	return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
		switch {
		case x.Decision.Path.Literal() == s.mount+"/healthz" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			return s.health.Serve(w, r, x) // whatever the cookie says
		case x.Decision.Route.Access.Auth == proxy.AuthOwn:
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
func (s *Server) endpoints() []endpoint {
	return []endpoint{
		{"GET", "/login", middleware.Chain(s.flow.Login, s.continueStrict)},
		{"GET", "/callback", s.flow.Callback},
		{"GET", "/session", s.account.Session},
		{"GET", "/user", s.account.User},
		{"GET", "/events", s.events.Stream},
		{"POST", "/refresh", s.account.Refresh},
		{"POST", "/logout", s.logout.End},
		{"GET", "/logout", s.logout.Page},
		{"GET", "/signed-out", s.logout.SignedOut},
		{"GET", "/sessions", s.account.List},
		{"DELETE", "/sessions", s.account.EndOthers},
		{"DELETE", "/sessions/{id}", s.account.EndOne},
		{"GET", "/config", s.public.Serve},
		{"GET", "/healthz", s.health.Serve},
		{"GET", "/credentials", handlers.NotEnabled},
	}
}

// own routes the gateway's own endpoints. A HEAD is answered as its GET.
func (s *Server) own() http.Handler {
	mux := chi.NewRouter()
	for _, e := range s.endpoints() {
		mux.Method(e.method, s.mount+e.path, middleware.Leaf(e.handler))
		if e.method == http.MethodGet {
			mux.Method(http.MethodHead, s.mount+e.path, middleware.Leaf(e.handler))
		}
	}
	mux.NotFound(middleware.Leaf(func(http.ResponseWriter, *http.Request, *middleware.Exchange) error {
		return &problem.Error{Status: http.StatusNotFound, Code: "not_found", Public: "The gateway has no such endpoint."}
	}))
	mux.MethodNotAllowed(middleware.Leaf(func(_ http.ResponseWriter, r *http.Request, _ *middleware.Exchange) error {
		return problem.MethodNotRouted(mux, r.URL.Path)
	}))
	return onCanonicalPath(mux)
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
func (s *Server) continueStrict(next middleware.Handler) middleware.Handler {
	if !s.cookies.Strict() {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
		if x.Handle.Empty() && middleware.CrossSiteLogin(r) && x.Decision.Route.Access.Auth != proxy.AuthNone {
			// Only the grammar counts: it repeats itself, the login included, to which
			// nothing ever returns. What must be cut would be no repetition.
			if to := (returnto.Policy{}).Request(r.URL.EscapedPath(), r.URL.RawQuery); !to.IsZero() && !to.Cut() {
				return handlers.ContinuePage(w, to.String())
			}
		}
		return next(w, r, x)
	}
}
