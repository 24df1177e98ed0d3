// Package streams knows which exchanges are open on the strength of which session, and
// ends them with it: at once where its end is heard of, and where nobody tells of it (a
// limit passes, changes do not arrive, the user pool lets its user go) as soon as a look
// at the session says so.
//
// The one invariant: only an end that is known ends an exchange. An outage ends none.
package streams

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Exchange is a request and its answer, as far as a session's end concerns them.
type Exchange interface {
	// EndWithSession ends the exchange. It is called once at most, and must not block.
	EndWithSession()
}

const shardCount = 64

// Registry knows the exchanges that are open. The zero value is ready. Safe for
// concurrent use.
type Registry struct {
	shards [shardCount]shard
}

type shard struct {
	mu   sync.Mutex
	open map[string]*Place // the newest of each session, by the session's public id
}

// Place is an exchange's in a registry. The zero value is ready, and serves once.
type Place struct {
	exchange     Exchange
	session      *session.Session
	since        time.Time
	used         atomic.Bool
	newer, older *Place // of the same session, under its shard's lock
	ended        bool   // likewise
	doubted      bool   // likewise: whether the session lives is to be found out
}

// Used is set by whoever finds that the exchange has been a use of its session again
// since it began. The keeper takes it back once it knows.
func (p *Place) Used() *atomic.Bool { return &p.used }

// Session is the one that the exchange belongs to, as it was when that began.
func (p *Place) Session() *session.Session { return p.session }

func (r *Registry) shard(id string) *shard {
	first := byte(0)
	if id != "" {
		first = id[0] // ids are random, in base64
	}
	return &r.shards[first%shardCount]
}

// Join puts the exchange, which began at since, into its place until [Registry.Leave].
func (r *Registry) Join(p *Place, e Exchange, s *session.Session, since time.Time) {
	p.exchange, p.session, p.since = e, s, since
	shard := r.shard(s.ID)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.open == nil {
		shard.open = make(map[string]*Place)
	}
	if p.older = shard.open[s.ID]; p.older != nil {
		p.older.newer = p
	}
	shard.open[s.ID] = p
}

// Leave takes the exchange out, and reports whether it was ended. It is not ended
// any more afterwards.
func (r *Registry) Leave(p *Place) (ended bool) {
	shard := r.shard(p.session.ID)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	switch {
	case p.newer != nil:
		p.newer.older = p.older
	case p.older != nil:
		shard.open[p.session.ID] = p.older
	default:
		delete(shard.open, p.session.ID)
	}
	if p.older != nil {
		p.older.newer = p.newer
	}
	return p.ended
}

// Doubt has the keeper look at the exchange's session as soon as it can.
func (r *Registry) Doubt(p *Place) {
	shard := r.shard(p.session.ID)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	p.doubted = true
}

// End ends all exchanges of the session with that public id, and returns how many
// those were.
func (r *Registry) End(id string) (n int) {
	shard := r.shard(id)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	for p := shard.open[id]; p != nil; p = p.older {
		if !p.ended {
			p.ended = true
			p.exchange.EndWithSession()
			n++
		}
	}
	return n
}

// Len returns how many exchanges are open.
func (r *Registry) Len() (n int) {
	r.each(func(_ string, newest *Place) {
		for p := newest; p != nil; p = p.older {
			n++
		}
	})
	return n
}

// each hands out the newest exchange of each session, a shard at a time under its lock.
func (r *Registry) each(f func(id string, newest *Place)) {
	for i := range r.shards {
		r.shards[i].each(f)
	}
}

func (s *shard) each(f func(id string, newest *Place)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, newest := range s.open {
		f(id, newest)
	}
}
