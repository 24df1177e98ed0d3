package session

import "time"

// Follow has told called with every change of a session that is heard, from here and
// elsewhere. It must not block. Call it before [Manager.Run].
func (m *Manager) Follow(told func(Change)) { m.followers = append(m.followers, told) }

// Heard counts the changes that were heard. Who reads it, then loads a session, then
// begins to follow that, and reads the same count, has missed nothing in between.
func (m *Manager) Heard() uint64 { return m.changes.Load() }

// Hears reports whether changes are known to arrive.
func (m *Manager) Hears() bool { return m.cache.live(time.Now()) }

// EndsAt is when a session ends that is not used again after its last use on record.
func (m *Manager) EndsAt(s *Session) time.Time {
	idle := s.LastSeen.Add(IdleLimit(m.idleTimeout))
	if s.ExpiresAt.Before(idle) {
		return s.ExpiresAt
	}
	return idle
}
