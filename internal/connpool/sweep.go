package connpool

import "time"

// sweepLater has the idle connections looked at, while there are any. The caller
// holds the lock.
func (p *Pool) sweepLater() {
	if p.sweeper == nil && len(p.idle)+len(p.resting) > 0 {
		p.sweeper = time.AfterFunc(min(sweepEvery, p.o.Idle), p.sweep)
	}
}

// sweep closes the connections that are too old, or that their upstream has closed:
// those would keep a descriptor each for as long as nobody takes them.
func (p *Pool) sweep() {
	now := time.Now()
	for _, c := range p.gone(now) {
		if c.excess() {
			p.excess()
		}
		c.close()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweeper = nil
	p.sweepLater()
}

// gone takes those off the idle connections that are to be closed.
func (p *Pool) gone(now time.Time) (gone []*conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.promote(now)
	kept := p.idle[:0]
	for _, c := range p.idle {
		if c.spent(now) || !c.quiet() {
			gone = append(gone, c)
			continue
		}
		kept = append(kept, c)
	}
	clear(p.idle[len(kept):])
	p.idle = kept
	p.open -= len(gone)
	p.dialForWaiters()
	return gone
}
