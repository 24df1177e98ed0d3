package session

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Fresh returns the session with an access token to use now.
//
// A token that is not due costs nothing: s comes back at once. One that is due
// and still holds comes back at once too, while one refresh runs behind. Past
// its expiry the caller waits for that refresh, or for its own context. An
// outage of the provider thus shows only once the token has truly expired.
//
// Where handles move, the caller waits for a refresh that is merely due as well:
// the browser would never be given the handle that comes of one behind. If it
// fails, the token in hand is used as long as it holds.
//
// Errors: [ErrNotFound] (the grant is revoked, or the session ended meanwhile),
// [ErrUnavailable], [oauth.ErrUnavailable], [oauth.ErrMisconfigured],
// [oauth.ErrInvalidToken], [ErrConflict], the context's. Only the first means
// that the session is over.
func (m *Manager) Fresh(ctx context.Context, s *Session) (*Session, error) {
	now := time.Now()
	if !m.refresher.due(s, now) {
		return s, nil
	}
	f, err := m.refresher.join(ctx, s, false)
	if s.valid(now) && !m.traits.MovingHandles {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	bounded, cancel := boundWait(ctx, s, now)
	defer cancel()
	fresh, err := f.wait(bounded)
	if err != nil && !errors.Is(err, ErrNotFound) && ctx.Err() == nil && s.valid(time.Now()) {
		return s, nil
	}
	return fresh, err
}

// earlyPatience is how long a request waits for a refresh while the token in hand
// still holds, with a store whose handles move: what comes later reaches the
// browser with its next request to this instance.
const earlyPatience = 2 * time.Second

// boundWait bounds the wait for a refresh while the token in hand holds.
func boundWait(ctx context.Context, s *Session, now time.Time) (context.Context, context.CancelFunc) {
	if !s.valid(now) {
		return ctx, func() {}
	}
	if s.Tokens.AccessExpiresAt.Sub(now) <= earlyPatience {
		return ctx, func() {} // it would have to wait for the rest in any case
	}
	return context.WithTimeout(ctx, earlyPatience)
}

// TooManyError refuses a forced refresh above the limit of its session.
type TooManyError struct {
	// RetryAfter is how long until one is allowed again.
	RetryAfter time.Duration
}

// Error implements error.
func (e *TooManyError) Error() string {
	return fmt.Sprintf("too many forced refreshes, next in %s", e.RetryAfter.Round(time.Second))
}

// Refresh returns the session with a new access token, however good the old one
// is. Calls at the same time share one refresh. Errors: as [Manager.Fresh], and
// *[TooManyError].
func (m *Manager) Refresh(ctx context.Context, s *Session) (*Session, error) {
	if s.Tokens.Refresh.Empty() && s.valid(time.Now()) {
		return s, nil // there is nothing to refresh with, and nothing amiss
	}
	f, err := m.refresher.join(ctx, s, true)
	if err != nil {
		return nil, err
	}
	return f.wait(ctx)
}
