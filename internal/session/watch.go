package session

import (
	"context"
	"sync"
	"time"
)

// Run listens to what happens to sessions on all instances, until ctx ends, and
// returns its error. Without it the manager is as right and slower: nothing is
// cached, and a refresh on another instance is found by asking.
func (m *Manager) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var sweeping sync.WaitGroup
	defer sweeping.Wait()
	defer cancel()
	if m.cache.age > 0 {
		sweeping.Go(func() {
			for pause(ctx, m.cache.age) {
				m.cache.sweep(time.Now())
			}
		})
	}
	told, last := false, false
	return m.store.Watch(ctx, m.changed, func(up bool) {
		m.cache.listening(up, time.Now())
		if ctx.Err() == nil && (!told || up != last) {
			told, last = true, up
			m.tellListening(up)
		}
	})
}

func (m *Manager) tellListening(up bool) {
	if up {
		m.log.Info("changes of sessions are heard")
		m.listeners.miss() // what happened before was told to nobody
		return
	}
	m.log.Warn("changes of sessions are not heard: every request asks the store")
}

// changed takes in what happened to a session, here or elsewhere.
func (m *Manager) changed(c Change) {
	m.cache.drop(c.ID)
	m.wake(c.ID)
	m.listeners.tell(c)
}

// Stats are figures of a manager at one moment.
type Stats struct {
	// Listening: changes of sessions arrive, and the cache is used.
	Listening bool
	// CacheEntries and CacheBytes are what the cache holds.
	CacheEntries, CacheBytes int
	// CacheHits counts the loads that the cache served, CacheMisses those that it
	// could not, CacheBypasses those that did not ask it as changes were not heard.
	CacheHits, CacheMisses, CacheBypasses uint64
	// CacheStaleness is how long ago it was known that changes arrive: what the
	// cache serves is behind the store by no more than that and one [Heartbeat].
	// 0 where it holds nothing or is not asked.
	CacheStaleness time.Duration
	// BreakerOpen: the token endpoint is not asked, as it did not answer lately.
	// BreakerRefusals counts the calls that were not made for that.
	BreakerOpen     bool
	BreakerRefusals uint64
	// Streams is how many listen to a session, by [StreamKind.Name].
	Streams map[string]int
}

// Stats returns the figures of now.
func (m *Manager) Stats() Stats {
	s := m.cache.stats(time.Now())
	s.BreakerOpen, s.BreakerRefusals = m.breaker.open(time.Now()), m.breaker.refusals.Load()
	s.Streams = m.listeners.streams()
	return s
}
