package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

const (
	// leasePoll is how long an instance that is not at its turn waits before it
	// asks again, doubled after each time. It is for messages that were lost and
	// owners that failed or died; a success comes by message.
	leasePoll    = 50 * time.Millisecond
	leasePollMax = 500 * time.Millisecond

	// graceTerm lets a renewal fail in all of a store's time and still leaves one
	// try: a quarter, the failure, a quarter.
	graceTerm = 2 * StoreTimeout
)

// callTerm exceeds what one call of the token endpoint may take and the store's
// calls around it.
func (m *Manager) callTerm() time.Duration { return m.o.RefreshTimeout + 2*StoreTimeout }

// leaseTerm is how long a lease lasts if it is not renewed, and so how long the
// others wait for an owner that died.
//
// It exceeds the call, so that even an owner that cannot renew works alone. But
// where a rotated refresh token works on for longer than a call takes, a call can
// be broken off: an owner that cannot renew gives it up, and the next one uses the
// same token. There an owner that died costs a few seconds, and the next one comes
// while what it rotated can still be used (docs/decisions/0006).
func (m *Manager) leaseTerm() time.Duration {
	if m.givesUp() {
		return min(graceTerm, m.callTerm())
	}
	return m.callTerm()
}

// givesUp reports whether a call is broken off when its lease has run out.
func (m *Manager) givesUp() bool { return m.o.RotationGrace >= m.o.RefreshTimeout }

// lease is a session's lease while this instance has it: no other refreshes
// that session. What it cannot prevent is a process held up for longer than the
// term that goes on as if nothing had happened; [Store] Replace stops that one.
type lease struct {
	m     *Manager
	id    string
	owner string

	mine   context.Context // ends when the lease may be another's
	lose   context.CancelFunc
	expiry *time.Timer

	stop    context.CancelFunc
	renewal sync.WaitGroup
}

// turn waits until it is this instance's turn to refresh the session, and
// returns the lease; or the session, where another instance has refreshed it
// meanwhile. A store that does not answer ends the wait: the refreshed tokens
// could not be stored either.
func (f *flight) turn(ctx context.Context) (mine *lease, newer *Session, err error) {
	began, waited := time.Now(), false
	defer func() {
		if waited {
			f.m.o.Observe.leaseWait(waitOutcome(mine, err), time.Since(began))
		}
	}()
	l := &lease{m: f.m, id: f.from.ID, owner: rand.Text()}
	end := time.Now().Add(2 * f.m.callTerm())
	for d := leasePoll; time.Now().Before(end); d = min(2*d, leasePollMax) {
		asked := time.Now()
		got, err := f.m.store.Acquire(ctx, l.id, l.owner, f.m.leaseTerm())
		if err != nil {
			l.forsake()
			return nil, nil, storeError(err)
		}
		if got {
			l.keep(ctx, asked)
			return l, nil, nil
		}
		waited = true
		changed, err := f.await(ctx, jittered(d))
		if err != nil {
			return nil, nil, storeError(err)
		}
		if !changed {
			continue
		}
		if newer, err := f.newer(ctx); newer != nil || err != nil {
			return nil, newer, err
		}
	}
	return nil, nil, fmt.Errorf("%w: another instance has been asking it for too long", oauth.ErrUnavailable)
}

// waitOutcome is how a wait for a turn ended.
func waitOutcome(mine *lease, err error) string {
	switch {
	case mine != nil:
		return OutcomeTaken
	case err == nil:
		return OutcomeAdopted
	case errors.Is(err, oauth.ErrUnavailable):
		return OutcomeTimedOut
	}
	return outcomeOf(err)
}

// await waits for news of the session, at most d.
func (f *flight) await(ctx context.Context, d time.Duration) (changed bool, err error) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-f.changed:
		return true, nil
	case <-t.C:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// newer returns the session if it is another one than the flight began with and
// of use, nil if not.
func (f *flight) newer(ctx context.Context) (*Session, error) {
	s, err := f.m.store.Load(ctx, f.from.Handle)
	if err != nil {
		return nil, storeError(err)
	}
	if s.Generation == f.from.Generation || !s.valid(time.Now()) {
		return nil, nil
	}
	return s, nil
}

// keep renews the lease, asked for at that time, until it is released.
func (l *lease) keep(ctx context.Context, asked time.Time) {
	ctx, l.stop = context.WithCancel(ctx)
	l.mine, l.lose = context.WithCancel(ctx)
	l.expiry = time.AfterFunc(time.Until(asked.Add(l.m.leaseTerm())), l.lose)
	l.renewal.Go(func() {
		for pause(ctx, l.m.leaseTerm()/4) {
			// One that is lost stays lost; one that could not be renewed may be
			// renewed at the next try.
			if held, err := l.holds(ctx); err == nil && !held {
				l.m.log.Warn("lease of a refresh lost", "session", l.id)
				return
			}
		}
	})
}

// holds makes sure of the lease for another term, which counts from the question:
// the answer may have taken long.
func (l *lease) holds(ctx context.Context) (bool, error) {
	asked := time.Now()
	held, err := l.m.store.Renew(ctx, l.id, l.owner, l.m.leaseTerm())
	switch {
	case err != nil:
		return false, err
	case held:
		l.expiry.Reset(time.Until(asked.Add(l.m.leaseTerm())))
	default:
		l.lose()
	}
	return held, nil
}

// during is the context of a call of the token endpoint. Where nothing is lost by
// it, it ends with the lease, so that the next owner works alone.
func (l *lease) during(ctx context.Context) context.Context {
	if l.m.givesUp() {
		return l.mine
	}
	return ctx
}

// release gives the lease back, also where the work was abandoned. If the store
// does not take it the lease runs out.
func (l *lease) release(ctx context.Context) {
	l.stop()
	l.renewal.Wait()
	l.expiry.Stop()
	_ = l.m.store.Release(context.WithoutCancel(ctx), l.id, l.owner)
}

// forsake gives back a lease that nobody knows to be had: a store that did not
// answer may have granted it, or may yet, when it comes to what waits on a broken
// connection. Until its end it would keep everyone from refreshing.
func (l *lease) forsake() {
	l.m.work.start(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, l.m.leaseTerm())
		defer cancel()
		for pause(ctx, StoreTimeout) {
			if l.m.store.Release(ctx, l.id, l.owner) == nil {
				return
			}
		}
	})
}
