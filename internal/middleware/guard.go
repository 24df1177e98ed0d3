package middleware

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/gatehouse-auth/gatehouse/internal/fetchmeta"
	"github.com/gatehouse-auth/gatehouse/internal/loopback"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// Guard refuses what no route should see: foreign hosts, oversized targets and
// cookies, methods with a meaning of their own to intermediaries.
type Guard struct {
	PublicURL    *url.URL
	AllowedHosts []string
	// AnyHost are paths that say the same whatever the Host: for load balancers, and for
	// APIs that know the gateway by another name.
	AnyHost []string
	// RedirectLoopback sends navigations to another loopback name of this
	// gateway to PublicURL; for development.
	RedirectLoopback bool
	URLBytes         int
	CookieBytes      int
	Cookies          int
}

// Middleware returns the guard.
func (g *Guard) Middleware(next Handler) Handler {
	hosts := make(map[string]bool, len(g.AllowedHosts)+1)
	for _, h := range append([]string{g.PublicURL.Host}, g.AllowedHosts...) {
		host, _ := canonicalHost(h, g.PublicURL.Scheme)
		hosts[host] = true
	}
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		// HTTP/2 can carry what is no method, such as "GET /": a method is a token (RFC 9110 §9.1).
		if r.Method == http.MethodTrace || r.Method == http.MethodConnect || !httpguts.ValidHeaderFieldName(r.Method) {
			return problem.MethodNotAllowed()
		}
		if err := g.checkSizes(r); err != nil {
			return err
		}
		host, ok := x.Asked, true
		if !hosts[host] { // mostly it is spelled as it is configured
			host, ok = canonicalHost(x.Asked, g.PublicURL.Scheme)
		}
		x.Decision.Host, x.Decision.Proto = host, g.PublicURL.Scheme
		x.Event.Host = truncate(host)
		switch {
		case hosts[host], slices.Contains(g.AnyHost, r.URL.EscapedPath()): // escaped, "%2F" makes it another path
			return next(w, r, x)
		case !ok:
			return malformedHost(x.Asked)
		case g.RedirectLoopback && loopbackAlias(host, g.PublicURL) && fetchmeta.LoginNavigation(r):
			problem.OwnHeaders(w.Header())
			http.Redirect(w, r, g.PublicURL.String()+safeTarget(r), http.StatusFound)
			return nil
		}
		return g.misdirected(r, x, host)
	}
}

func (g *Guard) checkSizes(r *http.Request) error {
	if len(r.RequestURI) > g.URLBytes {
		return &problem.Error{Status: http.StatusRequestURITooLong, Code: "url_too_long",
			Public: "The address of this request is too long."}
	}
	size, count := 0, 0
	for _, line := range r.Header["Cookie"] {
		size += len(line)
		count += strings.Count(line, ";") + 1
	}
	if size > g.CookieBytes || count > g.Cookies {
		return &problem.Error{Status: http.StatusRequestHeaderFieldsTooLarge, Code: "cookies_too_large",
			Public: "This browser sends more cookies than the gateway takes. Delete the cookies of this site."}
	}
	return nil
}

// loopbackAlias reports whether host is a loopback name with public's port.
func loopbackAlias(host string, public *url.URL) bool {
	u := url.URL{Host: host}
	return u.Port() == public.Port() && loopback.HostPort(host) && loopback.HostPort(public.Host)
}

// safeTarget is the request's own target, if it is fit for a Location header.
func safeTarget(r *http.Request) string {
	p, err := routing.TargetOf(r, "").Canonical()
	if err != nil {
		return "/"
	}
	if r.URL.RawQuery != "" {
		return p.Escaped() + "?" + r.URL.RawQuery
	}
	return p.Escaped()
}
