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
	hub      sync.Mutex
	watchers map[*watcher]struct{}
	leases   map[string]held // by session id
	sweep    time.Time       // when to look for expired leases next
}

// watcher is one Watch: what it is still to be told.
type watcher struct {
	pending []session.Change
	signal  chan struct{} // holds one: there is something pending
}

// publish queues a change for all who watch. The caller holds the lock under
// which it made the change, so that everyone is told in the order in which
// things happened.
func (l *local) publish(c session.Change) {
	l.hub.Lock()
	defer l.hub.Unlock()
	for w := range l.watchers {
		w.pending = append(w.pending, c)
		select {
		case w.signal <- struct{}{}:
		default:
		}
	}
}

// Watch implements [session.Changes].
func (l *local) Watch(ctx context.Context, receive func(session.Change), up func(bool)) error {
	w := &watcher{signal: make(chan struct{}, 1)}
	l.join(w)
	defer func() {
		l.leave(w)
		up(false)
	}()
	beat := time.NewTicker(session.Heartbeat)
	defer beat.Stop()
	for {
		for _, c := range l.pending(w) {
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

func (l *local) join(w *watcher) {
	l.hub.Lock()
	defer l.hub.Unlock()
	if l.watchers == nil {
		l.watchers = make(map[*watcher]struct{})
	}
	l.watchers[w] = struct{}{}
}

func (l *local) leave(w *watcher) {
	l.hub.Lock()
	defer l.hub.Unlock()
	delete(l.watchers, w)
}

// pending returns what w is to be told, and forgets it.
func (l *local) pending(w *watcher) []session.Change {
	l.hub.Lock()
	defer l.hub.Unlock()
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
func (l *local) Acquire(_ context.Context, id, owner string, term time.Duration) (bool, error) {
	l.hub.Lock()
	defer l.hub.Unlock()
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
func (l *local) forgetExpired(now time.Time) {
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
func (l *local) Renew(_ context.Context, id, owner string, term time.Duration) (bool, error) {
	l.hub.Lock()
	defer l.hub.Unlock()
	now := time.Now()
	if h, ok := l.leases[id]; !ok || h.owner != owner || !now.Before(h.until) {
		return false, nil
	}
	l.leases[id] = held{owner, now.Add(term)}
	return true, nil
}

// Release implements [session.Leases].
func (l *local) Release(_ context.Context, id, owner string) error {
	l.hub.Lock()
	defer l.hub.Unlock()
	if l.leases[id].owner == owner {
		delete(l.leases, id)
	}
	return nil
}
