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
	if !s.sound("headers") {
		return
	}
	taken := map[string]string{} // by whom, by the name in small letters
	if r.IdentityHeaders {
		for _, name := range headers.Identity() {
			taken[strings.ToLower(name)] = "identity_headers: true"
		}
	}
	for at, p := range r.Headers {
		name := strings.ToLower(p.Name)
		if by := taken[name]; by != "" {
			l.rejectPair(s, index[routePrefix+"headers"], at, curef("another header: this one is set by %s already", by))
		}
		taken[name] = p.Name
	}
}

// checkRouteKnows refuses what says who is calling where nobody is known, or nobody is
// told. otherwise is the value that makes it harmless.
func (l *loader) checkRouteKnows(s *scope, r *Route, path, otherwise string) {
	switch {
	case !s.sound(path, "auth", "static"):
	case r.Static != "":
		l.reject(s, path, -1, curef("upstream in the place of static on this route, %s: files are told nothing", otherwise))
	case r.Auth == "none":
		l.reject(s, path, -1, curef("auth session or optional on this route, %s: with none nobody is known", otherwise))
	}
}
