package session

import (
	"context"
	"errors"
	"fmt"
)

// The registry lets users and administrators list and end sessions by public id,
// without their handles. Ending one that way deletes the record and with it the only
// copy of its refresh token, which nobody can use after that. It cannot be revoked,
// as it lay sealed under a key that only that browser has.

// maxList is how many sessions a list shows at most.
const maxList = 100

// listRounds is how many pages of a store are asked for one page of a list:
// sessions that have ended by themselves can leave a store's pages empty.
const listRounds = 10

// List returns sessions of a subject that are older than after, newest first,
// 100 at most. A position that has an id only is looked up.
//
// Errors: [ErrNotFound] where the subject has no session of that id, so that its
// place is not known; [ErrNoRegistry], [ErrUnavailable], the context's.
func (m *Manager) List(ctx context.Context, subject string, after Position) (Page, error) {
	list, err := m.list(ctx, subject, after)
	if err != nil {
		return Page{}, fmt.Errorf("list sessions: %w", err)
	}
	return list, nil
}

func (m *Manager) list(ctx context.Context, subject string, after Position) (Page, error) {
	if !after.IsZero() && after.CreatedAt.IsZero() {
		l, err := m.find(ctx, subject, after.ID)
		if err != nil {
			return Page{}, err
		}
		after = l.Position()
	}
	list := Page{Sessions: []Listing{}, Next: after}
	for range listRounds {
		page, err := m.store.List(ctx, subject, list.Next, maxList-len(list.Sessions))
		if err != nil {
			return Page{}, err
		}
		list.Sessions, list.Next = append(list.Sessions, page.Sessions...), page.Next
		if page.Next.IsZero() || len(list.Sessions) == maxList {
			break
		}
	}
	return list, nil
}

// find returns the session of subject that has the public id. An id that is
// unknown and one that is someone else's are both [ErrNotFound], found out by the
// same question to the store: the caller cannot tell them apart.
func (m *Manager) find(ctx context.Context, subject, id string) (Listing, error) {
	l, err := m.store.Find(ctx, id)
	if err == nil && l.Subject != subject {
		err = ErrNotFound
	}
	return l, err
}

// ListOwn is [Manager.List] for the user of s. Where the store keeps no registry,
// s is all that is known.
func (m *Manager) ListOwn(ctx context.Context, s *Session, after Position) (Page, error) {
	switch {
	case !m.traits.NoRegistry:
		return m.List(ctx, s.Subject, after)
	case after.IsZero():
		return Page{Sessions: []Listing{s.Listing()}}, nil
	}
	return Page{}, nil
}

// EndID ends the session of subject that has the public id; one of somebody else
// is as unknown as one that never was. Where the store keeps no registry every id
// is unknown.
//
// Errors: [ErrNotFound], [ErrUnavailable], the context's.
func (m *Manager) EndID(ctx context.Context, subject, id string) error {
	_, err := m.find(ctx, subject, id)
	if errors.Is(err, ErrNoRegistry) {
		err = fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if err == nil {
		err = m.endings.deleteID(ctx, id, ReasonRevoked)
	}
	if err != nil {
		return fmt.Errorf("end session by id: %w", err)
	}
	return nil
}

// EndAnyID ends the session that has the public id, whoever's it is. That there
// is none is not an error. It is for administrators.
//
// Errors: [ErrNoRegistry], [ErrUnavailable], the context's.
func (m *Manager) EndAnyID(ctx context.Context, id string) error {
	if err := m.endings.deleteID(ctx, id, ReasonAdmin); err != nil {
		return fmt.Errorf("end session by id: %w", err)
	}
	return nil
}

// EndAll ends every session of a subject and returns how many. Their refresh
// tokens are not revoked: they lie under keys that only the browsers have.
//
// Errors: the first that kept a session alive: [ErrNoRegistry], [ErrUnavailable],
// the context's.
func (m *Manager) EndAll(ctx context.Context, subject string, why Reason) (int, error) {
	n, err := m.endings.endMany(ctx, subject, why, func(Listing) bool { return true })
	if err != nil {
		return n, fmt.Errorf("end sessions: %w", err)
	}
	return n, nil
}

// EndOthers ends every session of the subject of s but s itself, and returns how
// many: none where the store keeps no registry.
//
// Errors: the first that kept a session alive: [ErrUnavailable], the context's.
func (m *Manager) EndOthers(ctx context.Context, s *Session) (int, error) {
	if m.traits.NoRegistry {
		return 0, nil
	}
	n, err := m.endings.endMany(ctx, s.Subject, ReasonRevoked, func(l Listing) bool { return l.ID != s.ID })
	if err != nil {
		return n, fmt.Errorf("end other sessions: %w", err)
	}
	return n, nil
}

// makeRoom ends the oldest sessions of the subject of s above
// [Options.MaxPerUser]. Nothing of it is a reason to refuse the login that just
// succeeded: what fails is left to the next one.
//
// Two logins at once may leave a session too many, never one too few: only what
// is older than s goes, so that two of them cannot end each other.
func (m *Manager) makeRoom(ctx context.Context, s *Session) {
	if m.maxPerUser <= 0 {
		return
	}
	// A browser that leaves has logged in all the same; what takes longer than the
	// store may take is left to the next login.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), StoreTimeout)
	defer cancel()
	own, seen := s.Listing().Position(), 0
	_, err := m.endings.endMany(ctx, s.Subject, ReasonReplaced, func(l Listing) bool {
		seen++
		return seen > m.maxPerUser && l.Position().Compare(own) < 0
	})
	if err != nil {
		m.log.Warn("session.max_per_user not kept at this login", "session", s.ID, "error", err)
	}
}
