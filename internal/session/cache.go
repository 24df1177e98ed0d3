package session

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// CacheOptions bound a manager's cache of opened sessions. The zero value is no
// cache, and there is none for a store that needs none ([Traits.CacheAge]).
type CacheOptions struct {
	// Entries and Bytes are how much it holds at most; both are required. A
	// session with Cognito's tokens takes some 10 kB.
	Entries int
	Bytes   int
}

const (
	// maxUnheard is how long after the store's last sign of life the cache is
	// still used. With the age that a sign of life may have (another [Heartbeat])
	// it is the bound on staleness: a session ended anywhere is served nowhere a
	// second later, even by an instance that was cut off.
	maxUnheard = 3 * Heartbeat

	cacheShards = 64
)

// cache holds sessions as the store returned them moments ago, by their whole
// handle, without which nobody finds one. It serves only while the changes of
// sessions are heard, and drops a session at any change of it.
//
// What a Load brings is kept only if no change at all was heard from before the
// load began: it may be older than the change.
type cache struct {
	o     CacheOptions
	age   time.Duration // how long a session is served; 0: there is no cache
	beat  func(ctx context.Context, gap time.Duration)
	start time.Time
	heard atomic.Int64 // when changes were last known to arrive, since start; 0: they do not

	bypasses atomic.Uint64 // loads while the cache could not be used

	mu    sync.Mutex // for every write; after it the shard's
	up    bool
	sign  time.Time                // the last that changes arrive, whatever came after
	epoch uint64                   // counts changes
	ids   map[string]*list.Element // by session id
	order *list.List               // of *cached, oldest first
	bytes int

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
	until   time.Time
	bytes   int
}

// newCache returns an empty cache for sessions that may be that old; beat is told
// how far the signs of life are apart.
func newCache(o CacheOptions, age time.Duration, beat func(ctx context.Context, gap time.Duration)) *cache {
	if o.Entries <= 0 {
		age = 0
	}
	c := &cache{o: o, age: age, beat: beat, start: time.Now(), ids: make(map[string]*list.Element), order: list.New()}
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
	if e == nil || !now.Before(e.until) {
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
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.up || epoch != c.epoch {
		return
	}
	c.remove(c.ids[s.ID])
	e := &cached{session: s, until: now.Add(c.age), bytes: footprint(s)}
	c.bytes += e.bytes
	c.ids[s.ID] = c.order.PushBack(e)
	shard := c.shard(s.Handle)
	shard.mu.Lock()
	shard.sessions[s.Handle.Reveal()] = e
	shard.mu.Unlock()
	c.trim(now)
}

// trim keeps the bounds. All entries live equally long, so the oldest is the
// first to go.
func (c *cache) trim(now time.Time) {
	for e := c.order.Front(); e != nil; e = c.order.Front() {
		over := c.order.Len() > c.o.Entries || c.bytes > c.o.Bytes
		if !over && now.Before(e.Value.(*cached).until) {
			return
		}
		c.remove(e)
	}
}

// remove takes an element out; nil is none. The caller holds mu.
func (c *cache) remove(at *list.Element) {
	if at == nil {
		return
	}
	e := c.order.Remove(at).(*cached)
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
	at := c.ids[s.ID]
	if at == nil || at.Value.(*cached).session != s {
		return
	}
	shard := c.shard(s.Handle)
	shard.mu.Lock()
	at.Value.(*cached).session = next
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
	if e != nil {
		c.remove(c.ids[e.session.ID])
	}
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
	for c.order.Len() > 0 {
		c.remove(c.order.Front())
	}
}

// sweep forgets what is too old to be served, and with it the tokens.
func (c *cache) sweep(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trim(now)
}

// footprint is about what a session takes in memory. The bearers hold the access
// and the ID token too. The claims count as they will be when somebody has asked for
// the identity: their texts, and what they are parsed into.
func footprint(s *Session) int {
	const (
		rest   = 1024 // the struct, the entry, map and list
		parsed = 5    // times its text is what a payload takes, most of it in its lists
	)
	t := &s.Tokens
	return rest + 2*len(s.Handle.Reveal()) + len(s.Subject) + len(s.Username) + len(s.UserAgent) + len(s.Address) +
		len(s.SignIn.LoginID) + len(s.SignIn.Flow) +
		len(s.Bearer.Reveal()) + len(s.IDBearer.Reveal()) + len(t.Refresh.Reveal()) +
		(1+parsed)*(len(t.AccessClaims)+len(t.IDClaims))
}
