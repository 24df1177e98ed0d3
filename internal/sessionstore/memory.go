package sessionstore

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// MemoryOptions of a [Memory] store.
type MemoryOptions struct {
	// IdleTimeout is the sessions' idle timeout. At zero every session is over.
	IdleTimeout time.Duration
}

// Memory keeps sessions in this process: they end with it, and no other
// instance knows them. Sessions lie here opened, as whoever can read this
// process's memory could read their keys as well. Safe for concurrent use.
type Memory struct {
	idleTimeout time.Duration

	local

	mu       sync.RWMutex
	sessions map[string]*session.Session   // by handle
	handles  map[string]string             // id → handle
	order    map[string][]session.Position // by subject, oldest first
	sweep    time.Time                     // when to look for expired ones next
}

// NewMemory returns an empty store.
func NewMemory(o MemoryOptions) *Memory {
	return &Memory{
		idleTimeout: o.IdleTimeout,
		sessions:    make(map[string]*session.Session),
		handles:     make(map[string]string),
		order:       make(map[string][]session.Position),
	}
}

// over reports whether a limit of s has passed.
func (m *Memory) over(s *session.Session, now time.Time) bool {
	return s.Over(now) || session.Idle(s.LastSeen, now, m.idleTimeout)
}

// Create implements [session.Store].
func (m *Memory) Create(_ context.Context, s *session.Session) (*session.Session, error) {
	now := time.Now()
	if m.over(s, now) {
		return nil, session.ErrNotFound
	}
	created := *s
	created.Handle = session.NewHandle()
	created.ID, _ = session.IDOf(created.Handle)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgetOver(now)
	m.sessions[created.Handle.Reveal()] = &created
	m.handles[created.ID] = created.Handle.Reveal()
	m.enter(&created)
	return &created, nil
}

// forgetOver looks through all sessions, but no more often than a tenth of
// the idle timeout: what is over takes room that much longer at most, as long as
// sessions are made.
func (m *Memory) forgetOver(now time.Time) {
	if now.Before(m.sweep) {
		return
	}
	m.sweep = now.Add(m.idleTimeout / 10)
	for _, s := range m.sessions {
		if m.over(s, now) {
			m.remove(s)
		}
	}
}

// end removes a session and says why. The caller holds mu.
func (m *Memory) end(s *session.Session, why session.Reason) {
	m.remove(s)
	m.publish(session.Change{ID: s.ID, Reason: why})
}

func (m *Memory) remove(s *session.Session) {
	delete(m.sessions, s.Handle.Reveal())
	delete(m.handles, s.ID)
	order := m.order[s.Subject]
	if i, found := search(order, s.Listing().Position()); found {
		order = slices.Delete(order, i, i+1)
	}
	if m.order[s.Subject] = order; len(order) == 0 {
		delete(m.order, s.Subject)
	}
}

// enter puts a new session in its place among those of its subject. The caller
// holds mu.
func (m *Memory) enter(s *session.Session) {
	order, p := m.order[s.Subject], s.Listing().Position()
	i, _ := search(order, p)
	m.order[s.Subject] = slices.Insert(order, i, p)
}

// search returns where p is, or would be.
func search(order []session.Position, p session.Position) (i int, found bool) {
	return slices.BinarySearchFunc(order, p, session.Position.Compare)
}

// Load implements [session.Store]. It copies nothing.
func (m *Memory) Load(_ context.Context, h session.Handle) (*session.Session, error) {
	m.mu.RLock()
	s := m.sessions[h.Reveal()]
	m.mu.RUnlock()
	if s == nil || m.over(s, time.Now()) {
		return nil, session.ErrNotFound
	}
	return s, nil
}

// living returns the session of a handle for a change. The caller holds mu.
func (m *Memory) living(h session.Handle) *session.Session {
	s := m.sessions[h.Reveal()]
	if s == nil || m.over(s, time.Now()) {
		return nil
	}
	return s
}

// Replace implements [session.Store].
func (m *Memory) Replace(_ context.Context, s *session.Session) (*session.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.living(s.Handle)
	if old == nil {
		return nil, session.ErrNotFound
	}
	if old.Generation != s.Generation-1 {
		return nil, session.ErrConflict
	}
	next := *s
	next.LastSeen = old.LastSeen
	m.sessions[next.Handle.Reveal()] = &next
	m.publish(session.Change{ID: next.ID, Generation: next.Generation})
	return &next, nil
}

// Touch implements [session.Store].
func (m *Memory) Touch(_ context.Context, h session.Handle, seen time.Time) (session.Handle, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.living(h)
	if old == nil || seen.Sub(old.LastSeen) < m.idleTimeout/10 {
		return h, nil
	}
	next := *old
	next.LastSeen = seen
	m.sessions[h.Reveal()] = &next
	return h, nil
}

// Delete implements [session.Store].
func (m *Memory) Delete(_ context.Context, h session.Handle, why session.Reason) (*session.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sessions[h.Reveal()]
	if s == nil {
		return nil, nil
	}
	m.end(s, why)
	return s, nil
}

// List implements [session.Store].
func (m *Memory) List(_ context.Context, subject string, after session.Position, limit int) (session.Page, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	now := time.Now()
	page := session.Page{Sessions: []session.Listing{}}
	order := m.order[subject]
	if !after.IsZero() {
		i, _ := search(order, after)
		order = order[:i]
	}
	for _, p := range slices.Backward(order) {
		s := m.sessions[m.handles[p.ID]]
		if m.over(s, now) {
			continue
		}
		if len(page.Sessions) == limit {
			page.Next = page.Sessions[limit-1].Position()
			break
		}
		page.Sessions = append(page.Sessions, s.Listing())
	}
	return page, nil
}

// Find implements [session.Store].
func (m *Memory) Find(_ context.Context, id string) (session.Listing, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s := m.sessions[m.handles[id]]
	if s == nil || m.over(s, time.Now()) {
		return session.Listing{}, session.ErrNotFound
	}
	return s.Listing(), nil
}

// DeleteID implements [session.Store].
func (m *Memory) DeleteID(_ context.Context, id string, why session.Reason) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.sessions[m.handles[id]]; s != nil {
		m.end(s, why)
	}
	return nil
}

// Count implements [session.Store]. It is exact.
func (m *Memory) Count(context.Context) (session.Count, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	c := session.Count{At: time.Now()}
	for _, s := range m.sessions {
		if !m.over(s, c.At) {
			c.Sessions++
		}
	}
	return c, nil
}

// Traits implements [session.Store].
func (m *Memory) Traits() session.Traits { return session.Traits{} }

// Ping implements [session.Store].
func (m *Memory) Ping(context.Context) error { return nil }

// Close implements [session.Store]. Every session ends.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.sessions)
	clear(m.handles)
	clear(m.order)
	return nil
}
