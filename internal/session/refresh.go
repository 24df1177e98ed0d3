package session

import (
	"context"
	"errors"
	"hash/fnv"
	"time"
)

// Fresh returns the session with an access token to use now.
//
// A token that is not due costs nothing: s comes back at once. One that is due
// and still holds comes back at once too, while one refresh runs behind. Past
// its expiry the caller waits for that refresh, or for its own context. An
// outage of the provider thus shows only once the token has truly expired.
//
// Where handles move the caller waits for a refresh that is due early as well:
// what comes of one behind would never reach the browser. If it fails the token
// in hand does, as long as it holds.
//
// Errors: [ErrNotFound] (the grant is revoked, or the session ended meanwhile),
// [ErrUnavailable], [oauth.ErrUnavailable], [oauth.ErrMisconfigured],
// [oauth.ErrInvalidToken], [ErrConflict], the context's. Only the first means
// that the session is over.
func (m *Manager) Fresh(ctx context.Context, s *Session) (*Session, error) {
	now := time.Now()
	if !m.due(s, now) {
		return s, nil
	}
	f, err := m.join(s, false)
	if s.valid(now) && !m.traits.MovingHandles {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	bounded, cancel := m.patience(ctx, s, now)
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

// patience bounds the wait for a refresh while the token in hand holds.
func (m *Manager) patience(ctx context.Context, s *Session, now time.Time) (context.Context, context.CancelFunc) {
	if !s.valid(now) {
		return ctx, func() {}
	}
	left := s.Tokens.AccessExpiresAt.Sub(now)
	if left <= earlyPatience {
		return ctx, func() {} // it would have to wait for the rest in any case
	}
	return context.WithTimeout(ctx, earlyPatience)
}

// Refresh returns the session with a new access token, however good the old one
// is. Calls at the same time share one refresh. Errors: as [Manager.Fresh], and
// *[TooManyError].
func (m *Manager) Refresh(ctx context.Context, s *Session) (*Session, error) {
	if s.Tokens.Refresh.Empty() && s.valid(time.Now()) {
		return s, nil // there is nothing to refresh with, and nothing amiss
	}
	f, err := m.join(s, true)
	if err != nil {
		return nil, err
	}
	return f.wait(ctx)
}

// due reports whether the access token is to be refreshed: it has expired, or
// it soon will.
func (m *Manager) due(s *Session, now time.Time) bool {
	left := s.Tokens.AccessExpiresAt.Sub(now)
	switch {
	case left <= 0:
		return true
	case left > 2*m.o.BeforeExpiry || s.Tokens.Refresh.Empty():
		return false
	}
	// A token that lives shorter than BeforeExpiry would be due all its life.
	early := min(m.o.BeforeExpiry, s.Tokens.AccessExpiresAt.Sub(s.TokensAt)/2)
	return left <= early+share(s.ID, early/4)
}

// valid reports whether the access token holds at now.
func (s *Session) valid(now time.Time) bool { return now.Before(s.Tokens.AccessExpiresAt) }

// share returns a part of d that is the session's own, the same at each call
// and on each instance, so that sessions of one moment aren't due in one moment.
func share(id string, d time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return d * time.Duration(h.Sum32()%1024) / 1024
}

// join returns the flight of the session, and starts one if there is none. Only
// a start counts against the limit of forced refreshes.
func (m *Manager) join(s *Session, forced bool) (*flight, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.flights[s.ID]; f != nil {
		return f, nil
	}
	if forced {
		if wait := m.forced.take(s.ID, time.Now()); wait > 0 {
			return nil, &TooManyError{RetryAfter: wait}
		}
	}
	f := &flight{m: m, from: s, changed: make(chan struct{}, 1), done: make(chan struct{})}
	m.flights[s.ID] = f
	m.work.start(f.run)
	return f, nil
}

// leave lets the next request of the session start a flight of its own.
func (m *Manager) leave(f *flight) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.flights[f.from.ID] == f {
		delete(m.flights, f.from.ID)
	}
}

// wake tells a flight of the session, if there is one, that the store has news.
func (m *Manager) wake(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.flights[id]
	if f == nil {
		return
	}
	select {
	case f.changed <- struct{}{}:
	default:
	}
}
