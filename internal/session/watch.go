package session

import (
	"context"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/backoff"
)

// Run listens to what happens to sessions on all instances, until ctx ends, and
// returns its error. A manager that does not run gives the same answers, more
// slowly: it caches nothing, and finds another instance's refresh by asking.
func (m *Manager) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var sweeping sync.WaitGroup
	defer sweeping.Wait()
	defer cancel()
	if m.cache.age > 0 {
		sweeping.Go(func() {
			for backoff.Pause(ctx, sweepEvery) {
				m.cache.sweep(time.Now())
			}
		})
	}
	known, heard := false, false
	return m.store.Watch(ctx, m.changed, func(up bool) {
		m.cache.listening(ctx, up, time.Now())
		if ctx.Err() == nil && (!known || up != heard) {
			known, heard = true, up
			m.heard(up)
		}
	})
}

// heard takes in that changes are heard from now on, or no longer.
func (m *Manager) heard(up bool) {
	m.changes.Add(1) // whatever may have been missed
	if up {
		m.hearsSince.Store(int64(time.Since(m.cache.start)))
		m.log.Info("changes of sessions are heard")
		m.listeners.miss() // what happened before was told to nobody
		return
	}
	m.log.Warn("changes of sessions are not heard: every request asks the store")
}

// changed takes in what happened to a session, here or elsewhere.
func (m *Manager) changed(c Change) {
	m.cache.drop(c.ID)
	m.changes.Add(1)
	m.refresher.wake(c.ID)
	m.listeners.tell(c)
	for _, told := range m.followers {
		told(c)
	}
}
