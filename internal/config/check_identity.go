package config

import (
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/headers"
)

// checkRouteIdentity judges the headers by which an upstream learns who is calling.
func (l *loader) checkRouteIdentity(s *scope, r *Route) {
	if r.IdentityHeaders {
		l.checkRouteKnows(s, r, "identity_headers", "or false")
	}
	if len(r.Headers) > 0 {
		l.checkRouteKnows(s, r, "headers", "or none")
	}
	if r.Assertion.Audience != "" {
		l.checkRouteKnows(s, r, "assertion.audience", "or none")
	} else if r.Assertion.Header != "" && s.sound("assertion.audience", "assertion.header") {
		l.reject(s, "assertion.audience", -1, cure("a name for the upstream beside assertion.header, such as https://orders.example.com"))
	}
	if s.sound("headers", "assertion.header") {
		l.checkRouteHeaders(s, r)
	}
}

// checkRouteKnows refuses what says who is calling where nobody is known, or nobody is
// told. otherwise is what makes it harmless.
func (l *loader) checkRouteKnows(s *scope, r *Route, path, otherwise string) {
	switch {
	case !s.sound(path, "auth", "static"):
	case r.Static != "":
		l.reject(s, path, -1, curef("upstream in the place of static on this route, %s: files are told nothing", otherwise))
	case r.Auth == "none":
		l.reject(s, path, -1, curef("another auth than none on this route, %s: of nobody there is nothing to say", otherwise))
	}
}

// checkRouteHeaders refuses a header that is set twice.
func (l *loader) checkRouteHeaders(s *scope, r *Route) {
	setBy := map[string]string{} // by the name in small letters
	if r.IdentityHeaders {
		for _, name := range headers.Identity() {
			setBy[strings.ToLower(name)] = "identity_headers: true"
		}
	}
	if name := strings.ToLower(r.Assertion.Header); setBy[name] != "" {
		l.reject(s, "assertion.header", -1, curef("another header: this one is set by %s already", setBy[name]))
	} else if name != "" {
		setBy[name] = "assertion"
	}
	for at, p := range r.Headers {
		name := strings.ToLower(p.Name)
		if by := setBy[name]; by != "" {
			l.rejectPair(s, index[routePrefix+"headers"], at, curef("another header: this one is set by %s already", by))
		}
		setBy[name] = p.Name
	}
}
