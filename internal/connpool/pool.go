// Package connpool keeps connections to one HTTP/1.1 upstream and asks over them, one
// request at a time on each.
//
// The one invariant: an answer goes to the request it was given to, or to nobody. A
// connection is used again only if all that was said on it is known to be over. Where
// that cannot be known it is closed, which costs a dial.
package connpool

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/http1"
)

// Options say how a pool keeps connections.
type Options struct {
	// Dial connects, with TLS where the upstream wants it. Its context ends with none
	// of the requests, so it must have a limit of its own.
	Dial func(ctx context.Context) (net.Conn, error)
	// Elsewhere says that the same can be had elsewhere: an upstream that refuses connections
	// is not waited for.
	Elsewhere bool
	// Idle is how long an unused connection is kept; 0 keeps none, and tells the
	// upstream so. An upstream that names a shorter time in Keep-Alive has its way.
	Idle time.Duration
	// Rest is how long a connection is left alone after an answer whose end no bytes
	// tell, or to a request with a body: an upstream that is wrong about either sends
	// more, which is noticed then.
	Rest time.Duration
	// Connections bounds those that are open at once, but for streams. Waiters bounds
	// the requests that wait for one, and Wait how long.
	Connections int
	Waiters     int
	Wait        time.Duration
	// Counters are counted up. Default: the pool's own.
	Counters *Counters
	// Excess is told of bytes that belong to no answer. It must not block.
	Excess func()
}

const (
	// maxAge bounds the life of a connection, so that what the upstream's name stands
	// for now is found out. A share of it is drawn for each, lest all end together.
	maxAge  = 10 * time.Minute
	maxUses = 10_000
	// freshFor is how long ago a connection was used at most to get a request that
	// cannot be sent again: the less, the less likely it is just being closed.
	freshFor = 2 * time.Second
	// sweepEvery is how often idle connections are looked at.
	sweepEvery = time.Second
)

// ErrBusy says that all connections are taken, and that it was waited for one in vain.
var ErrBusy = errors.New("all connections to the upstream are busy")

// Pool is the connections to one upstream. Safe for concurrent use.
type Pool struct {
	o Options

	count    *Counters
	lastGood atomic.Int64 // when an answer last began, in Unix nanoseconds

	mu      sync.Mutex
	idle    []*conn   // usable now, the one used last at the end
	resting []*conn   // not usable yet, the one to be usable next at the beginning
	waiters []*waiter // the first to be served at the beginning
	open    int       // busy, idle, resting and being dialled, but for streams
	streams int
	closed  bool
	sweeper *time.Timer // nil while there is nothing to sweep
}

// New returns a pool without connections.
func New(o Options) *Pool { return &Pool{o: o, count: cmp.Or(o.Counters, &Counters{})} }

// take returns a connection for one request. A careful request takes none that may
// be about to be closed, a fresh one none that was used.
func (p *Pool) take(ctx context.Context, careful, fresh bool) (*conn, error) {
	for {
		if !fresh {
			if c := p.reuse(careful); c != nil {
				return c, nil
			}
		}
		w, err := p.join(fresh)
		if err != nil {
			return nil, err
		}
		c, err := p.await(ctx, w)
		if err != nil {
			return nil, err
		}
		switch {
		case !c.kept && !c.quiet():
			return nil, p.early(c)
		case p.usable(c):
			return c, nil
		}
	}
}

// errEarly is an upstream that does not wait for a request.
const errEarly = http1.Malformed("the upstream speaks before it is asked")

// early drops a new connection over which something has come already, or its end, and
// says which. What comes unasked would be taken for the answer, and the answer for
// nobody's.
func (p *Pool) early(c *conn) error {
	excess := c.excess()
	var end error
	if !excess {
		end = c.parting()
	}
	p.drop(c)
	if !excess {
		return &Unanswered{Err: end}
	}
	p.excess()
	return &Unanswered{Err: errEarly}
}

// reuse returns a connection that nobody uses, nil if there is none.
func (p *Pool) reuse(careful bool) *conn {
	for c := p.pop(careful); c != nil; c = p.pop(careful) {
		switch {
		case c.spent(time.Now()):
			p.drop(c)
		case p.usable(c):
			return c
		}
	}
	return nil
}

