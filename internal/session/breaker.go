package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

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

	mu       sync.Mutex
	failures int       // in a row
	until    time.Time // no call before, once failures reach tolerance
	probing  bool      // one call is finding out
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
		return errBreakerOpen
	}
	failed := true // stands if call panics
	defer func() { b.leave(probe, failed) }()
	err := call()
	failed = errors.Is(err, oauth.ErrUnavailable)
	return err
}

// open reports whether a call would be refused now.
func (b *breaker) open(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refuses(now)
}

func (b *breaker) refuses(now time.Time) bool {
	return b.failures >= tolerance && (b.probing || now.Before(b.until))
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
// other: what it found out is as true.
func (b *breaker) leave(probe, failed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe {
		b.probing = false
	}
	if !failed {
		b.failures = 0
		return
	}
	b.failures++
	if n := b.failures - tolerance; n >= 0 {
		b.until = time.Now().Add(jittered(min(breakerPause<<min(n, 10), breakerPauseMax)))
	}
}
