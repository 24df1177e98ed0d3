package server

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/gatehouse-auth/gatehouse/internal/handlers"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
)

// endpoint is one row of the gateway's own endpoints.
type endpoint struct {
	method, path string
	handler      middleware.Handler
}

// endpoints is the whole list of them, below the mount.
func (p *pipeline) endpoints() []endpoint {
	return []endpoint{
		{"GET", "/login", middleware.Chain(p.own.flow.Login, p.continueStrict)},
		{"GET", "/callback", p.own.flow.Callback},
		{"GET", "/session", p.own.account.Session},
		{"GET", "/user", p.own.account.User},
		{"GET", "/events", p.own.events.Stream},
		{"POST", "/refresh", p.own.account.Refresh},
		{"POST", "/logout", p.own.logout.End},
		{"GET", "/logout", p.own.logout.Page},
		{"GET", "/signed-out", p.own.logout.SignedOut},
		{"GET", "/sessions", p.own.account.List},
		{"DELETE", "/sessions", p.own.account.EndOthers},
		{"DELETE", "/sessions/{id}", p.own.account.EndOne},
		{"GET", "/config", p.own.public.Serve},
		{"GET", "/healthz", p.own.health.Serve},
		{"GET", "/credentials", handlers.NotEnabled},
	}
}

// ownMux routes the gateway's own endpoints. A HEAD is answered as its GET.
func (p *pipeline) ownMux() *chi.Mux {
	mux := chi.NewRouter()
	for _, e := range p.endpoints() {
		mux.Method(e.method, p.mount+e.path, middleware.Leaf(e.handler))
		if e.method == http.MethodGet {
			mux.Method(http.MethodHead, p.mount+e.path, middleware.Leaf(e.handler))
		}
	}
	mux.NotFound(middleware.Leaf(func(http.ResponseWriter, *http.Request, *middleware.Exchange) error {
		return problem.NoSuch("The gateway has no such endpoint.")
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
