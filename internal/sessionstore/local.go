package sessionstore

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// local is the changes and leases of a store that no other process knows of. The
// zero value is ready.
type local struct {
	hub
	localLeases
}

// hub tells the changes that this process makes to all who watch in it. The zero
// value is ready.
type hub struct {
	telling  sync.Mutex
	watchers map[*watcher]struct{}
}

// watcher is one Watch: what it is still to be told.
type watcher struct {
	pending []session.Change
	signal  chan struct{} // holds one: there is something pending
}

// publish queues a change for all who watch. The caller holds the lock under
// which it made the change, so that everyone is told in the order in which
// things happened.
func (h *hub) publish(c session.Change) {
	h.telling.Lock()
	defer h.telling.Unlock()
	for w := range h.watchers {
		w.pending = append(w.pending, c)
		select {
		case w.signal <- struct{}{}:
		default:
		}
	}
}

// Watch implements [session.Changes].
func (h *hub) Watch(ctx context.Context, receive func(session.Change), up func(bool)) error {
	w := h.join()
	defer func() {
		h.leave(w)
		up(false)
	}()
	beat := time.NewTicker(session.Heartbeat)
	defer beat.Stop()
	for {
		for _, c := range h.pending(w) {
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

func (h *hub) join() *watcher {
	w := &watcher{signal: make(chan struct{}, 1)}
	h.telling.Lock()
	defer h.telling.Unlock()
	if h.watchers == nil {
		h.watchers = make(map[*watcher]struct{})
	}
	h.watchers[w] = struct{}{}
	return w
}

func (h *hub) leave(w *watcher) {
	h.telling.Lock()
	defer h.telling.Unlock()
	delete(h.watchers, w)
}

// pending returns what w is to be told, and forgets it.
func (h *hub) pending(w *watcher) []session.Change {
	h.telling.Lock()
	defer h.telling.Unlock()
	changes := w.pending
	w.pending = nil
	return changes
}

// localLeases are leases among the callers of one process. The zero value is ready.
type localLeases struct {
	leasing sync.Mutex
	leases  map[string]held // by session id
	sweep   time.Time       // when to look for expired leases next
}

// held is a lease: whose it is, and how long.
type held struct {
	owner string
	until time.Time
}

// Acquire implements [session.Leases].
func (l *localLeases) Acquire(_ context.Context, id, owner string, term time.Duration) (bool, error) {
	l.leasing.Lock()
	defer l.leasing.Unlock()
	now := time.Now()
	if h, ok := l.leases[id]; ok && h.owner != owner && now.Before(h.until) {
		return false, nil
	}
	l.forgetExpired(now)
	l.leases[id] = held{owner, now.Add(term)}
	return true, nil
}

// forgetExpired drops the leases of owners that never gave them back, once a
// minute at most. The caller holds the lock.
func (l *localLeases) forgetExpired(now time.Time) {
	if l.leases == nil {
		l.leases = make(map[string]held)
	}
	if now.Before(l.sweep) {
		return
	}
	l.sweep = now.Add(time.Minute)
	maps.DeleteFunc(l.leases, func(_ string, h held) bool { return !now.Before(h.until) })
}

// Renew implements [session.Leases].
func (l *localLeases) Renew(_ context.Context, id, owner string, term time.Duration) (bool, error) {
	l.leasing.Lock()
	defer l.leasing.Unlock()
	now := time.Now()
	if h, ok := l.leases[id]; !ok || h.owner != owner || !now.Before(h.until) {
		return false, nil
	}
	l.leases[id] = held{owner, now.Add(term)}
	return true, nil
}

// Release implements [session.Leases].
func (l *localLeases) Release(_ context.Context, id, owner string) error {
	l.leasing.Lock()
	defer l.leasing.Unlock()
	if l.leases[id].owner == owner {
		delete(l.leases, id)
	}
	return nil
}
