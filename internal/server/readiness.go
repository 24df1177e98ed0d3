package server

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	// checkTimeout bounds the checks behind /readyz, all together.
	checkTimeout = 2 * time.Second
	// checkEvery is how long one answer is shared by all who probe.
	checkEvery = time.Second
	// goodInARow is how many good answers make an instance ready again.
	goodInARow = 2
)

// check is one thing that a login needs.
type check struct {
	name string
	ask  func(ctx context.Context) error
	// reason words the error for whoever asks: anyone who reaches the admin listener.
	reason func(error) string
}

// readiness says whether logins work here. One bad answer is enough to say no, for
// a store has tried several times before it gives one; to say yes again it takes
// two in a row: a store that is full to the brim takes every other session, and
// must not be in and out of the balancer with each. Safe for concurrent use.
type readiness struct {
	checks []check
	log    *slog.Logger

	mu      sync.Mutex
	asked   time.Time
	was     bool     // ready, once
	good    int      // answers since the last bad one
	reasons []string // why not ready; none: ready
}

// ask returns why logins do not work; nothing where they do. Who asks while the
// checks run, or within [checkEvery] after, gets their answer.
func (r *readiness) ask(ctx context.Context) (reasons []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.asked.IsZero() && time.Since(r.asked) < checkEvery {
		return r.reasons
	}
	// The answer is everyone's: a prober that leaves must not spoil it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	r.take(r.run(ctx))
	r.asked = time.Now()
	return r.reasons
}

// run makes all checks at once and returns the reasons of those that failed, in
// their order.
func (r *readiness) run(ctx context.Context) (reasons []string) {
	errs := make([]error, len(r.checks))
	var checking sync.WaitGroup
	for i, c := range r.checks {
		checking.Go(func() { errs[i] = c.ask(ctx) })
	}
	checking.Wait()
	for i, err := range errs {
		if err == nil {
			continue
		}
		reason := r.checks[i].name + ": " + r.checks[i].reason(err)
		reasons = append(reasons, reason)
		if !slices.Contains(r.reasons, reason) { // told once, not at each probe
			r.log.Warn("not ready", "reason", reason, "error", err)
		}
	}
	return reasons
}

// take draws the conclusion from one answer.
func (r *readiness) take(reasons []string) {
	if len(reasons) > 0 {
		r.good, r.reasons = 0, reasons
		return
	}
	r.good++
	if !r.was || r.good >= goodInARow {
		if len(r.reasons) > 0 {
			r.log.Info("ready")
		}
		r.was, r.reasons = true, nil
	}
}
