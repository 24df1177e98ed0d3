package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/backoff"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

const (
	// maxCalls is how many calls of the token endpoint there are at a time: at
	// 200 ms each more than the 120 a second that a user pool takes by default.
	maxCalls = 32
	// tolerance is how many calls in a row may fail before the breaker opens.
	tolerance = 5

	// breakerPause is how long an open breaker lets no call through, doubled after
	// each probe that failed. Its bound is what keeps the recovery after an
	// outage within two seconds.
	breakerPause    = 100 * time.Millisecond
	breakerPauseMax = 750 * time.Millisecond
)

// errBreakerOpen answers for a token endpoint that has not answered lately.
var errBreakerOpen = fmt.Errorf("%w: not asked again so soon after its failures", oauth.ErrUnavailable)

// breaker stands before the token endpoint. It bounds the calls at a time, and
// when the provider is in trouble it lets through one at a time and seldom, so
// that a fleet's waiting sessions do not keep it there.
type breaker struct {
	slots chan struct{}

	refusals atomic.Uint64 // calls that it did not let through

	mu       sync.Mutex
	failures int              // in a row
	until    time.Time        // no call before, once failures reach tolerance
	probing  bool             // one call is finding out
	busy     *oauth.BusyError // no call before its time; nil: nobody said so
}

func newBreaker() *breaker { return &breaker{slots: make(chan struct{}, maxCalls)} }

// do makes a call, or returns errBreakerOpen. Only an error that is
// [oauth.ErrUnavailable] is a failure: whoever refuses is well.
func (b *breaker) do(ctx context.Context, call func() error) error {
	select {
	case b.slots <- struct{}{}:
		defer func() { <-b.slots }()
	case <-ctx.Done():
		return fmt.Errorf("%w: too many calls at a time: %w", oauth.ErrUnavailable, ctx.Err())
	}
	probe, ok := b.enter(time.Now())
	if !ok {
		return b.refusal()
	}
	err := fmt.Errorf("%w: broken off", oauth.ErrUnavailable) // stands if call panics
	defer func() { b.leave(probe, err) }()
	err = call()
	return err
}

// open reports whether a call would be refused now.
func (b *breaker) open(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refuses(now)
}

func (b *breaker) refuses(now time.Time) bool {
	if b.busy != nil && now.Before(b.busy.Until) {
		return true
	}
	return b.failures >= tolerance && (b.probing || now.Before(b.until))
}

// refusal counts a call that is not made, and is its error.
func (b *breaker) refusal() error {
	b.refusals.Add(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy != nil && time.Now().Before(b.busy.Until) {
		return fmt.Errorf("%w: %w", errBreakerOpen, b.busy)
	}
	return errBreakerOpen
}

func (b *breaker) enter(now time.Time) (probe, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuses(now) {
		return false, false
	}
	probe = b.failures >= tolerance
	b.probing = b.probing || probe
	return probe, true
}

// leave counts a call. One that began before the breaker opened counts like any
// other: what it found out is as true. Only a rate limit that was told outlasts
// the successes of calls beside it; when it is over one call probes first.
func (b *breaker) leave(probe bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe {
		b.probing = false
	}
	if !errors.Is(err, oauth.ErrUnavailable) {
		b.failures = 0
		return
	}
	b.failures++
	if busy := rateLimited(err); busy != nil {
		b.busy, b.failures = busy, max(b.failures, tolerance)
	}
	if n := b.failures - tolerance; n >= 0 {
		b.until = time.Now().Add(backoff.Jittered(min(breakerPause<<min(n, 10), breakerPauseMax)))
	}
}

// rateLimited returns the answer that asks this whole instance to wait, nil if
// err is none. A 503 may be about the one request.
func rateLimited(err error) *oauth.BusyError {
	const tooManyRequests = 429 // RFC 6585 §4
	var busy *oauth.BusyError
	if errors.As(err, &busy) && busy.Status == tooManyRequests && !busy.Until.IsZero() {
		return busy
	}
	return nil
}
