package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/streams"
	"github.com/gatehouse-auth/gatehouse/internal/tunnel"
)

// Streams end what is open on the strength of a session, or of an access token, when that
// ends.
type Streams struct {
	Manager *session.Manager
	Open    *streams.Registry
}

// These are why the context of such a request ends, and what a WebSocket is
// told (RFC 6455 §7.4.1: 1008 is a policy that does not allow it any more).
var (
	errSessionEnded = tunnel.Closing{Code: 1008, Reason: "the session has ended"}
	errTokenExpired = tunnel.Closing{Code: 1008, Reason: "the access token has expired"}
)

var connectionClose = []string{"close"}

// endTimeout is how long a client has for the rest of what has ended: to read it, or to
// send it.
const endTimeout = 500 * time.Millisecond

// Hold lets a request and its answer last no longer than the session, or the access
// token, that they are made on the strength of. It stands behind all that may find
// another session.
//
// The context of what follows ends with that. An answer that has begun breaks off then;
// one that has not is 401.
func (s *Streams) Hold(next Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		switch {
		case x.Caller.Session != nil:
			return s.holdBySession(w, r, x, next)
		case x.Caller.Token != nil:
			return holdByToken(w, r, x, next)
		}
		return next(w, r, x)
	}
}

func (s *Streams) holdBySession(w http.ResponseWriter, r *http.Request, x *Exchange, next Handler) error {
	ctx, end := context.WithCancelCause(r.Context())
	defer end(nil)
	x.ending.end = end
	if err := s.Open.Join(&x.place, x, x.Caller.Session, x.Event.Start); err != nil {
		return NoPlace(err)
	}
	if s.gone(ctx, x) {
		return s.without(w, r, x, next)
	}
	defer func() {
		if x.left() {
			x.later = append(x.later, func() { s.release(context.Background(), x) })
			return
		}
		s.release(ctx, x)
	}()
	if x.Decision.Route.Access.Touch {
		x.Decision.ClientActive = x.place.Used()
	}
	err := next(w, r.WithContext(ctx), x)
	if err != nil && errors.Is(context.Cause(ctx), errSessionEnded) {
		closeBehind(w, r)
		return session.ErrNotFound
	}
	return err
}

// holdByToken needs nobody who tells of an end: a token says itself when that is.
func holdByToken(w http.ResponseWriter, r *http.Request, x *Exchange, next Handler) error {
	ctx, end := context.WithCancelCause(r.Context())
	defer end(nil)
	x.ending.end = end
	timer := time.AfterFunc(time.Until(x.Caller.Token.ExpiresAt), x.endWithToken)
	defer x.atEnd(func() {
		timer.Stop()
		if x.tokenOver.leave() {
			x.Event.AddNote("ended with its access token")
		}
	})
	err := next(w, r.WithContext(ctx), x)
	if err != nil && errors.Is(context.Cause(ctx), errTokenExpired) {
		closeBehind(w, r)
		return refuseBearer(fmt.Errorf("%w: %w", oauth.ErrInvalidToken, oauth.ErrExpired))
	}
	return err
}

// expiry is whether an exchange has ended with its token. Once the exchange is left, that
// does not happen any more: the connection has its next request.
type expiry struct {
	mu          sync.Mutex
	left, ended bool
}

func (e *expiry) leave() (ended bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.left = true
	return e.ended
}

func (x *Exchange) endWithToken() {
	x.tokenOver.mu.Lock()
	defer x.tokenOver.mu.Unlock()
	if !x.tokenOver.left {
		x.tokenOver.ended = true
		x.endBecause(errTokenExpired)
	}
}

// closeBehind has the connection closed behind the answer: a part of the request may
// still be to come.
func closeBehind(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 {
		w.Header()["Connection"] = connectionClose
	}
}

