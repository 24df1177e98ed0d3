package handlers

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fetchmeta"
	"github.com/gatehouse-auth/gatehouse/internal/forwardauth"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// verifySecretHeader is what a front proves itself by.
const verifySecretHeader = "X-Gatehouse-Verify"

// Verify tells a front whether the request that it holds may pass, and who makes it.
// What is asked of that request is what would be asked of it if it came here: between
// Judge and Allow stand the same middlewares.
//
// A browser may reach this too, through the same front, and is told of its own user then.
// A token, which no browser may see, is only for fronts that no browser can play.
type Verify struct {
	// Family are the headers that describe the request.
	Family forwardauth.Family
	// Path is the endpoint's. Some fronts put the path and the query of the request that they
	// ask about behind it.
	Path string
	// Scheme is public_url's.
	Scheme   string
	Problems *problem.Renderer
	// Identity are the names of all headers that say who makes a request, on any route.
	// Those without a value are answered empty: some fronts let a client's own through
	// otherwise, and others copy more than the route at hand says.
	Identity []string
	// PassToken adds the header Authorization that an upstream would get, and the assertion:
	// for all who ask with Unreachable, else for those who send Secret, if there is one.
	PassToken   bool
	Unreachable bool
	Secret      secret.Text
}

// Judge has the request that a front describes judged by what follows, in the place of
// the one that came, and answers what comes of it.
func (v *Verify) Judge(next middleware.Handler) middleware.Handler {
	return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
		if !x.Decision.TrustedPeer {
			return &problem.Error{Status: http.StatusForbidden, Code: "untrusted_proxy",
				Public: "Only proxies that this gateway trusts may ask here.",
				Err:    fmt.Errorf("peer %s is not in trusted_proxies", r.RemoteAddr)}
		}
		about, err := v.Family.Read(r.Header)
		if err != nil {
			return badRequest("invalid_original_request", "The headers that describe the request do not do so: "+err.Error()+".")
		}
		mode := v.mode(r)
		judged := describedBy(r.WithContext(context.WithValue(r.Context(), modeKey{}, mode)), &about)
		x.AskAbout(about.Method, about.Host, judged.URL.Path)
		x.Event.AddNote("asked by a front")
		if err = v.checkScheme(&about); err == nil {
			err = next(w, judged, x)
		}
		if err != nil {
			v.Problems.RenderVerdict(w, judged, &x.Event, err, mode == redirectMode || mode == answerMode)
		}
		return nil
	}
}

// describedBy is the request that is described, as a server would have read it.
func describedBy(r *http.Request, about *forwardauth.Request) *http.Request {
	path, query, _ := strings.Cut(about.URI, "?")
	judged := *r
	judged.Method, judged.Host, judged.RequestURI = about.Method, about.Host, about.URI
	judged.URL = &url.URL{Path: path, RawQuery: query} // until it is known to be one
	judged.Header = about.Headers(r.Header)
	return &judged
}

// checkScheme refuses what is not for an origin of ours. Whether the host is, the guard says.
func (v *Verify) checkScheme(about *forwardauth.Request) error {
	if about.Scheme == v.Scheme {
		return nil
	}
	return &problem.Error{Status: http.StatusMisdirectedRequest, Code: "misdirected",
		Public: "This gateway does not serve that scheme.",
		Err:    fmt.Errorf("the front says %s, public_url %s: it must name the scheme that browsers use", about.Scheme, v.Scheme)}
}

// What becomes of a refusal, as the front says when it asks: ?mode=….
const (
	// redirectMode sends login navigations to log in.
	redirectMode = "redirect"
	// answerMode is for fronts that can pass on no answer to their question. It asks, once
	// they have refused a request, for what to say to it; so nothing is ever allowed by it.
	answerMode = "answer"
)

// mode is what the front wants of a refusal. The query behind a longer path is that of the
// request that it asks about, which is whose client's it is.
func (v *Verify) mode(r *http.Request) string {
	if r.URL.Path != v.Path {
		return ""
	}
	return r.URL.Query().Get("mode")
}

// modeKey is the key of the mode in a judged request's context.
type modeKey struct{}

// OfRoute goes on with a request that fell on a route of the configuration, under the path
// that was judged. What is the gateway's own is for no front to ask about: it is judged here
// when it comes.
func (v *Verify) OfRoute(next middleware.Handler) middleware.Handler {
	return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
		if x.Decision.Route.Access.Auth == routing.AuthOwn {
			return &problem.Error{Status: http.StatusForbidden, Code: "own_endpoint",
				Public: "This address is the gateway's own. Proxies pass it on without asking."}
		}
		u, err := url.ParseRequestURI(x.Decision.Path.Escaped())
		if err != nil {
			return fmt.Errorf("parse judged path: %w", err)
		}
		u.Scheme, u.Host, u.RawQuery = x.Decision.Proto, x.Decision.Host, r.URL.RawQuery
		r.URL = u
		return next(w, r, x)
	}
}

// Allow answers that the request may pass, and who makes it.
func (v *Verify) Allow(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
	if r.Context().Value(modeKey{}) == answerMode {
		return passesByNow(w, r)
	}
	h := w.Header()
	problem.OwnHeaders(h)
	for _, name := range v.Identity {
		h[name] = []string{""}
	}
	x.Decision.Identify(h)
	if v.PassToken && (v.Unreachable || v.proven(r, x)) {
		h["Authorization"] = authorization(r, &x.Decision)
		x.Decision.Vouch(h)
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// authorization is what the upstream would get as Authorization; one empty value if nothing.
func authorization(r *http.Request, d *proxy.Decision) []string {
	if own := r.Header["Authorization"]; d.PassesAuthorization() && len(own) > 0 {
		return own
	}
	return []string{d.Bearer.Reveal()}
}

// passesByNow has a request made again that was refused a moment ago.
func passesByNow(w http.ResponseWriter, r *http.Request) error {
	if fetchmeta.LoginNavigation(r) {
		return problem.Redirect(w, r, r.URL.String())
	}
	return &problem.Error{Status: http.StatusServiceUnavailable, Code: "try_again", RetryAfter: time.Second,
		Public: "This request was refused a moment ago, and would pass by now. Try again."}
}

// proven reports whether the front sent the secret. Another one counts as none, which is
// what whoever guesses has.
func (v *Verify) proven(r *http.Request, x *middleware.Exchange) bool {
	sent := r.Header[verifySecretHeader]
	if len(sent) == 1 && v.Secret.Equal(secret.NewText(sent[0])) {
		return true
	}
	if len(sent) > 0 {
		x.Event.AddNote(verifySecretHeader + " is not verify.secret")
	}
	return false
}
