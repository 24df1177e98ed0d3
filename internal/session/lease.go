package session

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/backoff"
)

// graceTerm lets a renewal fail in all of a store's time and still leaves one try:
// a quarter, the failure, a quarter.
const graceTerm = 2 * StoreTimeout

// leases let one instance at a time refresh a session.
type leases struct {
	store Leases
	// term is how long a lease lasts if it is not renewed, and so how long the
	// others wait for an owner that died.
	term time.Duration
	// patience is how long an instance waits for its turn.
	patience time.Duration
	// givesUp: a call is broken off when its lease has run out.
	givesUp bool

	work    *background
	observe OutcomeFunc
	log     *slog.Logger
}

// newLeases chooses the term. It exceeds what one call of the token endpoint and
// the store's calls around it may take, so that even an owner that cannot renew
// works alone. But where a rotated refresh token works on for longer than a call
// takes, a call can be broken off: an owner that cannot renew gives it up, and the
// next one uses the same token. There an owner that died costs a few seconds, and
// the next one comes while what it rotated can still be used (docs/decisions/0006).
func newLeases(o *Options, work *background) *leases {
	call := o.RefreshTimeout + 2*StoreTimeout
	l := &leases{
		store: o.Store, term: call, patience: 2 * call, givesUp: o.RotationGrace >= o.RefreshTimeout,
		work: work, observe: o.Observe.LeaseWait, log: o.Logger,
	}
	if l.givesUp {
		l.term = min(graceTerm, call)
	}
	return l
}

// lease is a session's lease while this instance has it: no other refreshes
// that session. What it cannot prevent is a process held up for longer than the
// term that goes on as if nothing had happened; [Store] Replace stops that one.
type lease struct {
	*leases
	id    string
	owner string

	mine   context.Context // ends when the lease may be another's
	lose   context.CancelFunc
	expiry *time.Timer

	stop    context.CancelFunc
	renewal sync.WaitGroup
}

// of returns the lease of a session, to be acquired.
func (l *leases) of(id string) *lease { return &lease{leases: l, id: id, owner: rand.Text()} }

// acquire asks for the lease once and reports whether it is ours, and kept, until
// it is released.
func (l *lease) acquire(ctx context.Context) (bool, error) {
	asked := time.Now()
	got, err := l.store.Acquire(ctx, l.id, l.owner, l.term)
	switch {
	case err != nil:
		l.forsake(ctx)
		return false, storeError(err)
	case got:
		l.keep(ctx, asked)
	}
	return got, nil
}

// keep renews the lease, asked for at that time, until it is released.
func (l *lease) keep(ctx context.Context, asked time.Time) {
	ctx, l.stop = context.WithCancel(ctx)
	l.mine, l.lose = context.WithCancel(ctx)
	l.expiry = time.AfterFunc(time.Until(asked.Add(l.term)), l.lose)
	l.renewal.Go(func() {
		for backoff.Pause(ctx, l.term/4) {
			// One that is lost stays lost; one that could not be renewed may be
			// renewed at the next try.
			if held, err := l.holds(ctx); err == nil && !held {
				l.log.Warn("lease of a refresh lost", "session", l.id)
				return
			}
		}
	})
}

// holds renews the lease and reports whether it is still ours. The term counts from
// the question, as the answer may have taken long.
func (l *lease) holds(ctx context.Context) (bool, error) {
	asked := time.Now()
	held, err := l.store.Renew(ctx, l.id, l.owner, l.term)
	switch {
	case err != nil:
		return false, err
	case held:
		l.expiry.Reset(time.Until(asked.Add(l.term)))
	default:
		l.lose()
	}
	return held, nil
}

// during returns the context of a call of the token endpoint. Where a call may be
// broken off it ends with the lease, so that the next owner works alone.
func (l *lease) during(ctx context.Context) context.Context {
	if l.givesUp {
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
	_ = l.store.Release(context.WithoutCancel(ctx), l.id, l.owner)
}

// forsake gives back a lease that may have been granted: a store that did not
// answer may have done so, or may yet, when it comes to what waits on a broken
// connection. Until its end such a lease would keep everyone from refreshing.
func (l *lease) forsake(ctx context.Context) {
	l.work.start(ctx, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, l.term)
		defer cancel()
		for backoff.Pause(ctx, StoreTimeout) {
			if l.store.Release(ctx, l.id, l.owner) == nil {
				return
			}
		}
	})
}
