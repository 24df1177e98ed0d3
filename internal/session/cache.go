package session

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxUnheard is how long after the store's last sign of life the cache is
	// still used. With the age that a sign of life may have (another [Heartbeat])
	// it is the bound on staleness: a session ended anywhere is served nowhere a
	// second later, even by an instance that was cut off.
	maxUnheard = 3 * Heartbeat

	// sweepEvery is how often the cache forgets what is too old.
	sweepEvery = time.Second

	cacheShards = 64
)

// cache holds sessions as the store returned them moments ago, by their whole
// handle, without which nobody finds one. It serves only while the changes of
// sessions are heard, and drops a session at any change of it.
//
// What a Load brings is kept only if no change at all was heard from before the
// load began: it may be older than the change.
//
// It is bounded in bytes. Past that a session takes the place of any other, by
// chance. Whoever drops the oldest, as FIFO, LRU, CLOCK and SIEVE do, has dropped
// each just before its turn comes again where a few more sessions take turns than
// there is room for; chance keeps nearly all that there is room for, is as good
// where users come in bursts, and takes no note at a hit
// (docs/decisions/0030-memory.md).
type cache struct {
	budget int           // bytes
	age    time.Duration // how long a session is served; 0: there is no cache
	beat   func(ctx context.Context, gap time.Duration)
	start  time.Time
	heard  atomic.Int64 // when changes were last known to arrive, since start; 0: they do not

	bypasses atomic.Uint64 // loads while the cache could not be used

	mu        sync.Mutex // for every write; after it the shard's
	up        bool
	sign      time.Time          // the last that changes arrive, whatever came after
	epoch     uint64             // counts changes
	ids       map[string]*cached // by session id
	bytes     int
	evictions uint64 // sessions that were dropped for others

	shards [cacheShards]shard
}

type shard struct {
	mu       sync.RWMutex
	sessions map[string]*cached // by handle
	hits     atomic.Uint64
	misses   atomic.Uint64
}

type cached struct {
	session *Session
	until   time.Duration // since the cache's start
	bytes   int           // as they are counted
}

// newCache returns an empty cache for sessions that may be that old; beat is told
// how far the signs of life are apart.
func newCache(budget int, age time.Duration, beat func(ctx context.Context, gap time.Duration)) *cache {
	if budget <= 0 {
		age = 0
	}
	c := &cache{budget: budget, age: age, beat: beat, start: time.Now(), ids: make(map[string]*cached)}
	for i := range c.shards {
		c.shards[i].sessions = make(map[string]*cached)
	}
	return c
}

// shard returns the place of a handle. Its bytes are random.
func (c *cache) shard(h Handle) *shard { return &c.shards[h.Reveal()[0]%cacheShards] }

// live reports whether the cache may be used at now.
func (c *cache) live(now time.Time) bool {
	heard := c.heard.Load()
	return heard != 0 && now.Sub(c.start)-time.Duration(heard) < maxUnheard
}

// get returns the session of a handle that is not empty, nil if it is not here.
func (c *cache) get(h Handle, now time.Time) *Session {
	if c.age <= 0 {
		return nil
	}
	if !c.live(now) {
		c.bypasses.Add(1)
		return nil
	}
	shard := c.shard(h)
	shard.mu.RLock()
	e := shard.sessions[h.Reveal()]
	if e == nil || now.Sub(c.start) >= e.until {
		shard.mu.RUnlock()
		shard.misses.Add(1)
		return nil
	}
	s := e.session
	shard.mu.RUnlock()
	shard.hits.Add(1)
	return s
}

