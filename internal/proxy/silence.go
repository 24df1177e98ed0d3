package proxy

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/tunnel"
)

// errSilent is why the context of a trip ends, and what a WebSocket is told (RFC 6455
// §7.4.1: 1001 is an endpoint that leaves).
var errSilent = tunnel.Closing{Code: 1001, Reason: "nothing was sent for too long"}

// partingTime is how long a client has to take the rest of what has ended.
const partingTime = 500 * time.Millisecond

// silence ends a trip on which no byte of a body has passed for as long as its route
// allows: of the request's, until that has come, and of the answer's, once that has
// begun. The wait in between is [routing.Route.Timeout]'s. nil allows any silence.
type silence struct {
	limit  time.Duration
	timer  *time.Timer
	end    context.CancelCauseFunc
	client *http.ResponseController // nil: who ends sees to the client

	mu        sync.Mutex
	answering bool
	over      bool // the trip is, and the client's connection is another request's
}

// watchSilence begins to watch, where the route has a limit.
func (t *trip) watchSilence() {
	limit := t.d.Route.IdleTimeout
	if limit == 0 {
		return
	}
	ctx, end := context.WithCancelCause(t.in.Context())
	t.in = t.in.WithContext(ctx)
	s := &silence{limit: limit, end: end, client: http.NewResponseController(t.w)}
	s.timer = time.AfterFunc(limit, s.ends)
	if t.in.ContentLength == 0 {
		s.timer.Stop()
	}
	t.silence = s
}

// ends ends the trip. net/http takes the deadlines back before the next request.
func (s *silence) ends() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.end(errSilent)
	if s.client == nil {
		return
	}
	_ = s.client.SetReadDeadline(time.Now()) // a writer that cannot is a test's, here and below
	_ = s.client.SetWriteDeadline(time.Now().Add(partingTime))
}

// broken takes note of bytes that have passed.
func (s *silence) broken() {
	if s != nil {
		s.timer.Reset(s.limit)
	}
}

// bodyEnded takes note that all of the request's body has come, or no more will.
func (s *silence) bodyEnded() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.answering {
		s.timer.Stop()
	}
}

// answerBegins takes note that the answer's head has come.
func (s *silence) answerBegins() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answering = true
	s.timer.Reset(s.limit)
}

// outlive has end be called instead of ending the trip, whose connection is another's now.
func (s *silence) outlive(end context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end, s.client = end, nil
}

// stop ends the watch.
func (s *silence) stop() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.timer.Stop()
	s.end(nil)
}

// silent reports whether the trip was ended for its silence.
func (t *trip) silent() bool {
	return t.silence != nil && errors.Is(context.Cause(t.in.Context()), errSilent)
}

// noteSilence notes that the trip was ended so.
func (t *trip) noteSilence() {
	if t.silent() && t.d.Event != nil {
		t.d.Event.AddNote(noteSilent)
	}
}

const (
	noteSilent  = "ended as nothing was sent within idle_timeout"
	noteStopped = "ended by the stop of the gateway"
)

// bodyTimeout answers a request whose body did not come.
func bodyTimeout() error {
	return &problem.Error{
		Status: http.StatusRequestTimeout,
		Code:   "body_timeout",
		Public: "The rest of the request's body did not come in time.",
	}
}
