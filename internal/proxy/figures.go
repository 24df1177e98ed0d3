package proxy

import (
	"context"
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

// upstreamFigures are those of one upstream.
type upstreamFigures struct {
	connpool.Counters
	name    string
	log     *slog.Logger // may be nil
	detours [detourCount]atomic.Uint64
	warned  sync.Once

	changes atomic.Uint64 // of its health
	moved   atomic.Uint64 // requests that went to another upstream, as this one gave no answer
	unmoved atomic.Uint64 // those that did not, as too many did
}

// excess tells of an upstream that sends more than its answers. Once is enough: it
// will do so again.
func (f *upstreamFigures) excess() {
	f.warned.Do(func() {
		f.tell(slog.LevelWarn, "an upstream sends bytes behind the end of its answers: each time its connection is closed, as they would be read as "+
			"the answer to the next request. Mend the upstream, or set reuse: never or an h2c:// upstream for its routes")
	})
}

// tell says something about the upstream in the log.
func (f *upstreamFigures) tell(level slog.Level, message string, args ...any) {
	if f.log != nil {
		f.log.Log(context.Background(), level, message, append([]any{"upstream", f.name}, args...)...)
	}
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
	// Watched says that its health is known, as it has others beside it or a check: if
	// it is Healthy, how often that Changed, and how many requests it has now, Pending.
	Watched, Healthy bool
	Changed          uint64
	Pending          int64
	// Moved are requests that went to another upstream, as this one gave no answer, and
	// Unmoved those that did not because too many had.
	Moved, Unmoved uint64
}

// Figures returns those of all upstreams, in the order of their names.
func (u *Upstreams) Figures() []UpstreamFigures {
	u.mu.Lock()
	defer u.mu.Unlock()
	var out []UpstreamFigures
	for _, name := range slices.Sorted(maps.Keys(u.figures)) {
		out = append(out, u.figuresOf(name))
	}
	return out
}

// figuresOf returns those of one. The caller holds the lock.
func (u *Upstreams) figuresOf(name string) UpstreamFigures {
	f := u.figures[name]
	out := UpstreamFigures{
		Counters: &f.Counters, Name: name, Detours: make(map[string]uint64), Healthy: true,
		Changed: f.changes.Load(), Moved: f.moved.Load(), Unmoved: f.unmoved.Load(),
	}
	for why := ofUpstream; why < detourCount; why++ {
		if n := f.detours[why].Load(); n > 0 {
			out.Detours[detourNames[why]] = n
		}
	}
	for _, w := range u.ways {
		if w.figures != f || !w.health.watched {
			continue
		}
		out.Watched = true
		out.Healthy = out.Healthy && w.health.until.Load() == in
		out.Pending += w.health.pending.Load()
	}
	return out
}
