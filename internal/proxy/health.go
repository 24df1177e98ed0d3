package proxy

import (
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/backoff"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// health is whether an upstream gets requests, where it has others beside it. What
// requests meet takes it out, and so does its check; a check alone brings back what has
// one. What has none is tried by a request now and then.
type health struct {
	check   routing.HealthCheck // without a path there is none
	watched bool                // it has others beside it, or a check
	born    time.Time
	figures *upstreamFigures

	pending atomic.Int64 // requests that it has now
	strikes atomic.Int64 // failures in a row
	until   atomic.Int64 // it is out until then, in nanoseconds since born; 0: it is in
	trials  atomic.Int64 // requests that have tried it since it went out

	passed, missed int // checks in a row; the checker's own
}

const (
	// mostStrikes take an upstream out. One may be a connection that broke by itself.
	mostStrikes = 3
	// firstPause is how long it stays out at first; each trial doubles that, up to lastPause.
	firstPause = time.Second
	lastPause  = 16 * time.Second

	in      = 0
	forever = math.MaxInt64
)

func newHealth(key transportKey, figures *upstreamFigures) *health {
	return &health{check: key.check, watched: key.several || key.check.Path != "", born: time.Now(), figures: figures}
}

// left takes note that the upstream has one less to do. A nil health is nobody's.
func (h *health) left() {
	if h != nil {
		h.pending.Add(-1)
	}
}

func (h *health) now() int64 { return int64(time.Since(h.born)) }

// out reports whether it gets no request now.
func (h *health) out() bool {
	until := h.until.Load()
	return until != in && until > h.now()
}

// enter reports whether a request that has chosen it may go there. Of those that choose
// one whose time has come, the first alone may, and goes on trial.
func (h *health) enter() bool {
	until := h.until.Load()
	if until == in {
		return true
	}
	if until > h.now() || !h.until.CompareAndSwap(until, h.now()+h.pause(h.trials.Load()+1)) {
		return false
	}
	h.trials.Add(1)
	return true
}

func (h *health) pause(trials int64) int64 {
	return int64(backoff.Jittered(min(firstPause<<min(trials, 10), lastPause)))
}

// succeeded takes note of an answer.
func (h *health) succeeded() {
	if h.strikes.Load() != 0 {
		h.strikes.Store(0)
	}
	if h.check.Path == "" && h.until.Load() != in {
		h.bring()
	}
}

// failed takes note of a request that got no answer, or none that can be read.
func (h *health) failed(why error) {
	if n := h.strikes.Add(1); n >= mostStrikes {
		h.take(fmt.Errorf("%d requests in a row failed, the last so: %w", n, causeOf(why)))
	}
}

// checked takes note of a check.
func (h *health) checked(err error) {
	switch {
	case err != nil:
		h.passed, h.missed = 0, h.missed+1
	case h.until.Load() == in: // only what it passes while it is out counts
		h.passed, h.missed = 0, 0
	default:
		h.passed, h.missed = h.passed+1, 0
	}
	switch {
	case err != nil && h.missed >= h.check.Fall:
		h.take(fmt.Errorf("health check: %w", causeOf(err)))
	case h.passed > 0 && h.passed >= h.check.Rise:
		h.passed = 0
		h.bring()
	}
}

// take takes it out.
func (h *health) take(why error) {
	until := int64(forever)
	if h.check.Path == "" {
		until = h.now() + h.pause(h.trials.Load())
	}
	if h.until.Swap(until) == in {
		h.figures.changes.Add(1)
		h.figures.tell(slog.LevelWarn, "an upstream is out", "reason", why.Error())
	}
}

// bring brings it back.
func (h *health) bring() {
	h.strikes.Store(0)
	h.trials.Store(0)
	if h.until.Swap(in) != in {
		h.figures.changes.Add(1)
		h.figures.tell(slog.LevelInfo, "an upstream is back")
	}
}
