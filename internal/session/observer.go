package session

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// OutcomeFunc is told of something when it is over: what came of it, one of the
// Outcome… names, and how long it took, waits included. The context may have ended;
// its values are those of the request that caused it.
type OutcomeFunc func(ctx context.Context, outcome string, took time.Duration)

func (f OutcomeFunc) tell(ctx context.Context, outcome string, began time.Time) {
	if f != nil {
		f(ctx, outcome, time.Since(began))
	}
}

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

// The outcomes an [Observer] hears of.
const (
	OutcomeDone          = "done"
	OutcomeAdopted       = "adopted"           // someone else had refreshed already
	OutcomeEnded         = "ended"             // the grant is revoked, or the session ended meanwhile
	OutcomeUnavailable   = "unavailable"       // the provider did not answer
	OutcomeStore         = "store_unavailable" // the store did not answer
	OutcomeMisconfigured = "misconfigured"     // the provider refuses this client
	OutcomeFailed        = "failed"            // anything else
	OutcomeDropped       = "dropped"           // too many waiting already, or failing
	OutcomeTaken         = "taken"             // the lease is ours
	OutcomeTimedOut      = "timed_out"         // another instance had it for too long
	OutcomeRefused       = "refused"           // the provider refuses the access token
)

// outcomeOf names the outcome of what failed with err.
func outcomeOf(err error) string {
	switch {
	case errors.Is(err, ErrNotFound):
		return OutcomeEnded
	case errors.Is(err, ErrUnavailable):
		return OutcomeStore
	case errors.Is(err, oauth.ErrUnavailable):
		return OutcomeUnavailable
	case errors.Is(err, oauth.ErrMisconfigured):
		return OutcomeMisconfigured
	}
	return OutcomeFailed
}
