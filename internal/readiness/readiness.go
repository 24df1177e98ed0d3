// Package readiness says whether logins work at this instance, from checks that
// its caller names. It starts nothing: a check is made when somebody asks. The one
// invariant: however many ask, each check is made once a second at most.
package readiness

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	// checkTimeout bounds the checks of one answer, all together.
	checkTimeout = 2 * time.Second
	// checkEvery is how long one answer is shared by all who ask.
	checkEvery = time.Second
	// goodInARow is how many good answers make an instance ready again.
	goodInARow = 2
)

// Check is one thing that a login needs.
type Check struct {
	Name string
	Ask  func(ctx context.Context) error
	// Reason words the error for whoever asks: anyone who reaches the admin listener.
	Reason func(error) string
}

// State is whether logins work here. One bad answer is enough to say no, for a
// store has tried several times before it gives one; to say yes again it takes two
// in a row: a store that is full to the brim takes every other session, and must
// not be in and out of the balancer with each. Safe for concurrent use.
type State struct {
	checks []Check
	log    *slog.Logger

	mu      sync.Mutex
	asked   time.Time
	was     bool     // ready, once
	good    int      // answers since the last bad one
	reasons []string // why not ready; none: ready
}

// New returns a State that has asked nothing yet.
func New(log *slog.Logger, checks ...Check) *State {
	return &State{checks: checks, log: log}
}

// Reasons returns why logins do not work, as "name: reason"; nothing where they
// do. Who asks while the checks run, or within a second after, gets their answer.
func (s *State) Reasons(ctx context.Context) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.asked.IsZero() && time.Since(s.asked) < checkEvery {
		return s.reasons
	}
	// The answer is everyone's: a prober that leaves must not spoil it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	s.take(s.run(ctx))
	s.asked = time.Now()
	return s.reasons
}

// run makes all checks at once and returns the reasons of those that failed, in
// their order.
func (s *State) run(ctx context.Context) (reasons []string) {
	errs := make([]error, len(s.checks))
	var checking sync.WaitGroup
	for i, c := range s.checks {
		checking.Go(func() { errs[i] = c.Ask(ctx) })
	}
	checking.Wait()
	for i, err := range errs {
		if err == nil {
			continue
		}
		reason := s.checks[i].Name + ": " + s.checks[i].Reason(err)
		reasons = append(reasons, reason)
		if !slices.Contains(s.reasons, reason) { // told once, not at each probe
			s.log.Warn("not ready", "reason", reason, "error", err)
		}
	}
	return reasons
}

// take draws the conclusion from one answer.
func (s *State) take(reasons []string) {
	if len(reasons) > 0 {
		s.good, s.reasons = 0, reasons
		return
	}
	s.good++
	if !s.was || s.good >= goodInARow {
		if len(s.reasons) > 0 {
			s.log.Info("ready")
		}
		s.was, s.reasons = true, nil
	}
}
