package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/backoff"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// refreshPause is how long after a failed refresh its session's requests get
// the same answer, so that a provider in trouble isn't asked by each of them;
// longer where the provider said for how long (BusyError).
const refreshPause = time.Second

// flight is one refresh of one session: lease, reload, call, save. It runs
// detached from the requests that wait for it, because a rotated refresh token
// whose answer nobody took is a session lost.
type flight struct {
	r    *refresher
	from *Session // what the request that started it had

	changed chan struct{} // holds one: the store has news of the session

	done    chan struct{} // closed when the result stands
	saved   bool          // the store has the tokens that it brought home
	landed  bool          // for run's goroutine only, as saved is
	session *Session
	err     error
}

// wait returns the result, or the context's error to a caller that left.
func (f *flight) wait(ctx context.Context) (*Session, error) {
	select {
	case <-f.done:
		return f.session, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// run carries the flight out and tells its outcome.
func (f *flight) run(ctx context.Context) {
	began := time.Now()
	// Stands only if a panic comes between: waiters must never hang.
	outcome, err := OutcomeFailed, fmt.Errorf("refresh session: %w: broken off", ErrUnavailable)
	var s *Session
	defer func() {
		f.r.observe.tell(ctx, outcome, began)
		f.finish(s, err)
	}()
	s, err = f.refresh(ctx)
	if outcome = f.outcome(err); err != nil {
		err = fmt.Errorf("refresh session: %w", err)
		f.r.log.Log(ctx, level(err), "session not refreshed", "session", f.from.ID, "outcome", outcome, "error", err)
	}
}

// outcome names what came of the flight, for metrics.
func (f *flight) outcome(err error) string {
	switch {
	case err != nil:
		return outcomeOf(err)
	case f.saved:
		return OutcomeDone
	}
	return OutcomeAdopted
}

// level keeps an outage from filling the log: the calls that failed are there.
func level(err error) slog.Level {
	if errors.Is(err, errBreakerOpen) {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// finish lands the flight and retires it. A result that can be loaded retires the
// flight before anyone is given it. After a failure the flight stays for a pause, so
// that the session's next requests get the same answer and the provider is left alone.
func (f *flight) finish(s *Session, err error) {
	f.r.cache.drop(f.from.ID)
	switch {
	case err == nil, errors.Is(err, ErrNotFound):
		f.r.retire(f)
	case errors.Is(err, errBreakerOpen): // nobody was asked but the store
		f.retireIn(backoff.Jittered(breakerPause))
	default:
		f.retireIn(retryAfter(err) + backoff.Jittered(refreshPause))
	}
	f.land(s, err)
}

func (f *flight) retireIn(d time.Duration) {
	time.AfterFunc(d, func() { f.r.retire(f) })
}

// retryAfter is how long the provider asked to be left alone about this session; 0
// if it did not.
func retryAfter(err error) time.Duration {
	var busy *oauth.BusyError
	if !errors.As(err, &busy) {
		return 0
	}
	return max(0, time.Until(busy.Until))
}

// land lets the waiters go. Only the first result counts.
func (f *flight) land(s *Session, err error) {
	if f.landed {
		return
	}
	f.landed, f.session, f.err = true, s, err
	close(f.done)
}

// refresh is the flight's steps.
func (f *flight) refresh(ctx context.Context) (*Session, error) {
	if f.r.breaker.open(time.Now()) {
		return f.withoutProvider(ctx)
	}
	lease, newer, err := f.turn(ctx)
	if newer != nil || err != nil {
		return newer, err
	}
	defer lease.release(ctx)
	// What the request had may be old: someone may have refreshed while it waited.
	current, err := f.r.store.Load(ctx, f.from.Handle)
	if err != nil {
		return nil, storeError(err)
	}
	if current.Generation != f.from.Generation && current.valid(time.Now()) {
		return current, nil
	}
	tokens, err := f.redeem(ctx, lease, current)
	switch {
	case errors.Is(err, oauth.ErrGrantRevoked):
		return f.refused(ctx, lease, current, err)
	case err != nil:
		// An allow-list: nothing but the provider's final word ends a session.
		return nil, err
	}
	return f.save(ctx, current, tokens)
}

// withoutProvider returns what another instance brought home, which is all that can
// be had while the breaker is open.
func (f *flight) withoutProvider(ctx context.Context) (*Session, error) {
	newer, err := f.newer(ctx)
	if newer != nil || err != nil {
		return newer, err
	}
	return nil, f.r.breaker.refusal()
}

// storeError makes of an abandoned flight's own context an outage: to the
// waiters a context error would say that they themselves had left.
func storeError(err error) error {
	if contextEnded(err) && !errors.Is(err, ErrUnavailable) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// contextEnded reports whether err is that of a context that ended.
func contextEnded(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