// NoPlace is the answer to an exchange that found no place in a [streams.Registry].
func NoPlace(err error) error {
	if errors.Is(err, streams.ErrSessionFull) {
		return &problem.Error{
			Status: http.StatusTooManyRequests, Code: "too_many_streams", RetryAfter: busyRetryIn,
			Public: "This session has as many requests and streams open as it may.",
		}
	}
	return proxy.InstanceBusy(err)
}

// without goes on without the session, which has ended meanwhile, where the route does.
func (s *Streams) without(w http.ResponseWriter, r *http.Request, x *Exchange, next Handler) error {
	ended := s.Open.Leave(&x.place)
	if !x.Decision.Route.Access.ServesNobody() {
		return session.ErrNotFound
	}
	if ended {
		x.limit(time.Time{}) // it is nobody's now, and may last
	}
	x.Caller = Caller{}
	x.Decision.Forget()
	return next(w, r, x)
}

// EndWithSession implements [streams.Exchange]. net/http takes the limits back before
// the next request of the connection.
func (x *Exchange) EndWithSession() { x.endBecause(errSessionEnded) }

func (x *Exchange) endBecause(why tunnel.Closing) {
	e := &x.ending
	e.mu.Lock()
	defer e.mu.Unlock()
	e.why = &why
	if e.stream != nil {
		e.stream.End(why)
		return
	}
	e.end(why)
	x.limit(time.Now().Add(endTimeout))
}

// ending ends an exchange before its time: its context, or its stream once that has left
// the handler.
type ending struct {
	end context.CancelCauseFunc

	mu     sync.Mutex
	stream proxy.Stream
	why    *tunnel.Closing // nil: it was not ended
}

// goesOn has the stream be ended from now on, and ends it if that was called for meanwhile.
func (e *ending) goesOn(s proxy.Stream) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stream, e.end = s, nil; e.why != nil {
		s.End(*e.why)
	}
}

// left reports whether the answer goes on without its handler.
func (x *Exchange) left() bool { return x.Decision.Stream != nil }

// atEnd does what is to be done when the answer has ended: now that the handler returns,
// but for one that goes on.
func (x *Exchange) atEnd(do func()) {
	if x.left() {
		x.later = append(x.later, do)
		return
	}
	do()
}

// limit has the client be waited for until then; the zero time is for ever.
func (x *Exchange) limit(until time.Time) {
	last := int64(0)
	if !until.IsZero() {
		last = until.UnixNano()
	}
	x.writer.last.Store(last)
	read := until
	if last != 0 && x.writer.patience > 0 {
		// Over HTTP/2 an answer needs no more of the request (RFC 9113 §8.1), and the transport
		// to an upstream of HTTP/2 that waits for more sees no end meanwhile.
		read = time.Now()
	}
	client := http.NewResponseController(x.writer.ResponseWriter)
	_ = client.SetReadDeadline(read) // a writer that cannot is a test's, here and below
	_ = client.SetWriteDeadline(until)
}

// release takes the exchange out of those that end with their session. A use that the
// keeper has not taken up yet is recorded now.
func (s *Streams) release(ctx context.Context, x *Exchange) {
	if s.Open.Leave(&x.place) {
		x.Event.AddNote("ended with its session")
		return
	}
	if x.place.Used().Load() && !s.Manager.MovingHandles() {
		_, _ = s.Manager.Touch(ctx, x.place.Session()) // a use that is not recorded is no reason to fail
	}
}

// gone reports whether the session has ended since it was loaded: before the exchange
// was where an end is told to. Where nobody can say the keeper finds out.
func (s *Streams) gone(ctx context.Context, x *Exchange) bool {
	if s.Manager.Heard() == x.heard {
		return false
	}
	_, err := s.Manager.Load(ctx, x.Caller.Session.Handle)
	if err != nil && !errors.Is(err, session.ErrNotFound) {
		s.Open.Doubt(&x.place)
	}
	return errors.Is(err, session.ErrNotFound)
}
