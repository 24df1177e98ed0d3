package config

import "time"

// checkRequire applies the rules about what callers must have, of all routes or of one.
func (l *loader) checkRequire(s *scope, r *Require) {
	for _, path := range []string{"require.groups", "require.scopes"} {
		if set, given := s.given[s.prefix+path]; given && len(set.items) == 0 && s.sound(path) {
			l.reject(s, path, -1, cure(index[s.prefix+path].kind.want()+", or the key left out: an empty list requires nothing"))
		}
	}
	claims := index[s.prefix+"require.claims"]
	set, given := s.given[claims.path]
	if given && len(set.pairs) == 0 && s.sound("require.claims") {
		l.add(s, claims, Fault{File: set.file, Line: set.line, Key: s.shown(claims), Value: "an empty mapping",
			Want: "a claim with its values, or the key left out: an empty mapping requires nothing"})
	}
	for at, p := range set.pairs {
		if len(p.items) == 0 && s.sound("require.claims") {
			l.rejectPair(s, claims, at, cure("a value, or several"))
		}
	}
	_, given = s.given[s.prefix+"require.max_auth_age"]
	if age := r.MaxAuthAge; given && age > 0 && age < time.Second && s.sound("require.max_auth_age") {
		l.reject(s, "require.max_auth_age", -1, cure("0s, or a second or more: nobody has signed in as lately as that"))
	}
}

// checkRequireOfAll is checkRequire of what stands above the routes.
func (l *loader) checkRequireOfAll() {
	l.checkRequire(l.top, &l.cfg.Require)
	if !l.cfg.Require.Asks() {
		l.refuseNothing(l.top, "require left out")
	}
}

// checkRouteRequire is checkRequire of a route.
func (l *loader) checkRouteRequire(s *scope, r *Route) {
	l.checkRequire(s, &r.Require)
	if r.Require.Asks() && r.Auth == "none" && s.sound("auth", "require") {
		l.reject(s, "auth", -1, cure("session, bearer or either: this route requires something of its callers, and none knows nobody"))
	}
	all := l.cfg.Require.Asks()
	switch {
	case r.Require.Asks() || !soundRequire(l.top):
	case all && r.servesNobody():
		l.refuseNothing(s, "require left out: with auth "+r.Auth+" what all routes require does not hold")
	case all && r.Require.Default:
		l.refuseNothing(s, "default: false")
	case !all:
		l.refuseNothing(s, "require left out")
	}
}

// refuseNothing refuses rules that ask nothing: what is meant to be guarded would stand
// open.
func (l *loader) refuseNothing(s *scope, otherwise string) {
	for _, name := range []string{"require", "require.max_auth_age", "require.detail"} { // of a variable there is no section
		if set, given := s.given[s.prefix+name]; given && soundRequire(s) {
			l.add(s, index[s.prefix+"require"], Fault{File: set.file, Line: set.line, Key: s.name + "require", Value: "requires nothing",
				Want: "groups, scopes, claims or max_auth_age in it, or " + otherwise})
			return
		}
	}
}

// soundRequire reports whether what is required is what the operator meant.
func soundRequire(s *scope) bool {
	return s.sound("require", "require.groups", "require.scopes", "require.claims", "require.max_auth_age", "require.detail", "require.default")
}

// servesNobody reports whether the route is served to who is not signed in, as far as auth
// says it.
func (r *Route) servesNobody() bool { return r.Auth == "none" || r.Auth == "optional" }

// inherits reports whether what all routes require holds for this one. Of nobody nothing is
// required; an optional route that requires something itself serves nobody.
func (r *Route) inherits() bool {
	return r.Require.Default && (!r.servesNobody() || r.Auth == "optional" && r.Require.Asks())
}

// deriveRequire has a route require what all routes do, where it says nothing else.
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
