package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"
)

const (
	// ways is how many counts lie in a set, and sets how many sets there are: room for
	// 32,768 counts in 640 KiB, whoever comes.
	ways = 8
	sets = 1 << 12
)

// Limiter counts in this process, for each key. Safe for concurrent use.
//
// Its memory is bounded like that of a processor's cache: a key may lie in one set of
// places only, by a hash that nobody can foresee. Where all are taken the count goes that
// would be forgotten first anyway. So a flood of keys pushes out the counts of those who
// have done least, which are worth least, and of nobody who is near the limit: for that
// it would need as many keys that are as near to it.
type Limiter struct {
	limit Limit
	seed  maphash.Seed
	began time.Time

	make sync.Once // most limiters never count anything
	sets []set
}

type set struct {
	mu     sync.Mutex
	counts [ways]count
}

// count is that of one key.
type count struct {
	key  uint64        // its hash
	over time.Duration // since the limiter began: when nothing of it is counted any more
}

// New returns a limiter.
func New(limit Limit) *Limiter {
	return &Limiter{limit: limit, seed: maphash.MakeSeed(), began: time.Now()}
}

// Take counts one more for key, or refuses it.
func (l *Limiter) Take(key string, now time.Time) Verdict {
	at := now.Sub(l.began)
	s, hash := l.find(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.count(hash)
	v, ahead := l.limit.judge(max(c.over-at, 0))
	c.over = at + ahead
	return v
}

// set makes what is counted for key what somebody else knows.
func (l *Limiter) set(key string, ahead time.Duration, now time.Time) {
	s, hash := l.find(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(hash).over = now.Sub(l.began) + ahead
}

func (l *Limiter) find(key string) (*set, uint64) {
	l.make.Do(func() { l.sets = make([]set, sets) })
	hash := maphash.String(l.seed, key)
	return &l.sets[hash%sets], hash
}

// count returns that of a key, or makes room for it. The caller holds the lock.
func (s *set) count(hash uint64) *count {
	least := &s.counts[0]
	for i := range s.counts {
		c := &s.counts[i]
		if c.key == hash {
			return c
		}
		if c.over < least.over {
			least = c
		}
	}
	*least = count{key: hash}
	return least
}
