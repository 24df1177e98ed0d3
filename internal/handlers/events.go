package handlers

import (
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/streams"
)

// streamsRetryIn is how soon a refused stream may be asked for again.
const streamsRetryIn = 30 * time.Second

// EventStreams are bounded: each costs memory for as long as it lasts, and a page
// that goes wrong opens many.
var EventStreams = session.StreamKind{Name: "events", Most: 16}

// Events is GET {mount}/events: what happens to the session at hand, as
// server-sent events (HTML Living Standard §9.2).
type Events struct {
	Account *Account
	// Lookups bounds, by its capacity, how many streams look their sessions up at
	// a time once changes are heard again; 0: no bound.
	Lookups chan struct{}
	// Open ends the stream with its session where nobody tells of that.
	Open *streams.Registry
	// Lead is how long before a limit the page is told of it.
	Lead time.Duration
}

// errTooManyStreams refuses the newest stream. If the oldest were closed instead, its
// page would open another at once and close the next, for ever. A refused
// EventSource stays closed.
var errTooManyStreams = &problem.Error{
	Status: http.StatusTooManyRequests, Code: "too_many_streams",
	Public: "This session has as many event streams open as it may.", RetryAfter: streamsRetryIn,
}

// Stream answers with the events of a session, or 401, or 429 above [EventStreams] and
// where there is no place for one more exchange of the session.
// A stream is no use of its session, however long it lasts.
func (e *Events) Stream(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
	sessions := e.Account.Sessions
	if err := sessions.Load(r.Context(), x); err != nil {
		return unauthenticatedOr(err)
	}
	changes, leave, ok := sessions.Manager.Listen(x.Caller.Session.ID, EventStreams)
	if !ok {
		return errTooManyStreams
	}
	defer leave()
	// Loaded again: this stream does not hear of changes before it listened.
	if err := sessions.Load(r.Context(), x); err != nil {
		return unauthenticatedOr(err)
	}
	if err := sessions.FreshClaims(r.Context(), x); err != nil {
		return unauthenticatedOr(err)
	}
	if err := sessions.Deliver(w, r, x); err != nil {
		return err
	}
	ended := make(endSignal, 1)
	var place streams.Place
	if err := e.Open.Join(&place, ended, x.Caller.Session, x.Event.Start); err != nil {
		return middleware.NoPlace(err)
	}
	defer e.Open.Leave(&place)
	h := w.Header()
	problem.OwnHeaders(h)
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would hold the events back
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	x.Event.Stream = true
	t := &stream{events: e, w: w, control: http.NewResponseController(w), ended: ended}
	if err := t.run(r.Context(), x.Caller.Session, changes, r.Header.Get("Last-Event-ID")); err != nil {
		x.Event.AddNote("events cut short")
	}
	return nil
}
