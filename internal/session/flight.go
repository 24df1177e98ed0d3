package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

const (
	// refreshPause is how long after a failed refresh its session's requests get
	// the same answer, so that a provider in trouble isn't asked by each of them;
	// longer where the provider said for how long (BusyError).
	refreshPause = time.Second

	// saveFor is how long new tokens are kept for a store that does not take
	// them. Under rotation they are the only ones that still work.
	saveFor      = 2 * time.Minute
	savePause    = 100 * time.Millisecond // doubled after each try
	savePauseMax = 250 * time.Millisecond

	// refusedPause is how long a refused refresh token is given before its session
	// ends. Another instance may have redeemed it and lost its lease while the
	// store was away; now that the store answers it saves at its next try.
	refusedPause = 2 * savePauseMax

	// gracePause is how long after a lost answer the provider is asked again.
	gracePause = 250 * time.Millisecond
)

// flight is one refresh of one session: lease, reload, call, save. It runs
// detached from the requests that wait for it, because a rotated refresh token
// whose answer nobody took is a session lost.
type flight struct {
	m    *Manager
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

// run carries the flight out and tells its outcome. After a failure the flight
// stays a little, and answers for the provider.
func (f *flight) run(ctx context.Context) {
	began := time.Now()
	// Stands only if a panic comes between: waiters must never hang.
	outcome, err := OutcomeFailed, fmt.Errorf("refresh session: %w: broken off", ErrUnavailable)
	var s *Session
	defer func() {
		f.m.o.Observe.refresh(outcome, time.Since(began))
		f.finish(s, err)
	}()
	s, err = f.refresh(ctx)
	if outcome = f.outcome(err); err != nil {
		err = fmt.Errorf("refresh session: %w", err)
		f.m.log.Log(ctx, level(err), "session not refreshed", "session", f.from.ID, "outcome", outcome, "error", err)
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

// finish lands the flight and makes way: at once, and before anyone hears of
// it, if there is a result to reload; after a pause if it failed.
func (f *flight) finish(s *Session, err error) {
	f.m.cache.drop(f.from.ID)
	switch {
	case err == nil, errors.Is(err, ErrNotFound):
		f.m.leave(f)
	case errors.Is(err, errBreakerOpen): // nobody was asked but the store
		f.leaveIn(jittered(breakerPause))
	default:
		f.leaveIn(retryAfter(err) + jittered(refreshPause))
	}
	f.land(s, err)
}

func (f *flight) leaveIn(d time.Duration) {
	time.AfterFunc(d, func() { f.m.leave(f) })
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
	if f.m.breaker.open(time.Now()) {
		return f.withoutProvider(ctx)
	}
	lease, newer, err := f.turn(ctx)
	if newer != nil || err != nil {
		return newer, err
	}
	defer lease.release(ctx)
	// What the request had may be old: someone may have refreshed while it waited.
	current, err := f.m.store.Load(ctx, f.from.Handle)
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

// withoutProvider is what can be had while the breaker is open: what another
// instance brought home.
func (f *flight) withoutProvider(ctx context.Context) (*Session, error) {
	newer, err := f.newer(ctx)
	if newer != nil || err != nil {
		return newer, err
	}
	return nil, f.m.breaker.refusal()
}

// redeem calls the provider, and once more if the answer was lost and the
// rotation grace lets the old refresh token still be used: the first call may
// have been carried out, and then nobody has its successor. Who was told to come
// later has had an answer. The lease, which was long enough for one call, is made
// sure of for the second: an instance that lost its way to the store would call
// beside the next owner, for tokens that it could not save.
func (f *flight) redeem(ctx context.Context, l *lease, current *Session) (oauth.Tokens, error) {
	if current.Tokens.Refresh.Empty() {
		return oauth.Tokens{}, oauth.ErrGrantRevoked // expired, with nothing to go on with
	}
	began := time.Now()
	tokens, err := f.call(l.during(ctx), current)
	var answered *oauth.BusyError
	lost := errors.Is(err, oauth.ErrUnavailable) && !errors.Is(err, errBreakerOpen) && !errors.As(err, &answered)
	if !lost || time.Since(began)+gracePause >= f.m.o.RotationGrace || !pause(ctx, gracePause) {
		return tokens, err
	}
	if held, unsure := l.holds(ctx); unsure != nil || !held {
		return tokens, err
	}
	return f.call(l.during(ctx), current)
}

// call calls the provider, under the deadline of one call.
func (f *flight) call(ctx context.Context, current *Session) (tokens oauth.Tokens, err error) {
	ctx, cancel := context.WithTimeout(ctx, f.m.o.RefreshTimeout)
	defer cancel()
	err = f.m.breaker.do(ctx, func() error {
		tokens, err = f.m.o.Provider.Refresh(ctx, current.Tokens)
		if err != nil && contextEnded(err) {
			return fmt.Errorf("%w: %w", oauth.ErrUnavailable, err)
		}
		return err
	})
	switch {
	case err != nil:
		return oauth.Tokens{}, err
	case tokens.Subject != current.Subject:
		return oauth.Tokens{}, fmt.Errorf("%w: refreshed for another subject", oauth.ErrInvalidToken)
	}
	return tokens, nil
}

// save writes the new tokens before anyone is answered with them. If the store
// is away the waiters are told so, and the tokens are kept for its return.
func (f *flight) save(ctx context.Context, current *Session, t oauth.Tokens) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, saveFor)
	defer cancel()
	next := *current
	next.Generation++
	next.setTokens(t, present())
	for d := savePause; ; d = min(2*d, savePauseMax) {
		saved, err := f.m.store.Replace(ctx, &next)
		switch {
		case err == nil:
			f.saved = true
			return saved, nil
		case errors.Is(err, ErrNotFound):
			// Signed out meanwhile, and so it stays; what was brought home is
			// worth nothing to anyone else either.
			f.m.revoke(t.Refresh)
			return nil, err
		case errors.Is(err, ErrConflict):
			return f.overtaken(ctx, current, err)
		case errors.Is(err, ErrTooLarge):
			return f.outgrown(ctx, current, t, err)
		case !errors.Is(err, ErrUnavailable):
			return nil, storeError(err)
		}
		f.land(nil, fmt.Errorf("save refreshed session: %w", err))
		if !pause(ctx, d) {
			return nil, err
		}
	}
}

// overtaken adopts what another instance wrote meanwhile. Our tokens are not
// revoked: without rotation the winner's refresh token is the same one, and with
// it the provider may end the whole family.
func (f *flight) overtaken(ctx context.Context, current *Session, cause error) (*Session, error) {
	newest, err := f.m.store.Load(ctx, current.Handle)
	if err != nil {
		return nil, storeError(err)
	}
	return adopt(newest, cause)
}

// outgrown ends a session whose new tokens the store will never hold. Kept, it
// would ask the provider again and again, and under rotation for nothing; at the
// login that follows the user is told why.
func (f *flight) outgrown(ctx context.Context, current *Session, t oauth.Tokens, cause error) (*Session, error) {
	f.m.revoke(t.Refresh)
	if _, err := f.m.delete(ctx, current.Handle, ReasonRevoked); err != nil {
		return nil, storeError(err)
	}
	return nil, fmt.Errorf("%w: %w", ErrNotFound, cause)
}

// adopt takes what someone else wrote, if it is of use.
func adopt(newest *Session, cause error) (*Session, error) {
	if !newest.valid(time.Now()) {
		return nil, cause
	}
	return newest, nil
}

// refused ends the session whose grant is revoked, unless the refresh token
// that was refused is no longer the session's: then someone was faster, and
// theirs holds. Only under the lease can nobody save between reading and deleting.
func (f *flight) refused(ctx context.Context, l *lease, current *Session, cause error) (*Session, error) {
	if !pause(ctx, refusedPause) {
		return nil, storeError(ctx.Err())
	}
	held, err := l.holds(ctx)
	if err != nil {
		return nil, storeError(err)
	}
	newest, err := f.m.store.Load(ctx, current.Handle)
	switch {
	case err != nil:
		return nil, storeError(err)
	case newest.Generation != current.Generation:
		return adopt(newest, ErrConflict)
	case !held:
		return nil, ErrConflict // whoever has it now may be about to save
	}
	if _, err := f.m.delete(ctx, current.Handle, ReasonRevoked); err != nil {
		return nil, storeError(err)
	}
	return nil, fmt.Errorf("%w: %w", ErrNotFound, cause)
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
