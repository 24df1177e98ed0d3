package session

import (
	"fmt"
	"sync"
	"time"
)

// TooManyError refuses a forced refresh above the limit of its session.
type TooManyError struct {
	// RetryAfter is how long until one is allowed again.
	RetryAfter time.Duration
}

// Error implements error.
func (e *TooManyError) Error() string {
	return fmt.Sprintf("too many forced refreshes, next in %s", e.RetryAfter.Round(time.Second))
}

// window is one minute.
const window = time.Minute

// windows counts per session within a minute that begins with the first count.
// It holds no more entries than sessions were counted in the last two minutes.
type windows struct {
	limit int

	mu    sync.Mutex
	since map[string]count
	sweep time.Time
}

type count struct {
	start time.Time
	n     int
}

// take counts one more for id and returns 0, or returns how long until it may.
func (w *windows) take(id string, now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forget(now)
	c := w.since[id]
	if now.Sub(c.start) >= window {
		c = count{start: now}
	}
	if c.n >= w.limit {
		return c.start.Add(window).Sub(now)
	}
	c.n++
	w.since[id] = c
	return 0
}

func (w *windows) forget(now time.Time) {
	if w.since == nil {
		w.since = make(map[string]count)
	}
	if now.Before(w.sweep) {
		return
	}
	w.sweep = now.Add(window)
	for id, c := range w.since {
		if now.Sub(c.start) >= window {
			delete(w.since, id)
		}
	}
}
