package sessionstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// watcher is one Watch of a [Memory] store: what it is still to be told.
type watcher struct {
	pending []session.Change
	signal  chan struct{} // holds one: there is something pending
}

// publish queues a change for all who watch. The caller holds mu, so that
// everyone is told in the order in which things happened.
func (m *Memory) publish(c session.Change) {
	for w := range m.watchers {
		w.pending = append(w.pending, c)
		select {
		case w.signal <- struct{}{}:
		default:
		}
	}
}

// Watch implements [session.Changes].
func (m *Memory) Watch(ctx context.Context, receive func(session.Change), up func(bool)) error {
	w := &watcher{signal: make(chan struct{}, 1)}
	m.mu.Lock()
	m.watchers[w] = struct{}{}
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.watchers, w)
		m.mu.Unlock()
		up(false)
	}()
	beat := time.NewTicker(session.Heartbeat)
	defer beat.Stop()
	for {
		for _, c := range m.pending(w) {
			receive(c)
		}
		up(true)
		select {
		case <-w.signal:
		case <-beat.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pending returns what w is to be told, and forgets it.
func (m *Memory) pending(w *watcher) []session.Change {
	m.mu.Lock()
	defer m.mu.Unlock()
	changes := w.pending
	w.pending = nil
	return changes
}

// held is a lease: whose it is, and how long.
type held struct {
	owner string
	until time.Time
}

// Acquire implements [session.Leases].
func (m *Memory) Acquire(_ context.Context, id, owner string, term time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if l, ok := m.leases[id]; ok && l.owner != owner && now.Before(l.until) {
		return false, nil
	}
	m.leases[id] = held{owner, now.Add(term)}
	return true, nil
}

// Renew implements [session.Leases].
func (m *Memory) Renew(_ context.Context, id, owner string, term time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if l, ok := m.leases[id]; !ok || l.owner != owner || !now.Before(l.until) {
		return false, nil
	}
	m.leases[id] = held{owner, now.Add(term)}
	return true, nil
}

// Release implements [session.Leases].
func (m *Memory) Release(_ context.Context, id, owner string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leases[id].owner == owner {
		delete(m.leases, id)
	}
	return nil
}
