package middleware_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/identity"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/streams"
	"github.com/gatehouse-auth/gatehouse/internal/tunnel"
)

// deadlines is a writer that has them, as a server's does.
type deadlines struct {
	*httptest.ResponseRecorder
	mu          sync.Mutex
	read, write time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.read = at
	return nil
}

func (d *deadlines) SetWriteDeadline(at time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.write = at
	return nil
}

// holds reports whether the client is waited for no longer than a moment.
func (d *deadlines) holds() bool {
	return !d.read.IsZero() && !d.read.After(d.write) && time.Until(d.write) < time.Second
}

// hears reports whether the client may still send.
func (d *deadlines) hears() bool { return time.Now().Before(d.read) }

// held asks with the house's session for what lasts until it is ended, or until within
// has done its part and returned true.
func (h *house) held(t *testing.T, registry *streams.Registry, r *http.Request, within func(r *http.Request, x *middleware.Exchange) bool) (x *middleware.Exchange, w *deadlines, reached bool, err error) {
	t.Helper()
	record, _ := newRecord()
	hold := &middleware.Streams{Manager: h.manager, Open: registry}
	w = &deadlines{ResponseRecorder: httptest.NewRecorder()}
	serveAs(record, func(inner http.ResponseWriter, r *http.Request, made *middleware.Exchange) error {
		x = made
		x.Decision.Route, x.Handle = route(routing.AuthSession), h.handle
		err = middleware.Chain(func(_ http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
			reached = true
			if within(r, x) {
				return nil
			}
			<-r.Context().Done()
			return context.Cause(r.Context())
		}, h.sessions.LoadSession, middleware.Authorize, h.sessions.FreshToken, hold.Hold)(inner, r, x)
		return nil
	}, w, r)
	return x, w, reached, err
}

func TestHold(t *testing.T) {
	for name, major := range map[string]int{"by_HTTP/1": 1, "by_HTTP/2": 2} {
		inTime(t, "what_is_open_is_ended_with_its_session_"+name, func(t *testing.T, h *house) {
			var registry streams.Registry
			r := request("GET", "/api/x", "Sec-Fetch-Mode: cors")
			r.ProtoMajor = major
			var cause error
			x, w, _, err := h.held(t, &registry, r, func(r *http.Request, x *middleware.Exchange) bool {
				go func() {
					time.Sleep(time.Minute)
					registry.End(x.Caller.Session.ID)
					cause = context.Cause(r.Context())
				}()
				return false
			})
			synctest.Wait()
			if !errors.Is(err, session.ErrNotFound) {
				t.Errorf("it ends with %v", err)
			}
			if why, ok := errors.AsType[tunnel.Closing](cause); !ok || why.Code != 1008 {
				t.Errorf("the context ends with %v", cause)
			}
			if x.Event.Note != "ended with its session" || registry.Len() != 0 {
				t.Errorf("note %q, %d open", x.Event.Note, registry.Len())
			}
			if closes := w.Header().Get("Connection") == "close"; closes != (major == 1) {
				t.Errorf("Connection: close is %v", closes)
			}
			if !w.holds() { // it may read nothing, or still send
				t.Errorf("the client is waited for until %v and %v", w.read, w.write)
			}
			if w.hears() != (major == 1) { // over HTTP/2 nothing more is needed of it
				t.Errorf("more of the request is waited for until %v", w.read)
			}
		})
	}
	inTime(t, "what_is_over_before_is_left_alone", func(t *testing.T, h *house) {
		var registry streams.Registry
		open := 0
		x, w, _, err := h.held(t, &registry, request("GET", "/api/x"), func(*http.Request, *middleware.Exchange) bool {
			open = registry.Len()
			return true
		})
		registry.End(x.Caller.Session.ID)
		if err != nil || open != 1 || registry.Len() != 0 || x.Event.Note != "" || w.holds() {
			t.Errorf("%v, %d and then %d open, note %q, limited: %v", err, open, registry.Len(), x.Event.Note, w.holds())
		}
	})
	inTime(t, "a_request_without_a_session_is_passed_on_as_it_is", func(t *testing.T, h *house) {
		hold := &middleware.Streams{Manager: h.manager, Open: &streams.Registry{}}
		r := request("GET", "/api/x")
		same := false
		err := hold.Hold(func(_ http.ResponseWriter, passed *http.Request, _ *middleware.Exchange) error {
			same = passed == r
			return nil
		})(httptest.NewRecorder(), r, on(route(routing.AuthNone)))
		if err != nil || !same {
			t.Errorf("%v, the same request: %v", err, same)
		}
	})
	inTime(t, "bytes_on_a_WebSocket_are_a_use_where_the_route_counts", func(t *testing.T, h *house) {
		for _, touch := range []bool{true, false} {
			hold := &middleware.Streams{Manager: h.manager, Open: &streams.Registry{}}
			x := on(route(routing.AuthSession))
			x.Decision.Route.Access.Touch, x.Handle = touch, h.handle
			_, _, err := walk(request("GET", "/api/x"), x, h.sessions.LoadSession, hold.Hold)
			if counts := x.Decision.ClientActive != nil; err != nil || counts != touch {
				t.Errorf("touch %v: counts %v, error %v", touch, counts, err)
			}
		}
	})
}

