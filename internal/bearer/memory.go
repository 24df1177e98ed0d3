package bearer

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// name is what a token is remembered by: its digest, so that a dump of the memory is no
// list of tokens. Nobody finds an entry without the whole token.
type name = [sha256.Size]byte

// copies are where texts are hashed: a conversion would allocate, as it leaves the stack.
var copies = sync.Pool{New: func() any { return new([]byte) }}

func nameOf(token string) name {
	b := copies.Get().(*[]byte)
	*b = append((*b)[:0], token...)
	n := sha256.Sum256(*b)
	clear(*b)
	copies.Put(b)
	return n
}

const shards = 64

// memory holds tokens that were verified, by name. It is bounded in bytes. Past that a
// token takes the place of one that is over, or of any other, by chance, for the reasons
// that the cache of sessions has (docs/decisions/0030-memory.md).
type memory struct {
	budget int // bytes of a shard
	shards [shards]shard
}

type shard struct {
	mu     sync.RWMutex
	tokens map[name]entry
	bytes  int
}

type entry struct {
	token *oauth.AccessToken
	bytes int
}

func newMemory(bytes int) *memory {
	m := &memory{budget: bytes / shards}
	for i := range m.shards {
		m.shards[i].tokens = make(map[name]entry)
	}
	return m
}

func (m *memory) shard(n name) *shard { return &m.shards[n[0]%shards] }

// get returns the token of that name if it is good at now.
func (m *memory) get(n name, now time.Time) *oauth.AccessToken {
	s := m.shard(n)
	s.mu.RLock()
	t := s.tokens[n].token
	s.mu.RUnlock()
	if t == nil || !now.Before(t.ExpiresAt) {
		return nil
	}
	return t
}

// put remembers a token whose text has that length.
func (m *memory) put(n name, t *oauth.AccessToken, length int) {
	e := entry{t, footprint(length)}
	s := m.shard(n)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(n)
	if s.bytes+e.bytes > m.budget {
		s.sweep(time.Now())
	}
	for other := range s.tokens { // begins anywhere
		if s.bytes+e.bytes <= m.budget {
			break
		}
		s.remove(other)
	}
	if s.bytes+e.bytes <= m.budget {
		s.tokens[n] = e
		s.bytes += e.bytes
	}
}

// sweep forgets what is over. The caller holds mu.
func (s *shard) sweep(now time.Time) {
	for n, e := range s.tokens {
		if !now.Before(e.token.ExpiresAt) {
			s.remove(n)
		}
	}
}

// remove takes an entry out, if it is there. The caller holds mu.
func (s *shard) remove(n name) {
	s.bytes -= s.tokens[n].bytes
	delete(s.tokens, n)
}

// footprint is about what a token with a text of that length takes in memory. Three
// quarters of the text are claims, whose parsed form takes five times that; headers that
// are made of them take once more.
func footprint(length int) int {
	const rest = 500 // the struct, the entry, its part of the map
	return rest + 6*length*3/4
}

func (m *memory) stats() (sum Stats) {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.RLock()
		sum.Tokens += len(s.tokens)
		sum.Bytes += s.bytes
		s.mu.RUnlock()
	}
	return sum
}