// begin is called before a session is loaded, and its result given to put; 0
// where nothing is to be kept.
func (c *cache) begin(now time.Time) (epoch uint64) {
	if c.age <= 0 || !c.live(now) {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

// put keeps a session that was loaded since begin.
func (c *cache) put(s *Session, epoch uint64, now time.Time) {
	if epoch == 0 {
		return
	}
	e := &cached{session: s, until: now.Sub(c.start) + c.age}
	if s.identity != nil {
		s.identity.cache.Store(c)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.up || epoch != c.epoch {
		return
	}
	c.remove(c.ids[s.ID])
	c.ids[s.ID] = e
	shard := c.shard(s.Handle)
	shard.mu.Lock()
	shard.sessions[s.Handle.Reveal()] = e
	shard.mu.Unlock()
	c.count(e)
}

// count takes in what an entry weighs now. The caller holds mu.
func (c *cache) count(e *cached) {
	c.bytes -= e.bytes
	e.bytes = footprint(e.session)
	c.bytes += e.bytes
	c.trim()
}

// grown counts a session anew whose claims have been parsed, or used.
func (c *cache) grown(id string, of *identity) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.ids[id]; e != nil && e.session.identity == of {
		c.count(e)
	}
}

// trim keeps the bound. It drops sessions as the map's iteration gives them, which
// begins anywhere.
func (c *cache) trim() {
	for _, e := range c.ids {
		if c.bytes <= c.budget {
			return
		}
		c.remove(e)
		c.evictions++
	}
}

// remove takes an entry out; nil is none. The caller holds mu.
func (c *cache) remove(e *cached) {
	if e == nil {
		return
	}
	c.bytes -= e.bytes
	delete(c.ids, e.session.ID)
	shard := c.shard(e.session.Handle)
	shard.mu.Lock()
	delete(shard.sessions, e.session.Handle.Reveal())
	shard.mu.Unlock()
}

// swap puts next, a newer view of the same session, in the place of s, if s is
// what is kept.
func (c *cache) swap(s, next *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.ids[s.ID]
	if e == nil || e.session != s {
		return
	}
	shard := c.shard(s.Handle)
	shard.mu.Lock()
	e.session = next
	shard.mu.Unlock()
}

// drop forgets a session that has changed, also one that is being loaded now.
func (c *cache) drop(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.remove(c.ids[id])
}

// dropHandle is drop for one whose id is not known.
func (c *cache) dropHandle(h Handle) {
	shard := c.shard(h)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	shard.mu.RLock()
	e := shard.sessions[h.Reveal()]
	shard.mu.RUnlock()
	c.remove(e)
}

// listening says whether changes arrive at now. While they do not, nothing is
// kept, and what was kept is forgotten.
func (c *cache) listening(ctx context.Context, up bool, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if up && c.age > 0 {
		if c.beat != nil && !c.sign.IsZero() {
			c.beat(ctx, now.Sub(c.sign))
		}
		c.sign = now
	}
	if up != c.up {
		c.up = up
		c.epoch++
	}
	if up {
		c.heard.Store(max(1, int64(now.Sub(c.start))))
		return
	}
	c.heard.Store(0)
	for _, e := range c.ids {
		c.remove(e)
	}
}

// sweep forgets what is too old to be served, and with it the tokens: a shard at a
// time, so that no request waits for all of them.
func (c *cache) sweep(now time.Time) {
	for i := range c.shards {
		c.sweepShard(&c.shards[i], now.Sub(c.start))
	}
}

func (c *cache) sweepShard(shard *shard, now time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range shard.sessions { // mu keeps it as it is
		if now >= e.until {
			c.remove(e)
		}
	}
}

// footprint is about what a session takes in memory. The bearers hold the access
// and the ID token too. Claims count once somebody has asked for the identity.
func footprint(s *Session) int {
	const rest = 1100 // the struct, the entry, maps, and what blocks of memory are larger than asked for
	t := &s.Tokens
	return rest + len(s.Handle.Reveal()) + len(s.Subject) + len(s.Username) + len(s.UserAgent) + len(s.Address) +
		len(s.SignIn.LoginID) + len(s.SignIn.Flow) +
		len(s.Bearer.Reveal()) + len(s.IDBearer.Reveal()) + len(t.Refresh.Reveal()) +
		len(t.AccessClaims) + len(t.IDClaims) + s.identity.size()
}
