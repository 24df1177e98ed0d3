package middleware

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/fetchmeta"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Origins is who may use the cookie's power: the own origin and those allowed.
// Every request that carries the cookie is judged, whatever its method: a GET
// that answers with data, and a WebSocket handshake, are worth forging too.
type Origins struct {
	Cookies *cookie.Jar
	// Scheme is public_url's.
	Scheme string
	// Allowed are serialised origins, lower case.
	Allowed []string
	// CSRFHeader, if set, is demanded besides.
	CSRFHeader string
}

// SameOrigin reads the cookie and applies the same-origin rule to requests that
// carry it, before the store is asked. On optional routes a request that fails it
// goes on as anonymous. What is judged by its bearer needs neither. It needs the
// route, and so stands behind the match.
func (o *Origins) SameOrigin(next Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		if !x.Decision.Route.Access.Auth.TakesCookie() || ByBearer(r, x) {
			return next(w, r, x)
		}
		x.Handle = o.Cookies.Session(r)
		if x.Handle.Empty() {
			if o.Cookies.Ambiguous(r) {
				x.Event.AddNote("several session cookies came, of different sessions: none counts")
			}
			return next(w, r, x)
		}
		if err := o.check(r, x.Decision.Host); err != nil {
			if x.Decision.Route.Access.Auth != routing.AuthOptional {
				return err
			}
			x.Handle = session.Handle{}
		}
		return next(w, r, x)
	}
}

func (o *Origins) check(r *http.Request, host string) error {
	if !o.MayUseCookie(r, host) {
		return CrossOrigin()
	}
	if o.CSRFHeader != "" && r.Header.Get(o.CSRFHeader) == "" && !o.exempt(r, host) {
		return &problem.Error{Status: http.StatusForbidden, Code: "csrf_header_missing",
			Public: "Requests with a session must carry the header " + o.CSRFHeader + "."}
	}
	return nil
}

// CrossOrigin is the refusal of a request that comes from an origin which may not
// use the cookie.
func CrossOrigin() error {
	return &problem.Error{Status: http.StatusForbidden, Code: "cross_origin",
		Public: "This request does not come from an origin that may use the session."}
}

// ProvedBy returns the same rule for an endpoint whose calls always carry that header.
// It serves as the page's own does: a browser asks before it sends either to another
// origin (Fetch §4.8). "" is for calls with a proof that no other site has in their body.
func (o *Origins) ProvedBy(header string) *Origins {
	other := *o
	other.CSRFHeader = header
	return &other
}

// MayUseCookie is the rule, one line a case: whether a request from where this
// one comes may use the cookie, if it carries one. Header values are compared
// exactly; a header that comes twice has no value.
func (o *Origins) MayUseCookie(r *http.Request, host string) bool {
	hasSite := len(r.Header["Sec-Fetch-Site"]) > 0
	origin, hasOrigin := single(r.Header["Origin"])
	switch {
	case o.fromHere(r, host):
		return true
	case fetchmeta.LoginNavigation(r):
		return true
	case hasOrigin && slices.Contains(o.Allowed, origin):
		return true
	case !hasSite && hasOrigin:
		return o.own(origin, host)
	case !hasSite && !hasOrigin:
		return (r.Method == http.MethodGet || r.Method == http.MethodHead) && !fetchmeta.WebSocket(r)
	}
	return false
}

// fromHere reports whether fetch metadata says that the request begins here: on a
// page of ours, or by the user's own hand, which a prefetch is not (a page on a
// sibling host may cause one, and it says none like a typed address).
//
// A request that a foreign page begins and our own service worker passes on says
// same-origin too, because the worker is of this origin. Its Origin shows where it
// began. A null Origin shows nothing: our own pages send it where they send no
// referrer (Fetch §3.2.5).
func (o *Origins) fromHere(r *http.Request, host string) bool {
	switch site, _ := single(r.Header["Sec-Fetch-Site"]); {
	case site == "same-origin":
	case site == "none" && !fetchmeta.Speculative(r):
	default:
		return false
	}
	origin, sent := single(r.Header["Origin"])
	return !sent || origin == "null" || o.own(origin, host)
}

// own reports whether origin is that of this gateway at host.
func (o *Origins) own(origin, host string) bool {
	scheme, rest, _ := strings.Cut(origin, "://")
	return scheme == o.Scheme && rest == host
}

// CrossSiteLogin reports whether the browser says that the request is a login
// navigation begun by another site.
func CrossSiteLogin(r *http.Request) bool {
	site, _ := single(r.Header["Sec-Fetch-Site"])
	return site == "cross-site" && fetchmeta.LoginNavigation(r)
}

// exempt lists what cannot carry a custom header: navigations, handshakes with
// the own origin, and the browser's EventSource.
func (o *Origins) exempt(r *http.Request, host string) bool {
	if fetchmeta.Navigation(r) {
		return true
	}
	origin, _ := single(r.Header["Origin"])
	own := o.own(origin, host)
	if fetchmeta.WebSocket(r) {
		return own
	}
	site, _ := single(r.Header["Sec-Fetch-Site"])
	sameOrigin := own || site == "same-origin" && o.fromHere(r, host)
	return r.Method == http.MethodGet && sameOrigin && strings.Contains(r.Header.Get("Accept"), "text/event-stream")
}

// Expose puts the CORS headers on every answer to an allowed origin, errors too
// and the earliest of them: a 401 without them is invisible to the page.
func (o *Origins) Expose(next Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		if len(o.Allowed) > 0 {
			w.Header()["Vary"] = varyOrigin
		}
		if origin := r.Header["Origin"]; len(origin) == 1 && slices.Contains(o.Allowed, origin[0]) {
			allowOrigin(w.Header(), origin)
		}
		return next(w, r, x)
	}
}

// Preflight answers CORS preflights, which never reach a route.
func (o *Origins) Preflight(next Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		if !fetchmeta.Preflight(r) {
			return next(w, r, x)
		}
		origin, _ := single(r.Header["Origin"])
		allowed := slices.Contains(o.Allowed, origin)
		if !allowed && !o.own(origin, x.Decision.Host) {
			return &problem.Error{Status: http.StatusForbidden, Code: "cross_origin",
				Public: "That origin may not call this gateway."}
		}
		if allowed {
			answerPreflight(w.Header(), r)
		}
		return problem.WriteNothing(w)
	}
}

// The values of headers that are the same in every answer. Answers share them: adding
// to one copies it.
var (
	varyOrigin       = []string{"Origin"}
	allowCredentials = []string{"true"}
	exposeHeaders    = []string{"X-Gatehouse, X-Request-Id, Retry-After, Link, WWW-Authenticate"}
)

// allowOrigin allows an origin, which is one value.
func allowOrigin(h http.Header, origin []string) {
	h["Access-Control-Allow-Origin"] = slices.Clip(origin) // the request's own slice, which nobody changes
	h["Access-Control-Allow-Credentials"] = allowCredentials
	h["Access-Control-Expose-Headers"] = exposeHeaders
}

func answerPreflight(h http.Header, r *http.Request) {
	h.Set("Access-Control-Allow-Methods", r.Header.Get("Access-Control-Request-Method"))
	if headers := r.Header.Values("Access-Control-Request-Headers"); len(headers) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(headers, ", "))
	}
	h.Set("Access-Control-Max-Age", "600")
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
}

// single returns the value of a header line. Two lines are present, and match
// nothing.
func single(values []string) (value string, present bool) {
	switch len(values) {
	case 0:
		return "", false
	case 1:
		return values[0], true
	}
	return "", true
}
