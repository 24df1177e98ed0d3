package config

import "time"

// checkRequire applies the rules about what callers must have, of all routes or of one.
// Rules that ask nothing are refused: what is meant to be guarded would stand open.
func (l *loader) checkRequire(s *scope, r *Require) {
	for _, path := range []string{"require.groups", "require.scopes"} {
		if set, given := s.given[s.prefix+path]; given && len(set.items) == 0 && s.sound(path) {
			l.reject(s, path, -1, cure(index[s.prefix+path].kind.want()+", or the key left out: an empty list requires nothing"))
		}
	}
	claims := index[s.prefix+"require.claims"]
	for at, p := range s.given[claims.path].pairs {
		if len(p.items) == 0 && s.sound("require.claims") {
			l.rejectPair(s, claims, at, cure("a value, or several"))
		}
	}
	if !s.sound("require", "require.groups", "require.scopes", "require.claims", "require.max_auth_age", "require.default") {
		return
	}
	if age := r.MaxAuthAge; age > 0 && age < time.Second {
		l.reject(s, "require.max_auth_age", -1, cure("0s, or a second or more: nobody has signed in as lately as that"))
	}
	section, given := s.given[s.prefix+"require"]
	_, meant := s.given[s.prefix+"require.default"]
	if given && !r.Asks() && !(meant && l.cfg.Require.Asks()) {
		l.add(s, index[s.prefix+"require"], Fault{File: section.file, Line: section.line, Key: s.name + "require", Value: "requires nothing",
			Want: "groups, scopes, claims or max_auth_age in it, or require left out"})
	}
}

// checkRouteRequire is checkRequire of a route.
func (l *loader) checkRouteRequire(s *scope, r *Route) {
	l.checkRequire(s, &r.Require)
	if r.Require.Asks() && r.Auth == "none" && s.sound("auth", "require") {
		l.reject(s, "auth", -1, cure("session, bearer or either: this route requires something of its callers, and none knows nobody"))
	}
}

// inherits reports whether what all routes require holds for this one.
func (r *Route) inherits() bool { return r.Require.Default && r.Auth != "none" && r.Auth != "optional" }

// deriveRequire has a route require what all routes do, where it says nothing else. Who is
// not signed in may use an optional route all the same.
func (l *loader) deriveRequire(s *scope, r *Route) {
	if !r.inherits() {
		return
	}
	own := func(name string) bool {
		_, given := s.given[routePrefix+"require."+name]
		return given
	}
	all := &l.cfg.Require
	if !own("groups") {
		r.Require.Groups = all.Groups
	}
	if !own("scopes") {
		r.Require.Scopes = all.Scopes
	}
	if !own("claims") {
		r.Require.Claims = all.Claims
	}
	if !own("max_auth_age") {
		r.Require.MaxAuthAge = all.MaxAuthAge
	}
	if !own("detail") {
		r.Require.Detail = all.Detail
	}
}
