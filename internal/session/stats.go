package session

import "time"

// Stats are figures of a manager at one moment.
type Stats struct {
	// Listening: changes of sessions arrive, and the cache is used.
	Listening bool
	// CacheEntries and CacheBytes are what the cache holds, CacheBudget what it may
	// hold at most, in bytes; 0: there is none.
	CacheEntries, CacheBytes, CacheBudget int
	// CacheHits counts the loads that the cache served, CacheMisses those that it
	// could not, CacheBypasses those that did not ask it as changes were not heard.
	CacheHits, CacheMisses, CacheBypasses uint64
	// CacheEvictions counts the sessions that others took the place of.
	CacheEvictions uint64
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
	s.BreakerOpen = m.refresher.breaker.open(time.Now())
	s.BreakerRefusals = m.refresher.breaker.refusals.Load()
	s.Streams = m.listeners.streams()
	return s
}

func (c *cache) stats(now time.Time) Stats {
	var s Stats
	for i := range c.shards {
		s.CacheHits += c.shards[i].hits.Load()
		s.CacheMisses += c.shards[i].misses.Load()
	}
	s.CacheBypasses = c.bypasses.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Listening, s.CacheEntries, s.CacheBytes = c.live(now), len(c.ids), c.bytes
	s.CacheEvictions = c.evictions
	if c.age > 0 {
		s.CacheBudget = c.budget
	}
	if s.Listening && s.CacheEntries > 0 {
		s.CacheStaleness = now.Sub(c.sign)
	}
	return s
}
