package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

const (
	// heartbeat is how often something is sent on a quiet stream, which proxies cut,
	// commonly after 30 s. Up to a fifth is taken off, so that streams opened together
	// do not stay together.
	heartbeat = 25 * time.Second
	// writeTimeout is how long a browser may leave an event lying.
	writeTimeout = 10 * time.Second
	// settle is how much later than its limit a session is looked up, because stores
	// keep times to the millisecond.
	settle = 20 * time.Millisecond
	// resyncSpread is within what time a stream looks its session up once changes are
	// heard again. Each stream does so at a moment of its own.
	resyncSpread = time.Second
)

// stream is one open answer. Only its handler's goroutine uses it.
type stream struct {
	events  *Events
	w       http.ResponseWriter
	control *http.ResponseController

	generation uint64    // the newest that the page knows
	expiring   time.Time // the limit that the page was warned of

	ended endSignal // somebody has found the session gone

	// resync is how soon to look the session up, because changes were missed; 0:
	// none were.
	resync time.Duration
}

// endSignal holds one end that was found by looking ([streams.Exchange]).
type endSignal chan struct{}

// EndWithSession implements [streams.Exchange].
func (e endSignal) EndWithSession() {
	select {
	case e <- struct{}{}:
	default:
	}
}

// run tells the state and then what changes, until the session ends, the
// browser leaves or the gateway stops. It fails where the browser does not read.
func (t *stream) run(ctx context.Context, s *session.Session, changes <-chan session.Change, lastID string) error {
	if err := t.begin(s, lastID); err != nil {
		return err
	}
	timer := time.NewTimer(t.wait(s))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case c, open := <-changes:
			switch {
			case !open:
				return nil
			case c.Missed:
				t.resync = resyncSpread
				timer.Reset(t.wait(s))
				continue
			case c.Ended():
				return t.signedOut(s, c.Reason)
			}
		case <-t.ended:
			select {
			case c, open := <-changes: // which knows why
				if open && c.Ended() {
					return t.signedOut(s, c.Reason)
				}
			default:
			}
			if t.events.Account.Sessions.Manager.MovingHandles() {
				return nil // as below
			}
			return t.signedOut(s, t.silentEnd(s))
		case <-timer.C:
			if err := t.write(":\n\n"); err != nil {
				return err
			}
		}
		now, over, err := t.catchUp(ctx, s)
		if over || err != nil {
			return err
		}
		s = now
		timer.Reset(t.wait(s))
	}
}

// catchUp looks the session up and tells what is new; over: it has ended, or at least
// here. An outage ends no session, and no stream.
func (t *stream) catchUp(ctx context.Context, s *session.Session) (now *session.Session, over bool, err error) {
	now, err = t.lookUp(ctx, s)
	switch {
	case errors.Is(err, session.ErrNotFound) && t.events.Account.Sessions.Manager.MovingHandles():
		return s, true, nil // it may live on at another instance: the browser comes back with what it has
	case errors.Is(err, session.ErrNotFound):
		return s, true, t.signedOut(s, t.silentEnd(s))
	case err != nil:
		now = s
	}
	return now, false, t.news(now)
}

