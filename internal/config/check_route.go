package config

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// checkRoutes applies the rules about each route, and about routes among
// themselves.
func (l *loader) checkRoutes() {
	for i, s := range l.routes {
		r := s.target.(*Route)
		l.checkRoutePath(s, r)
		l.checkRouteHost(s, r)
		l.checkRouteEnd(s, r)
		l.checkUpstreams(s, r)
		l.checkRouteFiles(s, r)
		l.checkRouteIdentity(s, r)
		l.checkRouteSections(s)
		l.checkRouteRate(s, r)
		l.checkRouteAuth(s, r)
		l.checkRouteRequire(s, r)
		if first := l.earlierTwin(i); first != nil && s.sound("path", "host") {
			l.reject(s, "path", -1, curef("another path than that of %s, in more than case, or another host", strings.TrimSuffix(first.name, ".")))
		}
	}
}

// essential is what gives the rest of a section its meaning.
var essential = map[string]string{"rate_limit": "requests", "assertion": "audience", "health_check": "path"}

// checkRouteSections refuses sections that do nothing, though somebody wanted something.
func (l *loader) checkRouteSections(s *scope) {
	for _, name := range slices.Sorted(maps.Keys(essential)) {
		section, given := s.given[routePrefix+name]
		if !given || !s.sound(name) || !l.empty(s, name) {
			continue
		}
		l.add(s, index[routePrefix+name], Fault{File: section.file, Line: section.line, Key: s.name + name, Value: "nothing in it",
			Want: essential[name] + " in it, or " + name + " left out"})
	}
}

// empty reports whether a section of a route has no key in it, not even a wrong one.
func (l *loader) empty(s *scope, name string) bool {
	prefix := routePrefix + name + "."
	for path := range s.given {
		if strings.HasPrefix(path, prefix) {
			return false
		}
	}
	for path := range s.faulty {
		if strings.HasPrefix(path, prefix) {
			return false
		}
	}
	return true
}

func (l *loader) checkRoutePath(s *scope, r *Route) {
	if !s.sound("path") {
		return
	}
	switch {
	case r.Path == "":
		l.reject(s, "path", -1, cure("a path such as /api/"))
	case l.top.sound("mount") && l.underMount(r.Path):
		l.reject(s, "path", -1, curef("a path outside %s, where the gateway's own endpoints are", l.cfg.Mount))
	}
}

// checkRouteHost refuses a route that no request can reach: hosts that are not
// ours are turned away before any route is looked at.
func (l *loader) checkRouteHost(s *scope, r *Route) {
	if r.Host == "" || !s.sound("host") || l.cfg.PublicURL == nil || !l.top.sound("allowed_hosts") {
		return
	}
	if r.Host != l.cfg.PublicURL.Host && !slices.Contains(l.cfg.AllowedHosts, r.Host) {
		l.reject(s, "host", -1, cure("the host of public_url, or one of allowed_hosts"))
	}
}

// checkRouteEnd judges where a route leads, and what only one kind of end takes.
func (l *loader) checkRouteEnd(s *scope, r *Route) {
	hasUpstream, hasStatic := s.filled(routePrefix+"upstream"), s.filled(routePrefix+"static")
	switch {
	case hasUpstream && hasStatic:
		l.reject(s, "static", -1, cure("only one of upstream and static"))
	case !hasUpstream && !hasStatic && s.sound("upstream", "static"):
		l.reject(s, "upstream", -1, cure("upstream or static: an address such as http://localhost:9000, or a directory"))
	}
	if !hasStatic && r.SPAFallback != "" && s.sound("static", "spa_fallback") {
		l.reject(s, "spa_fallback", -1, cure("static on this route: an upstream has its own fallback"))
	}
	other := func(m string) bool { return m != "GET" && m != "HEAD" }
	if at := slices.IndexFunc(r.Methods, other); hasStatic && at >= 0 && s.sound("methods") {
		l.reject(s, "methods", at, cure("GET or HEAD: files take no other"))
	}
}

// checkRouteAuth judges whether what a route asks of its callers can be had, and whether
// they have what it sends on.
func (l *loader) checkRouteAuth(s *scope, r *Route) {
	if r.takesBearer() && len(l.cfg.BearerClients) == 0 && s.sound("auth") && l.top.sound("bearer_clients") {
		l.reject(s, "auth", -1, cure("bearer_clients set, to the app clients whose access tokens count here; or auth session"))
	}
	l.checkRouteCORS(s, r)
	if !s.sound("auth", "token") {
		return
	}
	if _, given := s.given[routePrefix+"token"]; given && r.Auth == "none" && r.Token != "none" {
		l.reject(s, "token", -1, cure("another auth than none on this route, or token none: of nobody there is no token"))
	}
	if r.takesBearer() && r.Token == "id" {
		l.reject(s, "token", -1, curef("access or none: with auth %s a caller brings no ID token", r.Auth))
	}
}

// checkRouteCORS keeps the cookie's power with allowed_origins.
func (l *loader) checkRouteCORS(s *scope, r *Route) {
	switch {
	case !r.CORSUpstream || !s.sound("cors", "auth"):
	case r.takesCookie():
		l.reject(s, "cors", -1, curef("auth none or bearer on this route, or no cors: with auth %s allowed_origins says who may use the cookie", r.Auth))
	case r.Static != "":
		l.reject(s, "cors", -1, cure("an upstream on this route, or no cors: files have no CORS answers"))
	}
}

// checkRouteFiles looks for what a static route serves from: what is missing now
// would be an error at every request later.
func (l *loader) checkRouteFiles(s *scope, r *Route) {
	if r.Static == "" || !s.sound("static") {
		return
	}
	if info, err := l.src.Stat(r.Static); err != nil || !info.IsDir() {
		l.reject(s, "static", -1, curef("a directory that is there (%s%s)", missing(err, "it is none"), lookedAt(r.Static)))
		return
	}
	if r.SPAFallback == "" || !s.sound("spa_fallback") {
		return
	}
	path := filepath.Join(r.Static, r.SPAFallback)
	if info, err := l.src.Stat(path); err != nil || !info.Mode().IsRegular() {
		l.reject(s, "spa_fallback", -1, curef("a file that is there, in static (%s%s)", missing(err, "it is none"), lookedAt(path)))
	}
}

// missing is why something was not found, or otherwise, if it was.
func missing(err error, otherwise string) string {
	if err == nil {
		return otherwise
	}
	return reason(err)
}

// earlierTwin finds a route above that takes the same requests. Paths that
// differ in case only count: a request for one is refused as ambiguous with the
// other.
func (l *loader) earlierTwin(i int) *scope {
	r := l.routes[i].target.(*Route)
	for _, s := range l.routes[:i] {
		o := s.target.(*Route)
		if r.Path != "" && strings.EqualFold(o.Path, r.Path) && o.Host == r.Host {
			return s
		}
	}
	return nil
}
