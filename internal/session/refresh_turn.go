package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/backoff"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

const (
	// leasePoll is how long an instance that is not at its turn waits before it
	// asks again, doubled after each time. It is for messages that were lost and
	// owners that failed or died; a success comes by message.
	leasePoll    = 50 * time.Millisecond
	leasePollMax = 500 * time.Millisecond
)

// turn waits until it is this instance's turn to refresh the session, and
// returns the lease; or the session, where another instance has refreshed it
// meanwhile. A store that does not answer ends the wait: the refreshed tokens
// could not be stored either.
func (f *flight) turn(ctx context.Context) (mine *lease, newer *Session, err error) {
	began, waited := time.Now(), false
	defer func() {
		if waited {
			f.r.leases.observe.tell(ctx, waitOutcome(mine, err), began)
		}
	}()
	l := f.r.leases.of(f.from.ID)
	end := began.Add(f.r.leases.patience)
	for polls := backoff.New(leasePoll, leasePollMax); time.Now().Before(end); {
		got, err := l.acquire(ctx)
		switch {
		case err != nil:
			return nil, nil, err
		case got:
			return l, nil, nil
		}
		waited = true
		changed, err := f.await(ctx, polls.Next())
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
	s, err := f.r.store.Load(ctx, f.from.Handle)
	if err != nil {
		return nil, storeError(err)
	}
	if s.Generation == f.from.Generation || !s.valid(time.Now()) {
		return nil, nil
	}
	return s, nil
}
