package proxy

import (
	"context"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/backoff"
	"github.com/gatehouse-auth/gatehouse/internal/hangup"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// Upstreams is all upstreams: the ways to them, their health, and what was counted. It
// outlives the relays that go there, so that a reload leaves alone what it does not
// change. The zero value knows none. Safe for concurrent use.
type Upstreams struct {
	// Log is told when the health of an upstream changes, and once of one that sends more
	// than its answers. May be nil.
	Log *slog.Logger

	clients hangup.Watcher // of streams

	mu          sync.Mutex
	figures     map[string]*upstreamFigures // by scheme and host
	ways        map[transportKey]*ways
	credentials map[routing.UpstreamTLS]*credentials
	checks      sync.WaitGroup
	begin       func(*ways) // begins to check; nil before [Upstreams.Run], and after it
}

// get returns the ways for the key, by the proxy via unless it is nil, and with the
// credentials of those files unless they are nil. They are the caller's until it gives them
// back.
func (u *Upstreams) get(key transportKey, via *url.URL, files *routing.UpstreamTLS) (*ways, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if files != nil {
		var err error
		if key.credentials, err = u.credentialsOf(*files); err != nil {
			return nil, err
		}
	}
	w := u.ways[key]
	if w == nil {
		w = newWays(key, via, u.counted(key.scheme+"://"+key.host))
		if u.ways == nil {
			u.ways = make(map[transportKey]*ways)
		}
		u.ways[key] = w
		if u.begin != nil {
			u.begin(w)
		}
	}
	w.users++
	return w, nil
}

// counted returns the figures of the upstream of that name. The caller holds the lock.
func (u *Upstreams) counted(name string) *upstreamFigures {
	f := u.figures[name]
	if f == nil {
		f = &upstreamFigures{name: name, log: u.Log}
		if u.figures == nil {
			u.figures = make(map[string]*upstreamFigures)
		}
		u.figures[name] = f
	}
	return f
}

// put takes ways back. Those that nobody has any more are closed.
func (u *Upstreams) put(w *ways) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if w.users--; w.users == 0 {
		delete(u.ways, w.key)
		w.close()
	}
}

// Shed closes a connection that nobody uses, whatever the upstream, if there is one. Those
// of net/http's transports go together, as they cannot be told apart.
func (u *Upstreams) Shed() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, w := range u.ways { // which begins anywhere
		if w.pool != nil && w.pool.Shed() {
			return
		}
	}
	for _, w := range u.ways {
		w.current.Load().kept.CloseIdleConnections()
	}
}

// credentialsEvery is how often the files of TLS to upstreams are read: whoever renews
// them need tell nobody.
const credentialsEvery = 10 * time.Second

// Run checks the health of upstreams whose routes say how, and takes over what becomes of
// the files of TLS to them, until ctx ends.
func (u *Upstreams) Run(ctx context.Context) {
	u.mu.Lock()
	u.begin = func(w *ways) {
		if w.key.check.Path == "" {
			return
		}
		ctx, stop := context.WithCancel(ctx)
		w.stop = stop
		u.checks.Go(func() { w.watch(ctx) })
	}
	for _, w := range u.ways {
		u.begin(w)
	}
	u.mu.Unlock()
	for backoff.Sleep(ctx, credentialsEvery) {
		u.watchCredentials()
	}
	u.mu.Lock()
	u.begin = nil
	u.mu.Unlock()
	u.checks.Wait()
}
