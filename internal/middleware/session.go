package middleware

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/fetchmeta"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Sessions loads, demands and freshens the session of a request. Three
// outcomes, only three: a session, none, or an error. An outage is never taken
// for a sign-out.
type Sessions struct {
	Manager *session.Manager
	Cookies *cookie.Jar
}

// LoadSession annotates the exchange with the session of its handle, if there is one.
func (s *Sessions) LoadSession(next Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		if x.Handle.Empty() {
			return next(w, r, x)
		}
		found, err := s.Manager.Load(r.Context(), x.Handle)
		switch {
		case err == nil:
			x.Session = found
		case !errors.Is(err, session.ErrNotFound):
			return err
		}
		return next(w, r, x)
	}
}

// RequireSession refuses an anonymous request where the route demands a
// session, and slides the idle limit of one that has a session. A navigation
// that the route takes from nobody is refused first: a login would end there.
func (s *Sessions) RequireSession(next Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		route := x.Decision.Route
		if route.RefuseNavigations && fetchmeta.Navigation(r) {
			return &problem.Error{Status: http.StatusForbidden, Code: "navigation_refused",
				Public: "This address is for calls, not for the address bar."}
		}
		if x.Session == nil && route.Auth == proxy.AuthSession {
			return session.ErrNotFound
		}
		if x.Session != nil && !route.NoTouch {
			s.touch(r.Context(), x)
		}
		return next(w, r, x)
	}
}

// touch records the use. If the store does not take it the session merely ends
// a little earlier than it might: no reason to refuse the request.
func (s *Sessions) touch(ctx context.Context, x *Exchange) {
	touched, err := s.Manager.Touch(ctx, x.Session)
	if err != nil {
		x.Event.Note = "use of the session not recorded"
		return
	}
	x.Session = touched
}

// FreshToken puts the token that the route sends upstream into the decision,
// refreshed if it is due.
func (s *Sessions) FreshToken(next Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		if x.Session == nil {
			return next(w, r, x)
		}
		x.Decision.Private = true
		route := x.Decision.Route
		if route.Upstream == nil || route.Token == proxy.TokenNone {
			return next(w, r, x)
		}
		fresh, err := s.Manager.Fresh(r.Context(), x.Session)
		if err != nil {
			if gone(err) && route.Auth == proxy.AuthOptional {
				x.Session = nil
				return next(w, r, x)
			}
			return err
		}
		if err := s.adopt(w, x, fresh); err != nil {
			return err
		}
		x.Decision.Bearer = fresh.Bearer
		if route.Token == proxy.TokenID {
			x.Decision.Bearer = fresh.IDBearer
		}
		return next(w, r, x)
	}
}

// adopt takes over a refreshed session, and gives the browser its handle where
// that changed.
func (s *Sessions) adopt(w http.ResponseWriter, x *Exchange, fresh *session.Session) error {
	if fresh == x.Session {
		return nil
	}
	x.Session, x.Event.Refresh = fresh, "done"
	if fresh.Handle.Equal(x.Handle) {
		return nil
	}
	return s.Cookies.SetSession(w, fresh.Handle)
}

func gone(err error) bool {
	return errors.Is(err, session.ErrNotFound) || errors.Is(err, oauth.ErrGrantRevoked)
}
