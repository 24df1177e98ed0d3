package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const (
	maxRevocations = 256 // refresh tokens being revoked at a time
	maxDeletions   = 4096
	// maxConfirming is how many ends are repeated at a time: each holds one of the
	// store's connections while it waits for replicas.
	maxConfirming = 2

	revokeTries = 3
	revokePause = time.Second // doubled after each try

	deleteFor      = 10 * time.Minute
	deletePause    = 250 * time.Millisecond // doubled after each try
	deletePauseMax = 10 * time.Second
)

// End ends the session of a handle and returns what it was, nil if there was
// none. The record goes first, for that is what signs the browser out; the
// refresh token is revoked behind. A caller that leaves does not stop it: who
// closes the tab after a click on "sign out" is signed out.
//
// Errors: [ErrUnavailable], and then the deletion is tried again behind for ten
// minutes, revocation included.
func (m *Manager) End(ctx context.Context, h Handle, why Reason) (*Session, error) {
	if h.Empty() {
		return nil, nil
	}
	e := &ending{handle: h, why: why}
	s, err := m.tryEnd(context.WithoutCancel(ctx), e)
	if err != nil {
		m.deleteLater(e)
		return nil, fmt.Errorf("end session: %w", err)
	}
	return s, nil
}

// ending is a session's end by its handle, over all its tries.
type ending struct {
	handle Handle
	why    Reason
	seen   *Session // what the session was before; nil: not known
}

// tryEnd deletes a session and does what follows. The answer to a deletion that
// was carried out can be lost, and with it the only copy of the refresh token,
// for a second try finds nothing. So the session is looked at before: what the
// deletion answers is newer, what was seen is there in any case. Both together
// take no longer than a store may take for one.
func (m *Manager) tryEnd(ctx context.Context, e *ending) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, StoreTimeout)
	defer cancel()
	if e.seen == nil {
		e.seen = m.cache.get(e.handle, time.Now())
	}
	if e.seen == nil {
		e.seen, _ = m.store.Load(ctx, e.handle) // without an answer the deletion has to do
	}
	s, err := m.delete(ctx, e.handle, e.why)
	if err != nil {
		return nil, err
	}
	if s == nil {
		s = e.seen
	}
	m.ended(s)
	return s, nil
}

// delete ends a session in the store. Every deletion by handle goes through it.
// The session leaves the cache before, whatever the store says, and after, since
// it may have been loaded between.
func (m *Manager) delete(ctx context.Context, h Handle, why Reason) (*Session, error) {
	m.cache.dropHandle(h)
	defer m.cache.dropHandle(h)
	s, err := m.store.Delete(ctx, h, why)
	if errors.Is(err, ErrUnconfirmed) {
		id, _ := IDOf(h)
		m.confirmLater(id, why)
		return s, nil
	}
	return s, err
}

// deleteID ends a session by its public id. Every deletion by id goes through it.
func (m *Manager) deleteID(ctx context.Context, id string, why Reason) error {
	m.cache.drop(id)
	defer m.cache.drop(id)
	err := m.store.DeleteID(ctx, id, why)
	if errors.Is(err, ErrUnconfirmed) {
		m.confirmLater(id, why)
		return nil
	}
	return err
}

// confirmLater ends a session again until enough replicas have its end. One that
// had not may have taken over meanwhile, and then this is what ends the session.
func (m *Manager) confirmLater(id string, why Reason) {
	m.log.Warn("too few replicas have the end of a session: it is repeated until they have", "session", id)
	m.keepTrying(m.confirmations, m.confirming, id, func(ctx context.Context) error {
		select {
		case m.confirmingNow <- struct{}{}:
			defer func() { <-m.confirmingNow }()
		case <-ctx.Done():
			return ctx.Err()
		}
		m.cache.drop(id)
		defer m.cache.drop(id)
		return m.store.DeleteID(ctx, id, why)
	})
}

// ended does what follows a deletion. A refresh still running finds the record
// gone and revokes what it brings home.
func (m *Manager) ended(s *Session) {
	if s != nil {
		m.revoke(s.Tokens.Refresh)
	}
}

// deleteLater tries a deletion again until the store takes it.
func (m *Manager) deleteLater(e *ending) {
	m.keepTrying(m.deletions, m.work, e.handle.Reveal(), func(ctx context.Context) error {
		_, err := m.tryEnd(ctx, e)
		return err
	})
}

// keepTrying tries a deletion behind, until it succeeds; once at a time for a
// key, however often a sign-out is clicked.
func (m *Manager) keepTrying(table *slots, work *background, key string, try func(context.Context) error) {
	got, full := table.take(key)
	if full {
		m.o.Observe.delete(OutcomeDropped)
		m.log.Error("session not deleted: too many wait already")
	}
	if !got {
		return
	}
	work.start(func(ctx context.Context) {
		defer table.free(key)
		m.o.Observe.delete(m.tryFor(ctx, deleteFor, try))
	})
}

func (m *Manager) tryFor(ctx context.Context, d time.Duration, try func(context.Context) error) (outcome string) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var err error
	for d := deletePause; pause(ctx, d); d = min(2*d, deletePauseMax) {
		if err = try(ctx); err == nil {
			return OutcomeDone
		}
	}
	m.log.Error("session not deleted, or not on enough replicas, in time", "error", err)
	return OutcomeFailed
}

// revoke ends a refresh token at the provider, behind and as far as possible:
// a few tries, and no more at a time than maxRevocations.
func (m *Manager) revoke(refresh secret.Text) {
	if refresh.Empty() {
		return
	}
	key := refresh.Reveal()
	got, full := m.revocations.take(key)
	if full {
		m.o.Observe.revoke(OutcomeDropped)
		m.log.Warn("refresh token not revoked: too many wait already")
	}
	if !got {
		return
	}
	m.work.start(func(ctx context.Context) {
		defer m.revocations.free(key)
		m.o.Observe.revoke(m.tryRevoke(ctx, refresh))
	})
}

func (m *Manager) tryRevoke(ctx context.Context, refresh secret.Text) (outcome string) {
	var err error
	for i := range revokeTries {
		if i > 0 && !pause(ctx, revokePause<<(i-1)) {
			break
		}
		if err = m.revokeOnce(ctx, refresh); err == nil {
			return OutcomeDone
		}
		if !errors.Is(err, oauth.ErrUnavailable) {
			break
		}
	}
	m.log.Warn("refresh token not revoked", "error", err)
	return OutcomeFailed
}

func (m *Manager) revokeOnce(ctx context.Context, refresh secret.Text) error {
	ctx, cancel := context.WithTimeout(ctx, m.o.RefreshTimeout)
	defer cancel()
	return m.o.Provider.Revoke(ctx, refresh)
}