// lookUp asks for the session. After a gap all streams do so at once, which must
// not keep requests from the store; one that gets no answer comes back soon.
func (t *stream) lookUp(ctx context.Context, s *session.Session) (*session.Session, error) {
	if t.resync > 0 && cap(t.events.Lookups) > 0 {
		select {
		case t.events.Lookups <- struct{}{}:
			defer func() { <-t.events.Lookups }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	now, err := t.look(ctx, s)
	if t.resync = min(2*t.resync, 5*resyncSpread); err == nil {
		t.resync = 0
	}
	return now, err
}

// look returns the session now. Where handles move it does not ask about the user:
// that may refresh the session, and the header that would bring the new handle has
// been sent.
func (t *stream) look(ctx context.Context, s *session.Session) (*session.Session, error) {
	sessions := t.events.Account.Sessions
	if sessions.Manager.MovingHandles() {
		return sessions.Manager.Load(ctx, s.Handle)
	}
	return sessions.Find(ctx, s.Handle)
}

// begin tells the state. A page that was told of an older generation, by the id
// of the event it had last, also learns that there was a refresh meanwhile.
func (t *stream) begin(s *session.Session, lastID string) error {
	// Streams that a stop of the gateway cut come back one after the other.
	if err := t.write("retry: " + strconv.Itoa(1000+rand.IntN(2000)) + "\n\n"); err != nil { //nolint:gosec // spreads load
		return err
	}
	t.generation = s.Generation
	if err := t.send("session", s, t.view(s)); err != nil {
		return err
	}
	id, last, _ := strings.Cut(lastID, ".")
	if n, err := strconv.ParseUint(last, 10, 64); err == nil && id == s.ID && n < s.Generation {
		if err := t.send("tokenRefresh", s, t.view(s)); err != nil {
			return err
		}
	}
	return t.news(s)
}

// news tells what the page does not know of s.
func (t *stream) news(s *session.Session) error {
	if s.Generation > t.generation {
		t.generation = s.Generation
		if err := t.send("tokenRefresh", s, t.view(s)); err != nil {
			return err
		}
	}
	end := t.limit(s)
	if end.Equal(t.expiring) || time.Until(end) > t.events.Lead {
		return nil
	}
	t.expiring = end
	return t.send("sessionExpiring", s, expiringEvent{
		ServerTime: time.Now().Unix(), IdleExpiresAt: end.Unix(), SessionExpiresAt: s.ExpiresAt.Unix(),
	})
}

// expiringEvent says when the session ends if it is not used; times are Unix
// seconds. Where both are the same no use prolongs it.
type expiringEvent struct {
	ServerTime       int64 `json:"serverTime"`
	IdleExpiresAt    int64 `json:"idleExpiresAt"`
	SessionExpiresAt int64 `json:"sessionExpiresAt"`
}

// wait is how long nothing needs to be looked at: a heartbeat, or less if a limit or
// its warning comes before.
func (t *stream) wait(s *session.Session) time.Duration {
	d := heartbeat - rand.N(heartbeat/5) //nolint:gosec // spreads load, guards nothing
	if t.resync > 0 {
		d = min(d, rand.N(t.resync)) //nolint:gosec // the same
	}
	end := t.limit(s)
	idle := end.Add(end.Sub(s.LastSeen) / 10) // when the store ends it, see session.IdleLimit
	for _, at := range []time.Time{end.Add(-t.events.Lead), end, idle, s.ExpiresAt} {
		if until := time.Until(at) + settle; until > 0 {
			d = min(d, until)
		}
	}
	return d
}

func (t *stream) limit(s *session.Session) time.Time {
	return t.events.Account.Sessions.Manager.IdleExpiresAt(s, s.LastSeen)
}

func (t *stream) view(s *session.Session) sessionAnswer {
	return t.events.Account.view(s, s.LastSeen)
}

// silentEnd is the reason for an end that the stream did not hear of: a limit was
// reached, or changes were not heard when it came.
func (t *stream) silentEnd(s *session.Session) session.Reason {
	if time.Now().Before(t.limit(s)) {
		return session.ReasonRevoked
	}
	return session.ReasonExpired
}

// signedOutEvent says why the session is over.
type signedOutEvent struct {
	Reason session.Reason `json:"reason"`
}

func (t *stream) signedOut(s *session.Session, why session.Reason) error {
	switch why {
	case session.ReasonLogout, session.ReasonGlobal, session.ReasonExpired, session.ReasonAdmin:
	default: // a page need not know more kinds
		why = session.ReasonRevoked
	}
	return t.send("signedOut", s, signedOutEvent{why})
}

// send writes one event. Its id names what the page knows from it on.
func (t *stream) send(event string, s *session.Session, v any) error {
	data, err := json.Marshal(v) // one line, as an event's data must be
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	return t.write(fmt.Sprintf("id: %s.%d\nevent: %s\ndata: %s\n\n", s.ID, s.Generation, event, data))
}

// write sends text at once. The deadline is for this text only: HTTP/2 resets a
// stream whose deadline passes, quiet or not.
func (t *stream) write(text string) error {
	_ = t.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // without one the kernel's limits hold
	if _, err := t.w.Write([]byte(text)); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	if err := t.control.Flush(); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	_ = t.control.SetWriteDeadline(time.Time{})
	return nil
}
