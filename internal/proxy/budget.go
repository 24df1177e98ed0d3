package proxy

import (
	"sync/atomic"
	"time"
)

// budget bounds how many requests of a route are sent to another upstream, lest tries
// multiply what brings upstreams down: a fifth of all requests, and a few besides so that
// it does not fail where there are few. It counts by windows, without a lock: what comes
// just as one ends may count in the next.
type budget struct {
	window       atomic.Int64 // the number of the one that is counted
	asked, again atomic.Int64 // in it
	before       atomic.Int64 // asked in the one before
}

const (
	budgetWindow = 10 * time.Second
	budgetShare  = 5 // one in so many
	budgetFew    = 10
)

// count counts a request.
func (b *budget) count(now time.Time) {
	b.turn(now)
	b.asked.Add(1)
}

// spend reports whether one more try may be made, and counts it.
func (b *budget) spend(now time.Time) bool {
	b.turn(now)
	most := budgetFew + max(b.asked.Load(), b.before.Load())/budgetShare
	if b.again.Add(1) > most {
		b.again.Add(-1)
		return false
	}
	return true
}

// turn begins the next window when it is time.
func (b *budget) turn(now time.Time) {
	number := now.UnixNano() / int64(budgetWindow)
	last := b.window.Load()
	if number == last || !b.window.CompareAndSwap(last, number) {
		return
	}
	asked := b.asked.Swap(0)
	if number != last+1 {
		asked = 0
	}
	b.before.Store(asked)
	b.again.Store(0)
}
