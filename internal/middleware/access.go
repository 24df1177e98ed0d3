package middleware

import (
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/fetchmeta"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// LoadSession loads the session of a request, if it has one, and its caller is not
// known by other means.
func (s *Sessions) LoadSession(next Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		if !x.Caller.Anonymous() {
			return next(w, r, x)
		}
		if err := s.Load(r.Context(), x); err != nil && !errors.Is(err, session.ErrNotFound) {
			return err
		}
		return next(w, r, x)
	}
}

// Authorize holds a request against the access policy of its route. A navigation
// that the route takes from nobody is refused first: a login would end there.
func Authorize(next Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		access := &x.Decision.Route.Access
		if !access.Navigations && fetchmeta.Navigation(r) {
			return &problem.Error{Status: http.StatusForbidden, Code: "navigation_refused",
				Public: "This address is for calls, not for the address bar."}
		}
		if x.Caller.Anonymous() && !access.ServesNobody() {
			if access.Auth.TakesBearer() && !fetchmeta.Navigation(r) {
				w.Header()["Www-Authenticate"] = bearerWanted // a program without a token may be asking
			}
			return session.ErrNotFound
		}
		return next(w, r, x)
	}
}

// TouchSession slides the idle limit of a session, where the route counts as use.
func (s *Sessions) TouchSession(next Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		if x.Caller.Session != nil && x.Decision.Route.Access.Touch {
			s.Touch(r.Context(), x)
		}
		return next(w, r, x)
	}
}

// FreshToken puts the token that the route sends upstream into the decision,
// refreshed if it is due.
func (s *Sessions) FreshToken(next Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		x.Decision.Private = !x.Caller.Anonymous()
		if x.Caller.Session != nil {
			if err := s.freshen(w, r, x); err != nil {
				return err
			}
		}
		if route := x.Decision.Route; sendsToken(route) {
			x.Decision.Bearer = x.Caller.Bearer(route.Token)
		}
		return next(w, r, x)
	}
}

// freshen makes the session ready for an answer on its strength, its tokens too where
// the upstream gets one, or headers that say the same. Where the grant is gone and the
// route takes anybody, the request goes on as anybody's.
func (s *Sessions) freshen(w http.ResponseWriter, r *http.Request, x *Exchange) error {
	route := x.Decision.Route
	if sendsToken(route) || route.SaysWhoIsCalling() || route.Access.Require != nil {
		err := s.Fresh(r.Context(), x)
		if grantGone(err) && route.Access.ServesNobody() {
			x.Caller = Caller{}
			return nil
		}
		if err != nil {
			return err
		}
	}
	return s.Deliver(w, r, x)
}

func sendsToken(r *routing.Route) bool { return len(r.Upstreams) > 0 && r.Token != routing.TokenNone }

// grantGone reports whether a refresh has found the session's end.
func grantGone(err error) bool {
	return errors.Is(err, session.ErrNotFound) || errors.Is(err, oauth.ErrGrantRevoked)
}
