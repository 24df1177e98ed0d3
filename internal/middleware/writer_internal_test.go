package middleware

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// limits is a writer that notes the deadlines of writes that are set.
type limits struct {
	*httptest.ResponseRecorder
	set []time.Time
	// meanwhile is called when the first is set.
	meanwhile func()
}

func (l *limits) SetWriteDeadline(t time.Time) error {
	l.set = append(l.set, t)
	if len(l.set) == 1 && l.meanwhile != nil {
		l.meanwhile()
	}
	return nil
}

func TestWriter_gives_each_piece_its_time(t *testing.T) {
	within := func(at time.Time, d time.Duration) bool { return time.Until(at) <= d && time.Until(at) > d-time.Minute }
	for name, c := range map[string]struct {
		patience time.Duration
		before   func(w *writer)
		wants    []time.Duration
	}{
		"as_long_as_it_likes":   {0, func(*writer) {}, nil},
		"so_long":               {time.Hour, func(*writer) {}, []time.Duration{time.Hour, time.Hour}},
		"what_the_handler_says": {time.Hour, func(w *writer) { _ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * time.Hour)) }, []time.Duration{2 * time.Hour}},
		"no_longer_than_what_ends": {time.Hour, func(w *writer) { w.last.Store(time.Now().Add(10 * time.Minute).UnixNano()) },
			[]time.Duration{time.Hour, 10 * time.Minute, time.Hour, 10 * time.Minute}},
		"though_it_ends_meanwhile": {time.Hour, func(w *writer) {
			w.ResponseWriter.(*limits).meanwhile = func() { w.last.Store(time.Now().Add(10 * time.Minute).UnixNano()) }
		}, []time.Duration{time.Hour, 10 * time.Minute, time.Hour, 10 * time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			below := &limits{ResponseRecorder: httptest.NewRecorder()}
			w := &writer{ResponseWriter: below, patience: c.patience}
			c.before(w)
			for range 2 {
				_, _ = w.Write([]byte("x"))
			}
			if len(below.set) != len(c.wants) {
				t.Fatalf("deadlines %v, want in %v", below.set, c.wants)
			}
			for i, at := range below.set {
				if !within(at, c.wants[i]) {
					t.Errorf("deadline %d is in %v, want in %v", i, time.Until(at), c.wants[i])
				}
			}
		})
	}
}