// usable reports whether a request may be sent over the connection. It drops one over
// which none may: since somebody gave it back, its upstream may have said more.
func (p *Pool) usable(c *conn) bool {
	switch {
	case !c.kept:
		return true
	case c.quiet():
		p.count.Reused.Add(1)
		return true
	}
	p.stale(c)
	return false
}

// pop takes the connection off the idle ones that was used last, nil if there is
// none.
func (p *Pool) pop(careful bool) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.promote(now)
	last := len(p.idle) - 1
	if last < 0 || careful && now.Sub(p.idle[last].usedAt) > freshFor {
		return nil
	}
	c := p.idle[last]
	p.idle[last] = nil
	p.idle = p.idle[:last]
	return c
}

// promote makes those usable that have rested. The caller holds the lock.
func (p *Pool) promote(now time.Time) {
	n := 0
	for n < len(p.resting) && !now.Before(p.resting[n].restsUntil) {
		if c := p.resting[n]; !p.handOver(c) {
			p.idle = append(p.idle, c)
		}
		n++
	}
	p.resting = slices.Delete(p.resting, 0, n)
}

// evict closes the oldest connection that nobody uses, to make room for one that can
// be used. The caller holds the lock.
func (p *Pool) evict() bool {
	from := &p.resting
	if len(*from) == 0 {
		from = &p.idle
	}
	if len(*from) == 0 {
		return false
	}
	c := (*from)[0]
	*from = slices.Delete(*from, 0, 1)
	c.close()
	p.open--
	return true
}

// Shed closes the connection that nobody has used for longest, and reports whether there
// was one.
func (p *Pool) Shed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.evict()
}

// put takes back a connection that may be used again: by the first who waits for one,
// or once it has rested.
func (p *Pool) put(c *conn, rest bool) {
	if !c.quiet() {
		p.stale(c)
		return
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	c.usedAt, c.kept = now, true
	switch {
	case c.stream && !p.readmit(c):
		c.close()
	case p.closed || p.o.Idle == 0 || c.spent(now):
		c.close()
		p.open--
	case rest && p.o.Rest > 0:
		c.restsUntil = now.Add(p.o.Rest)
		p.resting = append(p.resting, c)
	case !p.handOver(c):
		p.idle = append(p.idle, c)
	}
	p.dialForWaiters()
	p.sweepLater()
}

// drop closes a connection that a request had.
func (p *Pool) drop(c *conn) {
	c.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.stream {
		p.streams--
	} else {
		p.open--
	}
	p.dialForWaiters()
}

// stale drops a connection that is not quiet, and counts why.
func (p *Pool) stale(c *conn) {
	excess := c.excess()
	p.drop(c)
	if excess {
		p.excess()
	} else {
		p.count.Stale.Add(1)
	}
}

// excess counts bytes that belong to no answer.
func (p *Pool) excess() {
	p.count.Excess.Add(1)
	if p.o.Excess != nil {
		p.o.Excess()
	}
}

// detach takes a connection out of the bound, as it serves a stream now.
func (p *Pool) detach(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.stream {
		return
	}
	c.stream = true
	p.open--
	p.streams++
	p.dialForWaiters()
}

// readmit takes the connection of a stream that is over back into the bound, if there
// is room. The caller holds the lock.
func (p *Pool) readmit(c *conn) bool {
	c.stream = false
	p.streams--
	if p.open >= p.o.Connections {
		return false
	}
	p.open++
	return true
}

// forget closes the connections that nobody has used since then. One ended at that time
// as a request was written to it, and another was answered: so the upstream is there,
// and the others may have ended with the first. Where no other was answered it may be
// the request that ends connections, and would end all of them each time.
func (p *Pool) forget(since time.Time) {
	var unused []*conn
	take := func(c *conn) bool {
		if c.usedAt.After(since) {
			return false
		}
		unused = append(unused, c)
		return true
	}
	p.mu.Lock()
	p.idle, p.resting = slices.DeleteFunc(p.idle, take), slices.DeleteFunc(p.resting, take)
	p.open -= len(unused)
	p.dialForWaiters()
	p.mu.Unlock()
	for _, c := range unused { // which takes a while
		c.close()
	}
}

// Close closes all connections that nobody uses, and lets no other be kept. Requests
// may go on, and may still come.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.forget(time.Now())
}
