// Package backoff waits between the tries of what has failed. It leaves to its
// callers what is tried, and for how long. The one invariant: every pause is
// shortened by chance, so that what failed together does not try again together.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff are the pauses between the tries of one thing: the first as given, each
// further one twice the one before, up to a longest. Not safe for concurrent use.
type Backoff struct{ first, most, next time.Duration }

// New returns pauses that begin with first and end with most.
func New(first, most time.Duration) *Backoff { return &Backoff{first, most, first} }

// Next returns the next pause, jittered.
func (b *Backoff) Next() time.Duration {
	d := b.next
	b.next = min(2*d, b.most)
	return Jittered(d)
}

// Wait waits for the next pause, or until ctx ends and reports false.
func (b *Backoff) Wait(ctx context.Context) bool { return Sleep(ctx, b.Next()) }

// Reset lets the next pause be the first again.
func (b *Backoff) Reset() { b.next = b.first }

// Pause waits for d, jittered, or until ctx ends and reports false.
func Pause(ctx context.Context, d time.Duration) bool { return Sleep(ctx, Jittered(d)) }

// Sleep waits for d, or until ctx ends and reports false.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Jittered returns between three quarters of d and d.
func Jittered(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/4+1)) //nolint:gosec // spreads load, guards nothing
}
