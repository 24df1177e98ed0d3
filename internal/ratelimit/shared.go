package ratelimit

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

const (
	// storeTimeout is how long a store may take. Nobody waits longer for a count than it is
	// worth.
	storeTimeout = 100 * time.Millisecond
	// storePause is how long a store is left alone that did not answer.
	storePause = time.Second
)

// Store counts for all instances that share it.
type Store interface {
	// TakeRate counts one more for key, which takes interval to be given back, unless the
	// count would be ahead of the rate by more than depth. It returns how far it is ahead
	// then, and whether the one has been counted.
	TakeRate(ctx context.Context, key string, interval, depth time.Duration) (ahead time.Duration, counted bool, err error)
}

// Shared counts in a store, and in this process where there is none, or while it does not
// answer. Safe for concurrent use.
//
// The process's own counts are looked at first: they never know of more than the store's,
// so that what they refuse costs no round trip. What the store says goes into them.
type Shared struct {
	local *Limiter
	store Store
	name  string
	lost  func(error)

	timeout time.Duration
	pause   atomic.Int64 // until then the store is left alone, in nanoseconds since the limiter began
}

// NewShared returns a limiter of that name among all that count in the store, which may be
// nil. It tells lost of each count that the store did not take.
func NewShared(limit Limit, store Store, name string, lost func(error)) *Shared {
	return &Shared{local: New(limit), store: store, name: name, lost: lost, timeout: storeTimeout}
}

// Take counts one more for key, or refuses it.
func (s *Shared) Take(ctx context.Context, key string) Verdict {
	now := time.Now()
	v := s.local.Take(key, now)
	if v.Wait > 0 || s.store == nil || now.Sub(s.local.began) < time.Duration(s.pause.Load()) {
		return v
	}
	limit := s.local.limit
	bounded, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	ahead, counted, err := s.store.TakeRate(bounded, s.name+"\x00"+key, limit.Interval(), limit.depth())
	switch {
	case err != nil && errors.Is(ctx.Err(), context.Canceled):
		return v // the caller left, which says nothing about the store
	case err != nil:
		s.pause.Store(int64(time.Since(s.local.began) + storePause))
		s.lost(err)
		return v
	}
	s.local.set(key, ahead, time.Now())
	if !counted {
		return Verdict{Wait: ahead + limit.Interval() - limit.depth()}
	}
	return Verdict{Left: int((limit.depth() - ahead) / limit.Interval())}
}
