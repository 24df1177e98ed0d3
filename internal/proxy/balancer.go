package proxy

import "math/rand/v2"

// balancer sends the requests of a route to its upstreams. It draws two by their weights,
// and takes the one that has less to do: nearly as good as to look at all of them, and
// instances that know nothing of each other do not all run to the same one (Mitzenmacher,
// The Power of Two Choices in Randomized Load Balancing, 2001).
type balancer struct {
	all    []*upstream
	budget budget
}

// places are a set of upstreams, by where they stand in the list, which has no more than
// the bits of it.
type places uint64

const mostUpstreams = 64

func (p places) has(at int) bool { return p>>at&1 == 1 }

// several reports whether there is something to choose.
func (b *balancer) several() bool { return len(b.all) > 1 }

// choose returns where the next try goes, which is none of those tried; false if there
// is none left. Where all that are left are out, none is: a last one is never taken out.
func (b *balancer) choose(tried places) (at int, ok bool) {
	skip := tried
	for at, up := range b.all {
		if up.ways.health.out() {
			skip |= 1 << at
		}
	}
	for {
		at, ok := b.draw(skip)
		if !ok {
			return b.draw(tried)
		}
		if b.all[at].ways.health.enter() {
			return at, true
		}
		skip |= 1 << at
	}
}

// draw draws two upstreams, and returns the one with less to do for its weight.
func (b *balancer) draw(skip places) (at int, ok bool) {
	first, ok := b.weighted(skip)
	if !ok {
		return 0, false
	}
	second, ok := b.weighted(skip | 1<<first)
	if !ok {
		return first, true
	}
	one, other := b.all[first], b.all[second]
	if other.ways.health.pending.Load()*one.weight < one.ways.health.pending.Load()*other.weight {
		return second, true
	}
	return first, true
}

// weighted draws one by its weight.
func (b *balancer) weighted(skip places) (at int, ok bool) {
	var sum int64
	for at, up := range b.all {
		if !skip.has(at) {
			sum += up.weight
		}
	}
	if sum == 0 {
		return 0, false
	}
	left := rand.Int64N(sum) //nolint:gosec // spreads load, guards nothing
	for at, up := range b.all {
		if skip.has(at) {
			continue
		}
		if left -= up.weight; left < 0 {
			return at, true
		}
	}
	panic("[unexpected] drawn beyond the sum of all weights")
}
