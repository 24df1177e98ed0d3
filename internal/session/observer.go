package session

import (
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// Observer is told what happens, for metrics. Every function may be nil; each
// must return at once and be safe for concurrent use.
type Observer struct {
	// Refresh is told of each refresh with its outcome, one of the Outcome…
	// names, and how long it took, waits included.
	Refresh func(outcome string, took time.Duration)
	// Revoke is told of each refresh token to revoke after an ending: OutcomeDone,
	// OutcomeFailed or OutcomeDropped.
	Revoke func(outcome string)
	// Delete is told of each deletion that had to be put off because the store
	// did not answer: OutcomeDone, OutcomeFailed or OutcomeDropped.
	Delete func(outcome string)
	// LeaseWait is told of each refresh that found another instance's lease: how
	// the wait ended (OutcomeTaken, OutcomeAdopted, OutcomeTimedOut, OutcomeEnded
	// or OutcomeStore), and how long it was.
	LeaseWait func(outcome string, waited time.Duration)
	// Check is told of each time that a [UserCheck] was due and a valid token
	// at hand: OutcomeDone (the user is in), OutcomeRefused, OutcomeDropped (not
	// asked, as there was no answer lately), OutcomeUnavailable,
	// OutcomeMisconfigured or OutcomeFailed.
	Check func(outcome string)
	// Beat is told of each sign that changes of sessions arrive, and how long ago
	// the one before was. Not where there is no cache.
	Beat func(gap time.Duration)
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

func (o *Observer) refresh(outcome string, took time.Duration) {
	if o.Refresh != nil {
		o.Refresh(outcome, took)
	}
}

func (o *Observer) revoke(outcome string) {
	if o.Revoke != nil {
		o.Revoke(outcome)
	}
}

func (o *Observer) delete(outcome string) {
	if o.Delete != nil {
		o.Delete(outcome)
	}
}

func (o *Observer) leaseWait(outcome string, waited time.Duration) {
	if o.LeaseWait != nil {
		o.LeaseWait(outcome, waited)
	}
}

func (o *Observer) check(outcome string) {
	if o.Check != nil {
		o.Check(outcome)
	}
}

func (o *Observer) beat(gap time.Duration) {
	if o.Beat != nil {
		o.Beat(gap)
	}
}
