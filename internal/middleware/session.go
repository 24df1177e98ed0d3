package middleware

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Sessions is what a request does with its session, step by step: Load, Touch,
// Fresh or Refresh, Deliver; or End. Each step takes the session that is in the exchange
// and puts there what has become of it. Whoever answers on the strength of a
// session takes these steps: the routes (access.go) and the gateway's own endpoints.
// They decide which steps, and what an error of one means.
//
// There are three outcomes, only three: a session, none, or an error. An outage is
// never taken for a sign-out.
type Sessions struct {
	Manager *session.Manager
	Cookies *cookie.Jar
}

// Load finds the session of the handle that came, if its user is still in.
//
// Errors: [session.ErrNotFound]; those of [session.Manager.Load] and
// [session.Manager.CheckUser], which do not mean that there is no session.
func (s *Sessions) Load(ctx context.Context, x *Exchange) error {
	x.heard = s.Manager.Heard()
	found, err := s.Find(ctx, x.Handle)
	if err != nil {
		return err
	}
	x.Caller = CallerOf(found)
	return nil
}

// Find is Load for a handle that no request brings.
func (s *Sessions) Find(ctx context.Context, h session.Handle) (*session.Session, error) {
	found, err := s.Manager.Load(ctx, h)
	if err != nil {
		return nil, err
	}
	return s.Manager.CheckUser(ctx, found)
}

// Touch records the use. If the store does not take it the session merely ends
// a little earlier than it might: no reason to refuse the request.
func (s *Sessions) Touch(ctx context.Context, x *Exchange) {
	touched, err := s.Manager.Touch(ctx, x.Caller.Session)
	if err != nil {
		x.Event.AddNote("use of the session not recorded")
		return
	}
	x.Caller = CallerOf(touched)
}

// Fresh sees to it that the session's tokens can be used now. Errors: as
// [session.Manager.Fresh].
func (s *Sessions) Fresh(ctx context.Context, x *Exchange) error {
	fresh, err := s.Manager.Fresh(ctx, x.Caller.Session)
	if err != nil {
		return err
	}
	if fresh != x.Caller.Session {
		x.Event.Refresh = "done"
	}
	x.Caller = CallerOf(fresh)
	return nil
}

// FreshClaims is Fresh for an answer that shows claims and sends no token: while the
// user pool is away those in hand will do, with their true expiry. Errors:
// [session.ErrNotFound], [session.ErrUnavailable].
func (s *Sessions) FreshClaims(ctx context.Context, x *Exchange) error {
	err := s.Fresh(ctx, x)
	if err == nil || errors.Is(err, session.ErrNotFound) || errors.Is(err, session.ErrUnavailable) {
		return err
	}
	x.Event.Err = err
	return nil
}

// Refresh gets new tokens, whether or not they are due. Errors: as
// [session.Manager.Refresh].
func (s *Sessions) Refresh(ctx context.Context, x *Exchange) error {
	fresh, err := s.Manager.Refresh(ctx, x.Caller.Session)
	if err != nil {
		return err
	}
	x.Caller, x.Event.Refresh = CallerOf(fresh), "forced"
	return nil
}

// End ends the session of the handle that came. Where the store does not answer, the
// end is pending and is tried again behind. Once the cookie is cleared nobody can open
// such a session, because its key goes with the cookie. The exchange then has the
// session as it was, if that is known. Errors: as [session.Manager.End], except
// [session.ErrUnavailable].
func (s *Sessions) End(ctx context.Context, x *Exchange, why session.Reason) (pending bool, err error) {
	ended, err := s.Manager.End(ctx, x.Handle, why)
	switch {
	case errors.Is(err, session.ErrUnavailable):
		x.Event.AddNote("session's end is pending")
		x.Event.Err = err
		return true, nil
	case ended != nil:
		x.Caller = CallerOf(ended)
	}
	return false, err
}

// Deliver gives the browser the session's handle, where that is another one than
// the request came with. It comes before the answer begins and after all that may
// give the session another handle; a request that is refused before leaves the
// cookie alone.
func (s *Sessions) Deliver(w http.ResponseWriter, r *http.Request, x *Exchange) error {
	if x.Caller.Session.Handle.Equal(x.Handle) {
		return nil
	}
	// Now, for a handshake that leaves the writer; and looked at again when the
	// answer begins, which may be much later.
	if err := s.Cookies.SetSession(w, x.Caller.Session.Handle); err != nil {
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
	newest, err := s.Manager.Load(r.Context(), x.Caller.Session.Handle)
	switch {
	case errors.Is(err, session.ErrNotFound):
		s.Cookies.UnsetSession(h)
	case err == nil && !newest.Handle.Equal(x.Caller.Session.Handle):
		s.Cookies.UnsetSession(h)
		if err := s.Cookies.SetSession(w, newest.Handle); err != nil {
			x.Event.AddNote("newest session not given to the browser")
			x.Event.Err = err
		}
	}
}
