package session

import "sync"

// slots bounds how much of one kind of work waits, and keeps the same work from
// waiting twice.
type slots struct {
	max int

	mu   sync.Mutex
	held map[string]struct{}
}

func newSlots(n int) *slots {
	return &slots{max: n, held: make(map[string]struct{})}
}

// take reports whether key got a slot: not if it has one already, nor if none is
// left, which full tells apart.
func (s *slots) take(key string) (got, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, twice := s.held[key]; twice {
		return false, false
	}
	if len(s.held) >= s.max {
		return false, true
	}
	s.held[key] = struct{}{}
	return true, false
}

func (s *slots) free(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, key)
}
