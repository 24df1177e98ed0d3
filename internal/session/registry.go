package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// The registry is what a user, or an administrator, can say about sessions they
// hold no handle of: by public id. Ending one that way deletes the record and
// with it the only copy of its refresh token, which nobody can then use; nor can
// it be revoked, for it lay under a key that only that browser has.

// ListOwn returns the sessions of the user of s, newest first. Where the store
// keeps no registry, s is all that is known.
//
// Errors: [ErrUnavailable], the context's.
func (m *Manager) ListOwn(ctx context.Context, s *Session) ([]Listing, error) {
	if m.traits.NoRegistry {
		return []Listing{s.Listing()}, nil
	}
	return m.List(ctx, s.Subject)
}

// EndID ends the session of subject that has the public id. An id that is
// unknown and one that is someone else's are both [ErrNotFound], found out by
// the same question to the store: the caller cannot tell them apart, not even
// by time. Where the store keeps no registry every id is unknown.
//
// Errors: [ErrNotFound], [ErrUnavailable], the context's.
func (m *Manager) EndID(ctx context.Context, subject, id string) error {
	list, err := m.store.List(ctx, subject)
	if errors.Is(err, ErrNoRegistry) {
		return fmt.Errorf("end session by id: %w: %w", ErrNotFound, err)
	}
	if err != nil {
		return fmt.Errorf("end session by id: %w", err)
	}
	if !slices.ContainsFunc(list, func(l Listing) bool { return l.ID == id }) {
		return fmt.Errorf("end session by id: %w", ErrNotFound)
	}
	if err := m.deleteID(ctx, id, ReasonRevoked); err != nil {
		return fmt.Errorf("end session by id: %w", err)
	}
	return nil
}

// EndAnyID ends the session that has the public id, whoever's it is. That there
// is none is not an error. It is for administrators.
//
// Errors: [ErrNoRegistry], [ErrUnavailable], the context's.
func (m *Manager) EndAnyID(ctx context.Context, id string) error {
	if err := m.deleteID(ctx, id, ReasonAdmin); err != nil {
		return fmt.Errorf("end session by id: %w", err)
	}
	return nil
}

// EndOthers ends every session of the subject of s but s itself, and returns how
// many: none where the store keeps no registry. It ends with ctx, so a caller
// who must not leave it half done detaches that.
//
// Errors: [ErrUnavailable], after having tried each; the context's.
func (m *Manager) EndOthers(ctx context.Context, s *Session) (int, error) {
	if m.traits.NoRegistry {
		return 0, nil
	}
	list, err := m.store.List(ctx, s.Subject)
	if err != nil {
		return 0, fmt.Errorf("end other sessions: %w", err)
	}
	others := slices.DeleteFunc(list, func(l Listing) bool { return l.ID == s.ID })
	n, err := m.endListed(ctx, others, ReasonRevoked)
	if err != nil {
		return n, fmt.Errorf("end other sessions: %w", err)
	}
	return n, nil
}

// endAtOnce is how many sessions of a list are ended at a time. A store that waits
// for its replicas, with one that lags, takes half a second for each.
const endAtOnce = 8

// endListed ends the sessions of a list and returns how many. One that cannot be
// ended does not save the others. With ctx it begins no more of them; one under way
// takes the store's own time, for its answer is what is reported.
func (m *Manager) endListed(ctx context.Context, list []Listing, why Reason) (int, error) {
	var (
		ending sync.WaitGroup
		places = make(chan struct{}, endAtOnce)
		mu     sync.Mutex // of what follows
		n      int
		errs   []error
	)
	for _, l := range list {
		if ctx.Err() != nil {
			break
		}
		places <- struct{}{}
		ending.Go(func() {
			defer func() { <-places }()
			err := m.deleteID(context.WithoutCancel(ctx), l.ID, why)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			n++
		})
	}
	ending.Wait()
	if n+len(errs) < len(list) {
		errs = append(errs, ctx.Err())
	}
	return n, errors.Join(errs...)
}

// makeRoom ends the oldest sessions of the subject of s above
// [Options.MaxPerUser]. Nothing of it is a reason to refuse the login that just
// succeeded: what fails is left to the next one.
//
// Two logins at once may leave a session too many, never one too few: only what
// is older than s goes, so that two of them cannot end each other.
func (m *Manager) makeRoom(ctx context.Context, s *Session) {
	if m.o.MaxPerUser <= 0 {
		return
	}
	// A browser that leaves has logged in all the same; what takes longer than the
	// store may take is left to the next login.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), StoreTimeout)
	defer cancel()
	list, err := m.store.List(ctx, s.Subject)
	if err == nil {
		_, err = m.endListed(ctx, surplus(list, s, m.o.MaxPerUser), ReasonReplaced)
	}
	if err != nil {
		m.log.Warn("session.max_per_user not kept at this login", "session", s.ID, "error", err)
	}
}

// surplus returns what of list is beyond the newest limit sessions and older
// than s. Ids decide between equal times, so that every instance sees one order.
func surplus(list []Listing, s *Session, limit int) []Listing {
	newestFirst := func(a, b Listing) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	}
	list = slices.SortedFunc(slices.Values(list), newestFirst)
	list = list[min(limit, len(list)):]
	own := s.Listing()
	return slices.DeleteFunc(list, func(l Listing) bool { return newestFirst(l, own) <= 0 })
}
