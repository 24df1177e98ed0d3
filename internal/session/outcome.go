package session

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// The outcomes that an [Observer] is told of.
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

// OutcomeFunc is told of something when it is over: what came of it, one of the
// Outcome… names, and how long it took, waits included. The context may have ended;
// its values are those of the request that caused it.
type OutcomeFunc func(ctx context.Context, outcome string, took time.Duration)

func (f OutcomeFunc) tell(ctx context.Context, outcome string, began time.Time) {
	if f != nil {
		f(ctx, outcome, time.Since(began))
	}
}

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
