package session

import (
	"context"
	"time"
)

// Observer is told what happens, for metrics and traces. Every function may be
// nil; each must return at once and be safe for concurrent use.
type Observer struct {
	// Refresh is told of each refresh.
	Refresh OutcomeFunc
	// Revoke is told of each refresh token to revoke after an ending: OutcomeDone,
	// OutcomeFailed or OutcomeDropped.
	Revoke OutcomeFunc
	// Delete is told of each deletion that had to be put off because the store
	// did not answer: OutcomeDone, OutcomeFailed or OutcomeDropped.
	Delete OutcomeFunc
	// LeaseWait is told of each refresh that found another instance's lease: how
	// the wait ended (OutcomeTaken, OutcomeAdopted, OutcomeTimedOut, OutcomeEnded
	// or OutcomeStore).
	LeaseWait OutcomeFunc
	// Check is told of each time that a [UserCheck] was due and a valid token at
	// hand: OutcomeDone (the user is in), OutcomeRefused, OutcomeDropped (not
	// asked, as there was no answer lately), OutcomeUnavailable,
	// OutcomeMisconfigured or OutcomeFailed.
	Check OutcomeFunc
	// Beat is told of each sign that changes of sessions arrive, and how long ago
	// the one before was. Not where there is no cache.
	Beat func(ctx context.Context, gap time.Duration)
}
