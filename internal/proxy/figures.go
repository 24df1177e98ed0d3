package proxy

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gatehouse-auth/gatehouse/internal/connpool"
)

// detour says why a request went by net/http's transport.
type detour int

const (
	direct      detour = iota // it did not
	ofUpstream                // its upstream, or its route, wants that
	ofUpgrade                 // a WebSocket
	ofExpect                  // Expect: 100-continue
	ofTrailers                // TE: trailers
	ofMethod                  // a body where the method has none
	ofLength                  // a body of unknown length
	ofSize                    // a long body
	ofPace                    // a body that comes slowly
	ofMemory                  // too many bodies in memory
	ofHead                    // a long head
	detourCount               // how many there are
)

// detourNames are their names in metrics.
var detourNames = [detourCount]string{
	"", "upstream", "upgrade", "expect", "trailers", "method", "length", "size", "pace", "memory", "head",
}

// Upstreams counts what happens on the way to each upstream. The zero value has
// counted nothing. Safe for concurrent use.
type Upstreams struct {
	// Log is told once of an upstream that sends more than its answers.
	Log *slog.Logger

	mu  sync.Mutex
	all map[string]*upstreamFigures // by scheme and host
}

// upstreamFigures are those of one upstream.
type upstreamFigures struct {
	connpool.Counters
	name    string
	log     *slog.Logger
	detours [detourCount]atomic.Uint64
	warned  sync.Once
}

// of returns the figures of the upstream of that name, whose relays come and go.
func (u *Upstreams) of(name string) *upstreamFigures {
	u.mu.Lock()
	defer u.mu.Unlock()
	f := u.all[name]
	if f == nil {
		f = &upstreamFigures{name: name, log: u.Log}
		if u.all == nil {
			u.all = make(map[string]*upstreamFigures)
		}
		u.all[name] = f
	}
	return f
}

// excess tells of an upstream that sends more than its answers. Once is enough: it
// will do so again.
func (f *upstreamFigures) excess() {
	if f.log == nil {
		return
	}
	f.warned.Do(func() {
		f.log.Warn("an upstream sends bytes behind the end of its answers: each time its connection is closed, as they would be read as "+
			"the answer to the next request. Mend the upstream, or set reuse: never or an h2c:// upstream for its routes", "upstream", f.name)
	})
}

// unsolicited counts a connection with bytes that belong to no answer.
func (f *upstreamFigures) unsolicited() {
	f.Excess.Add(1)
	f.excess()
}

// UpstreamFigures are what was counted of one upstream since the gateway began.
type UpstreamFigures struct {
	*connpool.Counters
	// Name is its scheme and host.
	Name string
	// Detours are how many requests went by net/http's transport rather than by the
	// pool, by reason.
	Detours map[string]uint64
}

// Figures returns those of all upstreams, in the order of their names.
func (u *Upstreams) Figures() []UpstreamFigures {
	u.mu.Lock()
	defer u.mu.Unlock()
	var out []UpstreamFigures
	for _, name := range slices.Sorted(maps.Keys(u.all)) {
		f := u.all[name]
		detours := make(map[string]uint64)
		for why := ofUpstream; why < detourCount; why++ {
			if n := f.detours[why].Load(); n > 0 {
				detours[detourNames[why]] = n
			}
		}
		out = append(out, UpstreamFigures{&f.Counters, name, detours})
	}
	return out
}
