package connpool

import "sync/atomic"

// Counters count what pools of one upstream do. They may outlive a pool, and serve
// several.
type Counters struct {
	Dialed  atomic.Uint64 // connections made
	Failed  atomic.Uint64 // connections that could not be made
	Reused  atomic.Uint64 // requests that got a kept connection
	Stale   atomic.Uint64 // kept connections that their upstream had closed
	Retried atomic.Uint64 // requests asked again, as a kept connection ended under them
	Excess  atomic.Uint64 // connections with bytes that belong to no answer
	Refused atomic.Uint64 // requests that got no connection: [ErrBusy]
	Open    atomic.Int64  // connections that are open now
}

// Load is how many connections a pool has now, and who waits for one.
type Load struct {
	Open    int // busy, idle, resting and being made
	Idle    int // of these, the idle and resting
	Streams int // connections of streams, which are not among the open
	Waiting int // requests
}

// Load returns the pool's load of now.
func (p *Pool) Load() Load {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Load{Open: p.open, Idle: len(p.idle) + len(p.resting), Streams: p.streams, Waiting: len(p.waiters)}
}
