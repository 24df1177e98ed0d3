package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// client is a writer that has deadlines.
type limitedClient struct {
	*httptest.ResponseRecorder
	read, write time.Time
}

func (c *limitedClient) SetReadDeadline(at time.Time) error  { c.read = at; return nil }
func (c *limitedClient) SetWriteDeadline(at time.Time) error { c.write = at; return nil }

func TestSilence(t *testing.T) {
	const limit = time.Minute
	for name, c := range map[string]struct {
		body int64
		does func(*silence)
		want time.Duration // when the trip is ended; 0: never
	}{
		"nothing is due":                        {0, func(*silence) {}, 0},
		"a body does not come":                  {-1, func(*silence) {}, limit},
		"a body stops to come":                  {10, func(s *silence) { time.Sleep(limit / 2); s.broken() }, limit + limit/2},
		"a body comes slowly":                   {10, func(s *silence) { slowly(s); s.bodyEnded() }, 0},
		"the answer is waited for":              {10, func(s *silence) { s.bodyEnded(); time.Sleep(limit) }, 0},
		"the answer stops to come":              {0, func(s *silence) { time.Sleep(limit); s.answerBegins() }, 2 * limit},
		"the answer comes slowly":               {0, func(s *silence) { s.answerBegins(); slowly(s); s.stop() }, 0},
		"the body ends while the answer comes":  {10, func(s *silence) { s.answerBegins(); s.bodyEnded() }, limit},
		"the trip is over as the limit is come": {10, func(s *silence) { time.Sleep(limit - 1); s.stop() }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &limitedClient{ResponseRecorder: httptest.NewRecorder()}
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
				r.ContentLength = c.body
				trip := &trip{in: r, w: w, d: &Decision{Route: &routing.Route{IdleTimeout: limit}}}
				began := time.Now()
				trip.watchSilence()
				ended := time.Duration(0)
				context.AfterFunc(trip.in.Context(), func() { ended = time.Since(began) })
				c.does(trip.silence)
				time.Sleep(100 * limit)
				synctest.Wait()
				was := errors.Is(context.Cause(trip.in.Context()), errSilent)
				if was != (c.want != 0) || was && ended != c.want || trip.silent() != was {
					t.Errorf("ended for silence: %v, after %v; want %v", was, ended, c.want)
				}
				if limited := !w.read.IsZero() || !w.write.IsZero(); limited != was {
					t.Errorf("the client's connection is limited: %v", limited)
				}
				trip.silence.stop()
			})
		})
	}
}

// slowly has bytes pass, each at the last moment.
func slowly(s *silence) {
	for range 10 {
		time.Sleep(s.limit - 1)
		s.broken()
	}
}

// A route without the limit watches nothing.
func TestSilence_without_a_limit(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	trip := &trip{in: r, w: httptest.NewRecorder(), d: &Decision{Route: &routing.Route{}}}
	trip.watchSilence()
	trip.silence.broken()
	trip.silence.bodyEnded()
	trip.silence.answerBegins()
	trip.silence.stop()
	if trip.in != r || trip.silent() {
		t.Error("it is watched")
	}
}
