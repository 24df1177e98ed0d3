// Package ratelimit counts what is done within a minute, by whoever does it, in this
// process and in bounded memory. What is counted, and what is answered above the
// limit, is for its callers to say.
//
// The one invariant: what is refused is not counted, so that whoever keeps asking is not
// kept out for longer.
package ratelimit

import (
	"sync"
	"time"
)

// Window is how long a count runs. It begins with the first thing that is counted.
const Window = time.Minute

// maxCounted bounds how many are counted at a time, some 100 bytes each.
const maxCounted = 1 << 16

// Limiter counts for each key. Safe for concurrent use.
type Limiter struct {
	limit int // for each key in a window

	mu    sync.Mutex
	since map[string]count
	sweep time.Time
}

type count struct {
	start time.Time
	n     int
}

// New returns a limiter that lets each key have limit in a window.
func New(limit int) *Limiter { return &Limiter{limit: limit, since: make(map[string]count)} }

// Take counts one more for key and returns 0, or counts nothing and returns how long
// until it may.
func (l *Limiter) Take(key string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(now)
	c, known := l.since[key]
	if now.Sub(c.start) >= Window {
		c = count{start: now}
	}
	if c.n >= l.limit {
		return c.start.Add(Window).Sub(now)
	}
	if !known && len(l.since) >= maxCounted {
		l.forgetOne()
	}
	c.n++
	l.since[key] = c
	return 0
}

// forget drops, once a window, those whose window is over.
func (l *Limiter) forget(now time.Time) {
	if now.Before(l.sweep) {
		return
	}
	l.sweep = now.Add(Window)
	for key, c := range l.since {
		if now.Sub(c.start) >= Window {
			delete(l.since, key)
		}
	}
}

// forgetOne makes room where there are more than can be counted: by whichever comes
// first, which nobody can foresee, as maps have no order.
func (l *Limiter) forgetOne() {
	for key := range l.since {
		delete(l.since, key)
		return
	}
}
