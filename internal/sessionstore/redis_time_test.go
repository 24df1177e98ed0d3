package sessionstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
)

// fakeTopologies are addresses within a fakeNet, and one server that can be lost.
var fakeTopologies = map[string]struct{ url, server string }{
	"one_server": {"redis://server", "server"},
	"sentinel":   {"redis-sentinel://sentinel-1,sentinel-2,sentinel-3/main", "primary"},
	"cluster":    {"redis-cluster://cluster-1,cluster-2", "cluster-2"},
}

// everyWay runs a test for each topology and each way of losing a server, in a time
// of its own.
//
// In such a time a lock must not be held while something is waited for, which the
// driver does as it asks a sentinel: those answer always.
func everyWay(t *testing.T, test func(t *testing.T, n *fakeNet, url, server string, w way)) {
	for name, topology := range fakeTopologies {
		for _, w := range []way{silent, shut, hole} {
			t.Run(name+"_"+string(w), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { test(t, newFakeNet(), topology.url, topology.server, w) })
			})
		}
	}
}

// handleAt returns a handle whose record is at a server of a cluster, or any.
func handleAt(t *testing.T, n *fakeNet, st *sessionstore.Redis, server string) session.Handle {
	t.Helper()
	for range 100 {
		h := session.NewHandle()
		n.set(shut, server)
		_, err := st.Load(t.Context(), h)
		n.set(whole)
		if errors.Is(err, session.ErrUnavailable) {
			return h
		}
	}
	t.Fatalf("no record of a hundred is at %s", server)
	return session.Handle{}
}

// TestRedisTime: whatever becomes of a server, a call is over within the time that
// a store has, and within two seconds of its return it is answered.
func TestRedisTime(t *testing.T) {
	everyWay(t, func(t *testing.T, n *fakeNet, url, server string, w way) {
		st, closes := n.store(t, url)
		defer closes()
		h := handleAt(t, n, st, server)
		load := func(want error) {
			t.Helper()
			began := time.Now()
			_, err := st.Load(t.Context(), h)
			if took := time.Since(began); !errors.Is(err, want) || took > session.StoreTimeout {
				t.Errorf("Load: %v after %v, want %v within %v", err, took, want, session.StoreTimeout)
			}
		}
		for range 3 { // of connections that are used, idle, and new
			load(session.ErrNotFound)
			n.set(w, server)
			for range 3 {
				load(session.ErrUnavailable)
			}
			began := time.Now()
			if err := st.Ping(t.Context()); !errors.Is(err, session.ErrUnavailable) || time.Since(began) > session.StoreTimeout {
				t.Errorf("Ping: %v after %v", err, time.Since(began))
			}
			n.set(whole)
			for back := time.Now(); ; time.Sleep(10 * time.Millisecond) {
				asked := time.Now()
				if _, err := st.Load(t.Context(), h); errors.Is(err, session.ErrNotFound) {
					break
				}
				if after := asked.Sub(back); after > 2*time.Second {
					t.Fatalf("a call %v after the server's return is in vain", after)
				}
			}
			time.Sleep(time.Minute)
		}
	})
}

// TestRedisCountTime: however many ask for the count of a server that is away, none
// waits longer than for any other answer.
func TestRedisCountTime(t *testing.T) {
	everyWay(t, func(t *testing.T, n *fakeNet, url, server string, w way) {
		st, closes := n.store(t, url)
		defer closes()
		n.set(w, server)
		var counting sync.WaitGroup
		for range 5 {
			counting.Go(func() {
				began := time.Now()
				_, err := st.Count(t.Context())
				if took := time.Since(began); !errors.Is(err, session.ErrUnavailable) || took > session.StoreTimeout {
					t.Errorf("Count: %v after %v, want it within %v", err, took, session.StoreTimeout)
				}
			})
		}
		counting.Wait()
		n.set(whole)
	})
}

// TestRedisWatchTime: an instance is told within a second that it does not hear of
// changes any more, and hears again within two seconds of the server's return.
func TestRedisWatchTime(t *testing.T) {
	everyWay(t, func(t *testing.T, n *fakeNet, url, server string, w way) {
		st, closes := n.store(t, url)
		defer closes()
		servers := []string{server, "cluster-1", "cluster-3"} // the subscription may be at any
		var mu sync.Mutex
		hears, since := false, time.Now()
		ctx, stop := context.WithCancel(t.Context())
		var watching sync.WaitGroup
		watching.Go(func() {
			_ = st.Watch(ctx, func(session.Change) {}, func(up bool) {
				mu.Lock()
				defer mu.Unlock()
				if up != hears {
					hears, since = up, time.Now()
				}
			})
		})
		defer func() { stop(); watching.Wait() }()
		// state is whether changes are heard, and for how long.
		state := func() (bool, time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			return hears, time.Since(since)
		}
		for lasts := 5 * time.Second; lasts < time.Minute; lasts *= 2 {
			time.Sleep(lasts)
			if up, d := state(); !up || d < lasts-2*time.Second {
				t.Errorf("heard: %v for %v of %v without a fault", up, d, lasts)
			}
			for _, host := range servers {
				n.set(w, host)
			}
			time.Sleep(lasts)
			if up, d := state(); up || d < lasts-time.Second {
				t.Errorf("heard: %v for %v of the %v that the server was away", up, d, lasts)
			}
			n.set(whole)
		}
		time.Sleep(5 * time.Second) // what is under way ends, and with it what it locks
	})
}