// An end that is told after the session was loaded, and before the exchange is where ends
// are told to, is told to nobody.
func TestHold_misses_no_end(t *testing.T) {
	for name, c := range map[string]struct {
		auth    routing.Auth
		away    bool // the store, when it is asked once more
		reached bool
		want    error
	}{
		"of_a_route_that_needs_a_session": {routing.AuthSession, false, false, session.ErrNotFound},
		"of_one_that_goes_on_without":     {routing.AuthOptional, false, true, nil},
		"nor_one_that_nobody_can_tell":    {routing.AuthSession, true, true, nil},
	} {
		inTime(t, name, func(t *testing.T, h *house) {
			ctx, stop := context.WithCancel(t.Context())
			keeper := &streams.Keeper{Registry: &streams.Registry{}, Sessions: h.manager}
			var running sync.WaitGroup
			running.Go(func() { _ = h.manager.Run(ctx) })
			running.Go(func() { keeper.Run(ctx) })
			synctest.Wait()
			hold := &middleware.Streams{Manager: h.manager, Open: keeper.Registry}
			x := on(route(c.auth))
			x.Handle, x.Event.Start = h.handle, time.Now()
			ends := func(next middleware.Handler) middleware.Handler {
				return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
					x.Decision.Identity = []identity.Header{{Name: "X-Auth-Subject", Values: []string{"sub"}}}
					x.Decision.Assertion = identity.Header{Name: "X-Gatehouse-Assertion", Values: []string{"signed"}}
					if _, err := h.manager.End(t.Context(), h.handle, session.ReasonLogout); err != nil {
						t.Error(err)
					}
					synctest.Wait()
					h.store.set(c.away)
					return next(w, r, x)
				}
			}
			lasts := func(next middleware.Handler) middleware.Handler {
				return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
					h.store.set(false)
					if anonymous := x.Caller.Anonymous() && x.Decision.Bearer.Empty(); anonymous == c.away {
						t.Errorf("the caller is anonymous: %v", anonymous)
					}
					if !c.away && (x.Decision.Identity != nil || x.Decision.Assertion.Name != "") {
						t.Errorf("nobody is called %v, and vouched for by %s", x.Decision.Identity, x.Decision.Assertion.Name)
					}
					if c.away {
						<-r.Context().Done() // or the test hangs
					}
					return next(w, r, x)
				}
			}
			_, reached, err := walk(request("GET", "/api/x"), x, h.sessions.LoadSession, h.sessions.FreshToken, ends, hold.Hold, lasts)
			if reached != c.reached || !errors.Is(err, c.want) || hold.Open.Len() != 0 {
				t.Errorf("reached %v, error %v, %d open", reached, err, hold.Open.Len())
			}
			stop()
			running.Wait()
		})
	}
}

// Who goes on without the session is not waited for as one who had it: an end may be told
// while the session is being looked up again.
func TestHold_lets_nobodys_request_last(t *testing.T) {
	inTime(t, "", func(t *testing.T, h *house) {
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = h.manager.Run(ctx) })
		synctest.Wait()
		record, _ := newRecord()
		hold := &middleware.Streams{Manager: h.manager, Open: &streams.Registry{}}
		w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		found, err := h.manager.Load(t.Context(), h.handle)
		if err != nil {
			t.Fatal(err)
		}
		h.store.looked = func() { hold.Open.End(found.ID) }
		record.Handler(func(inner http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
			x.Decision.Route, x.Handle = route(routing.AuthOptional), h.handle
			ends := func(next middleware.Handler) middleware.Handler {
				return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
					h.end(t)
					synctest.Wait()
					return next(w, r, x)
				}
			}
			return middleware.Chain(func(w http.ResponseWriter, _ *http.Request, _ *middleware.Exchange) error {
				w.WriteHeader(http.StatusOK)
				return nil
			},
				h.sessions.LoadSession, ends, hold.Hold)(inner, r, x)
		}).ServeHTTP(w, request("GET", "/api/x"))
		if w.holds() {
			t.Errorf("the client is waited for until %v and %v", w.read, w.write)
		}
		stop()
		running.Wait()
	})
}

// A use that the keeper has not taken up when a WebSocket ends is recorded all the same.
func TestHold_records_the_last_use(t *testing.T) {
	inTime(t, "", func(t *testing.T, h *house) {
		hold := &middleware.Streams{Manager: h.manager, Open: &streams.Registry{}}
		x := on(route(routing.AuthSession))
		x.Handle = h.handle
		used := func(next middleware.Handler) middleware.Handler {
			return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
				time.Sleep(idleTimeout / 2)
				x.Decision.ClientActive.Store(true)
				return next(w, r, x)
			}
		}
		if _, _, err := walk(request("GET", "/api/x"), x, h.sessions.LoadSession, hold.Hold, used); err != nil {
			t.Fatal(err)
		}
		if seen := h.lastSeen(t); time.Since(seen) > time.Second {
			t.Errorf("last seen %v ago", time.Since(seen))
		}
	})
}
