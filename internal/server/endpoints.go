package server

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/gatehouse-auth/gatehouse/internal/amplify"
	"github.com/gatehouse-auth/gatehouse/internal/cognito"
	"github.com/gatehouse-auth/gatehouse/internal/handlers"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
)

// endpoint is one row of the gateway's own endpoints.
type endpoint struct {
	method, path string
	audience     audience
	handler      middleware.Handler
}

// audience says who is served.
type audience int

const (
	// guarded: a request that carries the session cookie must pass the same-origin rule.
	guarded audience = iota
	// anybody: the cookie is not looked at, wherever the request comes from. It is for
	// what says the same to everyone.
	anybody
	// ownForm: guarded, by the handler itself, which answers a refusal in a form of its own.
	ownForm
)

// The client's modules, and the page on which the login of its popup ends.
const (
	sdkPath   = "/sdk"
	popupPath = sdkPath + "/popup.html"
)

// keySetPath is where the keys are by which APIs check assertions.
const keySetPath = "/jwks.json"

const (
	// facadePath is where the façade for aws-amplify is.
	facadePath = "/amplify"
	// codeVerifier says that no header proves a call: the verifier in its body does.
	codeVerifier = ""
)

// endpoints is the list of them, below the mount; what fronts ask ([verifyPath]) comes
// before all that is asked of these.
func (p *pipeline) endpoints() []endpoint {
	return []endpoint{
		{"GET", "/login", guarded, middleware.Chain(p.own.flow.Login, p.continueStrict)},
		{"GET", "/callback", guarded, p.own.flow.Callback},
		{"GET", "/session", guarded, p.own.account.Session},
		{"GET", "/user", guarded, p.own.account.User},
		{"GET", "/events", guarded, p.own.events.Stream},
		{"POST", "/refresh", guarded, p.own.account.Refresh},
		{"POST", "/logout", guarded, p.own.logout.End},
		{"GET", "/logout", guarded, p.own.logout.Page},
		{"GET", "/signed-out", guarded, p.own.logout.SignedOut},
		{"GET", "/sessions", guarded, p.own.account.List},
		{"DELETE", "/sessions", guarded, p.own.account.EndOthers},
		{"DELETE", "/sessions/{id}", guarded, p.own.account.EndOne},
		{"GET", "/config", guarded, p.own.public.Serve},
		{"GET", healthPath, anybody, p.own.health.Serve},
		{"GET", keySetPath, anybody, p.own.keySet.Serve},
		{"GET", "/credentials", guarded, handlers.NotEnabled},
		{"POST", facadePath + "/idp/", ownForm, p.withFacade(p.own.amplify.UserPool,
			amplify.InCognitosForm, p.edge.origins.ProvedBy(cognito.TargetHeader).SameOrigin)},
		{"GET", facadePath + "/oauth2/authorize", guarded, p.withFacade(p.own.amplify.Authorize)},
		{"POST", facadePath + "/oauth2/token", ownForm, p.withFacade(p.own.amplify.Token,
			amplify.InOAuthsForm, p.edge.origins.ProvedBy(codeVerifier).SameOrigin)},
		{"GET", facadePath + "/logout", guarded, p.withFacade(p.own.logout.Navigate)},
		{"GET", sdkPath + "/{file}", anybody, p.own.modules.Entry},
		{"GET", sdkPath + "/{version}/{file}", anybody, p.own.modules.File},
		{"GET", popupPath, anybody, p.own.modules.Popup},
	}
}

// withFacade is an endpoint of the façade for aws-amplify, which may be left off. Its
// calls have a proof of their own in the place of csrf_header, because the library sends
// no header of the page's choice with all of them.
func (p *pipeline) withFacade(h middleware.Handler, mws ...middleware.Middleware) middleware.Handler {
	if p.own.amplify == nil {
		return handlers.NotEnabled
	}
	return middleware.Chain(h, mws...)
}

// ownMux routes the gateway's own endpoints. A HEAD is answered as its GET.
func (p *pipeline) ownMux() *chi.Mux {
	mux := chi.NewRouter()
	for _, e := range p.endpoints() {
		leaf := middleware.Leaf(e.handler)
		if e.audience == guarded {
			leaf = p.guardedLeaf(e.handler)
		}
		mux.Method(e.method, p.mount+e.path, leaf)
		if e.method == http.MethodGet {
			mux.Method(http.MethodHead, p.mount+e.path, leaf)
		}
	}
	mux.NotFound(p.guardedLeaf(func(http.ResponseWriter, *http.Request, *middleware.Exchange) error {
		return problem.NoSuch("The gateway has no such endpoint.")
	}))
	mux.MethodNotAllowed(p.guardedLeaf(func(_ http.ResponseWriter, r *http.Request, _ *middleware.Exchange) error {
		return problem.MethodNotRouted(mux, r.URL.Path)
	}))
	return mux
}

func (p *pipeline) guardedLeaf(h middleware.Handler) http.HandlerFunc {
	return middleware.Leaf(middleware.Chain(h, p.edge.origins.SameOrigin))
}

// nameEndpoint puts an endpoint's pattern, such as /auth/sessions/{id}, in the place
// of the route that all of them share. What is no endpoint keeps that.
func nameEndpoint(mux *chi.Mux, method string, x *middleware.Exchange) {
	if pattern := mux.Find(chi.NewRouteContext(), method, x.Decision.Path.Literal()); pattern != "" {
		x.Event.Route = pattern
	}
}
