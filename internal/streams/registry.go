// Package streams knows which exchanges are open on the strength of which session, and
// ends them with it: at once where its end is heard of, and where nobody tells of it (a
// limit passes, changes do not arrive, the user pool lets its user go) as soon as a look
// at the session says so.
//
// The one invariant: only an end that is known ends an exchange. An outage ends none.
package streams

import (
	"errors"
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

// Registry knows the exchanges that are open. The zero value is ready, and has room for
// all that come. Safe for concurrent use.
type Registry struct {
	// PerSession is how many exchanges of one session may be open, and Most how many of all
	// together; 0 is no limit.
	PerSession, Most int

	total  atomic.Int64 // counted where there is a limit
	shards [shardCount]shard
}

var (
	// ErrSessionFull refuses an exchange of a session that has as many open as it may.
	ErrSessionFull = errors.New("the session has as many exchanges open as it may")
	// ErrFull refuses one where there are as many as there may be.
	ErrFull = errors.New("as many exchanges are open as may be")
)

type shard struct {
	mu   sync.Mutex
	open map[string]chain // by the session's public id
}

// chain are the exchanges of one session.
type chain struct {
	newest *Place
	length int
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
// Errors: [ErrSessionFull], [ErrFull]; the exchange has no place then.
func (r *Registry) Join(p *Place, e Exchange, s *session.Session, since time.Time) error {
	if !r.enter() {
		return ErrFull
	}
	p.exchange, p.session, p.since = e, s, since
	if !r.shard(s.ID).join(p, r.PerSession) {
		r.exit()
		return ErrSessionFull
	}
	return nil
}

func (s *shard) join(p *Place, most int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.open[p.session.ID]
	if most > 0 && c.length >= most {
		return false
	}
	if s.open == nil {
		s.open = make(map[string]chain)
	}
	if p.older = c.newest; p.older != nil {
		p.older.newer = p
	}
	s.open[p.session.ID] = chain{p, c.length + 1}
	return true
}

// enter counts one more of all, if there may be one more.
func (r *Registry) enter() bool {
	if r.Most == 0 {
		return true
	}
	if r.total.Add(1) > int64(r.Most) {
		r.total.Add(-1)
		return false
	}
	return true
}

func (r *Registry) exit() {
	if r.Most > 0 {
		r.total.Add(-1)
	}
}

// Leave takes the exchange out, and reports whether it was ended. It is not ended
// any more afterwards.
func (r *Registry) Leave(p *Place) (ended bool) {
	r.exit()
	shard := r.shard(p.session.ID)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	c := shard.open[p.session.ID]
	c.length--
	if p.newer != nil {
		p.newer.older = p.older
	} else {
		c.newest = p.older
	}
	if p.older != nil {
		p.older.newer = p.newer
	}
	if c.length == 0 {
		delete(shard.open, p.session.ID)
	} else {
		shard.open[p.session.ID] = c
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
	for p := shard.open[id].newest; p != nil; p = p.older {
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
	for id, c := range s.open {
		f(id, c.newest)
	}
}
