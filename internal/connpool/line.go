package connpool

import (
	"context"
	"slices"
	"sort"
	"time"
)

// waiter is a request that waits for a connection.
type waiter struct {
	ready   chan delivery // of one
	dialing bool          // a dial was begun for it
	fresh   bool          // it takes no connection that was used before
}

type delivery struct {
	c   *conn
	err error
}

// join lines up for a connection.
func (p *Pool) join(fresh bool) (*waiter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open >= p.o.Connections && p.queued() >= p.o.Waiters && !p.evict() {
		p.count.Refused.Add(1)
		return nil, ErrBusy
	}
	w := &waiter{ready: make(chan delivery, 1), fresh: fresh}
	p.waiters = append(p.waiters, w)
	p.dialForWaiters()
	return w, nil
}

// queued is how many wait for a connection without a dial of their own. They are the
// last in the line. The caller holds the lock.
func (p *Pool) queued() int {
	return len(p.waiters) - sort.Search(len(p.waiters), func(i int) bool { return !p.waiters[i].dialing })
}

// await waits until the waiter is served, by its own dial or by a connection that
// somebody else gives back.
func (p *Pool) await(ctx context.Context, w *waiter) (*conn, error) {
	limit := time.NewTimer(p.o.Wait)
	defer limit.Stop()
	for {
		select {
		case d := <-w.ready:
			return d.c, d.err
		case <-ctx.Done():
			p.leave(w)
			return nil, ctx.Err()
		case <-limit.C:
			if !p.dialing(w) {
				p.leave(w)
				p.count.Refused.Add(1)
				return nil, ErrBusy
			} // else the dial has a limit of its own
		}
	}
}

func (p *Pool) dialing(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return w.dialing
}

// leave takes the waiter out of the line. What was delivered meanwhile is for others.
func (p *Pool) leave(w *waiter) {
	p.mu.Lock()
	if i := slices.Index(p.waiters, w); i >= 0 {
		p.waiters = slices.Delete(p.waiters, i, i+1)
	}
	p.mu.Unlock()
	select {
	case d := <-w.ready:
		if d.c != nil {
			p.put(d.c, false)
		}
	default:
	}
}

// dialForWaiters begins a dial for each waiter that has none, as far as the bound
// allows. The caller holds the lock.
func (p *Pool) dialForWaiters() {
	for _, w := range p.waiters {
		if w.dialing {
			continue
		}
		if p.open >= p.o.Connections && !p.evict() {
			return
		}
		p.open++
		w.dialing = true
		go p.dial(w)
	}
}

// dial connects for a waiter. Should it be served before, the connection is for
// others.
func (p *Pool) dial(w *waiter) {
	c, err := p.connect()
	p.mu.Lock()
	if err != nil {
		p.open--
		p.remove(w, delivery{err: err})
		p.dialForWaiters()
		p.mu.Unlock()
		return
	}
	if p.remove(w, delivery{c: c}) {
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	p.put(c, false)
}

// remove takes the waiter out of the line and delivers to it, unless it is served or
// has left. The caller holds the lock.
func (p *Pool) remove(w *waiter, d delivery) bool {
	i := slices.Index(p.waiters, w)
	if i < 0 {
		return false
	}
	p.waiters = slices.Delete(p.waiters, i, i+1)
	w.ready <- d
	return true
}

// handOver gives the connection to the first waiter that takes one which was used. It
// passes over none that still needs room for a dial. The caller holds the lock.
func (p *Pool) handOver(c *conn) bool {
	for _, w := range p.waiters {
		if !w.fresh {
			return p.remove(w, delivery{c: c})
		}
		if !w.dialing {
			return false
		}
	}
	return false
}
