package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// maxConfirming is how many ends are repeated at a time: each holds one of the
// store's connections while it waits for replicas.
const maxConfirming = 2

// End ends the session of a handle and returns what it was, nil if there was
// none. The record goes first, for that is what signs the browser out; the
// refresh token is revoked behind. A caller that leaves does not stop it: a user
// who closes the tab after a click on "sign out" is signed out.
//
// Errors: [ErrUnavailable], and then the deletion is tried again behind for ten
// minutes, revocation included.
func (m *Manager) End(ctx context.Context, h Handle, why Reason) (*Session, error) {
	if h.Empty() {
		return nil, nil
	}
	s, err := m.endings.end(ctx, h, why)
	if err != nil {
		return nil, fmt.Errorf("end session: %w", err)
	}
	return s, nil
}

// endings ends sessions in the store, revokes their refresh tokens, and tries
// again what the store did not take. Every deletion goes through delete or deleteID.
type endings struct {
	store   Store
	cache   *cache
	revoker *revoker
	log     *slog.Logger

	deletions *retries // by handle
	// confirmations are ends that too few replicas have yet, by id. A stop does not
	// wait for them: they may take as long as a replica is away.
	confirmations *retries
	confirming    chan struct{} // holds one for each that is at it
}

func newEndings(o *Options, c *cache, r *revoker, work *background) *endings {
	return &endings{
		store: o.Store, cache: c, revoker: r, log: o.Logger,
		deletions:     newRetries(o, work),
		confirmations: newRetries(o, newBackground(o.Logger)),
		confirming:    make(chan struct{}, maxConfirming),
	}
}

// abandon gives up what a stop does not wait for.
func (e *endings) abandon() { e.confirmations.backlog.work.abandon() }

// end ends the session of a handle, now or behind.
func (e *endings) end(ctx context.Context, h Handle, why Reason) (*Session, error) {
	one := &ending{handle: h, why: why}
	s, err := e.try(context.WithoutCancel(ctx), one)
	if err != nil {
		e.deletions.add(ctx, h.Reveal(), func(ctx context.Context) error {
			_, err := e.try(ctx, one)
			return err
		})
		return nil, err
	}
	return s, nil
}

// ending is a session's end by its handle, over all its tries.
type ending struct {
	handle Handle
	why    Reason
	seen   *Session // what the session was before; nil: not known
}

// try deletes a session and revokes its refresh token. The answer to a deletion
// that was carried out can be lost, and with it the only copy of that token, for a
// second try finds nothing. So the session is looked at before: what the deletion
// answers is newer, what was seen is there in any case. Both together take no
// longer than a store may take for one.
//
// A refresh that is still running finds the record gone and revokes what it brings
// home.
func (e *endings) try(ctx context.Context, one *ending) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, StoreTimeout)
	defer cancel()
	if one.seen == nil {
		one.seen = e.cache.get(one.handle, time.Now())
	}
	if one.seen == nil {
		one.seen, _ = e.store.Load(ctx, one.handle) // without an answer the deletion has to do
	}
	s, err := e.delete(ctx, one.handle, one.why)
	if err != nil {
		return nil, err
	}
	if s == nil {
		s = one.seen
	}
	if s != nil {
		e.revoker.revoke(ctx, s.Tokens)
	}
	return s, nil
}

// delete ends the session of a handle in the store. The session leaves the cache
// before, whatever the store says, and after, since it may have been loaded between.
func (e *endings) delete(ctx context.Context, h Handle, why Reason) (*Session, error) {
	e.cache.dropHandle(h)
	defer e.cache.dropHandle(h)
	s, err := e.store.Delete(ctx, h, why)
	if errors.Is(err, ErrUnconfirmed) {
		id, _ := IDOf(h)
		e.confirm(ctx, id, why)
		return s, nil
	}
	return s, err
}

// deleteID is delete for a public id.
func (e *endings) deleteID(ctx context.Context, id string, why Reason) error {
	err := e.dropID(ctx, id, why)
	if errors.Is(err, ErrUnconfirmed) {
		e.confirm(ctx, id, why)
		return nil
	}
	return err
}

func (e *endings) dropID(ctx context.Context, id string, why Reason) error {
	e.cache.drop(id)
	defer e.cache.drop(id)
	return e.store.DeleteID(ctx, id, why)
}

// confirm ends a session again, behind, until enough replicas have its end. One
// that had not may have taken over meanwhile, and then this is what ends the session.
func (e *endings) confirm(ctx context.Context, id string, why Reason) {
	e.log.Warn("too few replicas have the end of a session: it is repeated until they have", "session", id)
	e.confirmations.add(ctx, id, func(ctx context.Context) error {
		select {
		case e.confirming <- struct{}{}:
			defer func() { <-e.confirming }()
		case <-ctx.Done():
			return ctx.Err()
		}
		return e.dropID(ctx, id, why)
	})
}
