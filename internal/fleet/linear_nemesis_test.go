package fleet

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// respite is between two faults: long enough for what belongs to one to be
	// over, and for the gateways to have written their logs.
	respite = 1200 * time.Millisecond

	refreshTimeout = 2 * time.Second
	// leaseTerm is how long a lease lasts that nobody renews; an owner does so three
	// times in it.
	leaseTerm = refreshTimeout + 4*time.Second
	// tooLong is how long a trouble lasts that may cost an owner its lease: less than
	// the two thirds of the term that are left when the next renewal is due.
	tooLong = leaseTerm / 2
)

// fault is one kind of trouble, made and mended.
type fault struct {
	what  string
	lease fortune
	cause func() string // and what else is to be said of it
}

// fortune is what a fault does to the lease of a refresh.
type fortune int

const (
	keeps   fortune = iota // or ends its owner
	hampers                // its owner cannot renew it meanwhile
	forgets                // a failover takes it back as it takes records back
)

// trouble is a fault that was.
type trouble struct {
	what     string
	lease    fortune
	from, to time.Duration
}

func (e trouble) String() string {
	return fmt.Sprintf("%v–%v %s", round(e.from), round(e.to), e.what)
}

// nemesis makes one trouble after the other, in an order and with choices that
// follow from the seed.
type nemesis struct {
	t    testing.TB
	r    *rand.Rand
	load *load
	pool *Pool

	past []trouble
	hold atomic.Bool // refreshes take their time
	wg   sync.WaitGroup
}

func newNemesis(t testing.TB, l *load, p *Pool, seed uint64) *nemesis {
	n := &nemesis{t: t, r: rand.New(rand.NewPCG(seed, 1)), load: l, pool: p}
	p.Decide(func(i int) Fate {
		if n.hold.Load() {
			return Fate{Delay: 500 * time.Millisecond}
		}
		return fate(rand.New(rand.NewPCG(seed, uint64(i)<<8|2)))
	})
	return n
}

// fate of a refresh at a user pool that has seen better days.
func fate(r *rand.Rand) Fate {
	switch n := r.IntN(100); {
	case n < 10:
		return Fate{Lose: true}
	case n < 15:
		return Fate{Drop: true}
	case n < 20:
		return Fate{Status: 500}
	case n < 24:
		return Fate{Status: 429}
	case n < 40:
		return Fate{Delay: time.Duration(r.IntN(1000)) * time.Millisecond}
	case n < 43:
		return Fate{Delay: refreshTimeout + 500*time.Millisecond} // the caller has left
	}
	return Fate{}
}

// run makes trouble for as long as it is told: first of the kinds of the topology
// and of those of every fleet in turn.
func (n *nemesis) run(d time.Duration, topology []fault) {
	end := time.Now().Add(d)
	defer n.wg.Wait()
	n.wait(respite)
	for {
		for _, f := range n.mix(topology, n.common()) {
			from := n.load.now()
			what := f.cause()
			n.past = append(n.past, trouble{what: f.what + what, lease: f.lease, from: from, to: n.load.now()})
			n.wait(respite)
			if time.Now().After(end) {
				return
			}
		}
	}
}

// mix shuffles both and takes from each in turn.
func (n *nemesis) mix(a, b []fault) []fault {
	a, b = slices.Clone(a), slices.Clone(b)
	n.r.Shuffle(len(a), func(i, j int) { a[i], a[j] = a[j], a[i] })
	n.r.Shuffle(len(b), func(i, j int) { b[i], b[j] = b[j], b[i] })
	var out []fault
	for len(a)+len(b) > 0 {
		if len(a) > 0 {
			out, a = append(out, a[0]), a[1:]
		}
		if len(b) > 0 {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return out
}

func (n *nemesis) wait(d time.Duration) { <-time.After(d) }

// between chooses a time.
func (n *nemesis) between(from, to time.Duration) time.Duration {
	return from + time.Duration(n.r.Int64N(int64(to-from)))
}

// gateway chooses one.
func (n *nemesis) gateway() (int, *Gateway) {
	i := n.r.IntN(len(n.load.fleet.Gateways))
	return i, n.load.fleet.Gateways[i]
}

// common are the troubles of every fleet.
func (n *nemesis) common() []fault {
	return []fault{
		{"kill -9 of a gateway in mid-refresh", keeps, n.killInMidRefresh},
		{"SIGSTOP of a gateway", hampers, n.pauseGateway},
		{"a gateway stops in order and starts again", keeps, n.restartGateway},
		{"the way to the user pool", keeps, func() string { return n.breakLink(n.pool.Link) }},
	}
}

func (n *nemesis) killInMidRefresh() string {
	i, g := n.gateway()
	n.hold.Store(true)
	defer n.hold.Store(false)
	before := n.pool.Refreshes()
	for _, s := range n.load.latest(alive) {
		n.wg.Go(func() { n.load.ask(s, operation{Client: hurrier, Instance: i, What: "POST /auth/refresh"}, patience) })
	}
	waitFor(n.t, "a refresh", func() bool { return n.pool.Refreshes() > before })
	n.wait(n.between(0, 300*time.Millisecond))
	g.Kill()
	n.wait(n.between(0, 1500*time.Millisecond))
	g.Restart()
	return fmt.Sprintf(": %d", i)
}

func (n *nemesis) pauseGateway() string {
	i, g := n.gateway()
	d := n.between(200*time.Millisecond, 3*time.Second)
	if n.r.IntN(8) == 0 {
		d += leaseTerm
	}
	g.Pause()
	n.wait(d)
	g.Continue()
	return fmt.Sprintf(": %d", i)
}

func (n *nemesis) restartGateway() string {
	i, g := n.gateway()
	g.Stop()
	g.Restart()
	return fmt.Sprintf(": %d", i)
}

func (n *nemesis) breakLink(l *Link) string {
	kinds := []struct {
		what  string
		cause func()
	}{
		{"is cut", l.Cut},
		{"swallows all", l.Swallow},
		{"swallows answers", l.SwallowAnswers},
		{"is slow", func() { l.Slow(300) }},
		{"resets", l.Reset},
	}
	k := kinds[n.r.IntN(len(kinds))]
	k.cause()
	n.wait(n.between(300*time.Millisecond, 2500*time.Millisecond))
	l.Mend()
	return " " + k.what
}

// costsLease reports whether a trouble between, or a lease's term before, may have
// cost an owner its lease.
func (n *nemesis) costsLease(from, to time.Duration) bool {
	return slices.ContainsFunc(n.past, func(e trouble) bool {
		return (e.lease == forgets || e.lease == hampers && e.to-e.from >= tooLong) &&
			e.from <= to && from <= e.to+leaseTerm
	})
}

// latest returns the sessions that began last.
func (l *load) latest(n int) []*life {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all[max(0, len(l.all)-n):])
}

func (n *nemesis) schedule() string {
	var out strings.Builder
	for _, e := range n.past {
		fmt.Fprintf(&out, "\n  %v", e)
	}
	return out.String()
}
