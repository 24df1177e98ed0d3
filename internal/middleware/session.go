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
		if err == nil {
			found, err = s.Manager.CheckUser(r.Context(), found)
		}
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
		if !route.Access.Navigations && fetchmeta.Navigation(r) {
			return &problem.Error{Status: http.StatusForbidden, Code: "navigation_refused",
				Public: "This address is for calls, not for the address bar."}
		}
		if x.Session == nil && route.Access.Auth == proxy.AuthSession {
			return session.ErrNotFound
		}
		if x.Session != nil && route.Access.Touch {
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
		x.Event.AddNote("use of the session not recorded")
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
			if err := s.Deliver(w, r, x, x.Session); err != nil {
				return err
			}
			return next(w, r, x)
		}
		fresh, err := s.Manager.Fresh(r.Context(), x.Session)
		if err != nil {
			if gone(err) && route.Access.Auth == proxy.AuthOptional {
				x.Session = nil
				return next(w, r, x)
			}
			return err
		}
		if fresh != x.Session {
			x.Event.Refresh = "done"
		}
		if err := s.Deliver(w, r, x, fresh); err != nil {
			return err
		}
		x.Decision.Bearer = fresh.Bearer
		if route.Token == proxy.TokenID {
			x.Decision.Bearer = fresh.IDBearer
		}
		return next(w, r, x)
	}
}

// Deliver takes over a session that is about to be answered with, and gives the
// browser its handle, where that is another one than the request came with. It
// comes before the answer begins and after all that may give the session another
// handle; a request that is refused before leaves the cookie alone.
func (s *Sessions) Deliver(w http.ResponseWriter, r *http.Request, x *Exchange, current *session.Session) error {
	x.Session = current
	if current.Handle.Equal(x.Handle) {
		return nil
	}
	// Now, for a handshake that leaves the writer; and looked at again when the
	// answer begins, which may be much later.
	if err := s.Cookies.SetSession(w, current.Handle); err != nil {
		return err
	}
	x.writer.begins = func(h http.Header) { s.lookAgain(w, r, x, h) }
	return nil
}

// lookAgain sees to it that an answer which took its time does not put back a
// handle of before, nor sign in again who has signed out meanwhile; and that no
// cache keeps the cookie, even where the route leaves caching to its upstream.
func (s *Sessions) lookAgain(w http.ResponseWriter, r *http.Request, x *Exchange, h http.Header) {
	x.Decision.KeepPrivate(h)
	newest, err := s.Manager.Load(r.Context(), x.Session.Handle)
	switch {
	case errors.Is(err, session.ErrNotFound):
		s.Cookies.UnsetSession(h)
	case err == nil && !newest.Handle.Equal(x.Session.Handle):
		s.Cookies.UnsetSession(h)
		if err := s.Cookies.SetSession(w, newest.Handle); err != nil {
			x.Event.AddNote("newest session not given to the browser")
			x.Event.Err = err
		}
	}
}

func gone(err error) bool {
	return errors.Is(err, session.ErrNotFound) || errors.Is(err, oauth.ErrGrantRevoked)
}
