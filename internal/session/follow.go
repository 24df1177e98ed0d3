package session

import "time"

// Follow has told called with every change of a session that is heard, from here and
// elsewhere. It must not block. Call it before [Manager.Run].
func (m *Manager) Follow(told func(Change)) { m.followers = append(m.followers, told) }

// Heard counts the changes that were heard, and the gaps in between. Who reads it, then
// loads a session, then begins to follow that, and reads the same count, has missed
// nothing in between.
func (m *Manager) Heard() uint64 { return m.changes.Load() }

// HearsSince is since when changes have arrived without a gap; ok is false where they
// are not known to arrive.
func (m *Manager) HearsSince() (since time.Time, ok bool) {
	return m.cache.start.Add(time.Duration(m.hearsSince.Load())), m.cache.live(time.Now())
}

// LookAgain is after how long a session is to be looked at again, as a change may get lost
// though others arrive: where the store says so ([Traits.CacheAge]), and where its user may
// be out by then. 0: only once it is over by its limits.
func (m *Manager) LookAgain() time.Duration {
	every := m.traits.CacheAge / 2 // what a look finds may be as old as that, too
	if m.users.Every > 0 && (every == 0 || every > checkLook) {
		every = checkLook
	}
	return every
}

// checkLook is how late the question about a session's user may come where no request
// brings it.
const checkLook = time.Second

// CheckDue reports whether [Manager.CheckUser] would ask.
func (m *Manager) CheckDue(s *Session) bool { return m.users.due(s) }

// EndsAt is when a session ends that is not used again after its last use on record.
func (m *Manager) EndsAt(s *Session) time.Time {
	idle := s.LastSeen.Add(IdleLimit(m.idleTimeout))
	if s.ExpiresAt.Before(idle) {
		return s.ExpiresAt
	}
	return idle
}
