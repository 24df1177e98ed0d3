package config

import "time"

// requirePrefix is of what a route requires, below the route.
const requirePrefix = "require."

// checkRouteRequire refuses rules that ask nothing: what is meant to be guarded would
// stand open.
func (l *loader) checkRouteRequire(s *scope, r *Route) {
	section, given := s.given[routePrefix+"require"]
	if !given {
		return
	}
	for _, name := range []string{"groups", "scopes"} {
		path := requirePrefix + name
		if set, given := s.given[routePrefix+path]; given && len(set.items) == 0 && s.sound(path) {
			l.reject(s, path, -1, cure(index[routePrefix+path].kind.want()+", or the key left out: an empty list requires nothing"))
		}
	}
	claims := index[routePrefix+requirePrefix+"claims"]
	for at, p := range s.given[claims.path].pairs {
		if len(p.items) == 0 && s.sound(requirePrefix+"claims") {
			l.rejectPair(s, claims, at, cure("a value, or several"))
		}
	}
	if !s.sound("require", "require.groups", "require.scopes", "require.claims", "require.max_auth_age") {
		return
	}
	if age := r.Require.MaxAuthAge; age > 0 && age < time.Second {
		l.reject(s, "require.max_auth_age", -1, cure("0s, or a second or more: nobody has signed in as lately as that"))
	}
	switch {
	case !r.Require.Asks():
		l.add(s, index[routePrefix+"require"], Fault{File: section.file, Line: section.line, Key: s.name + "require", Value: "requires nothing",
			Want: "groups, scopes, claims or max_auth_age in it, or require left out"})
	case r.Auth == "none" && s.sound("auth"):
		l.reject(s, "auth", -1, cure("session, bearer or either: this route requires something of its callers, and none knows nobody"))
	}
}
