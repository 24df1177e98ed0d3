package sessionstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

// TestRedisGathers: of many who ask at a time each gets what it asked for, at one GET
// each, however many go together and whoever leaves meanwhile.
func TestRedisGathers(t *testing.T) {
	const sessions, askers, rounds = 50, 64, 30
	server := redistest.Start(t, redistest.Options{})
	st := openRedis(t, server, 30*time.Minute)
	var all []*session.Session
	for i := range sessions {
		all = append(all, createIn(t, st, storetest.Sample(fmt.Sprintf("sub-%d", i))))
	}
	absent := session.NewHandle()
	admin := server.Client()
	if err := admin.ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	var asking sync.WaitGroup
	for asker := range askers {
		asking.Go(func() {
			for round := range rounds {
				want := all[(asker*7+round)%sessions]
				got, err := st.Load(t.Context(), want.Handle)
				if err != nil || got.ID != want.ID || got.Subject != want.Subject || !got.Bearer.Equal(want.Bearer) {
					t.Errorf("Load of %s = %v, %v", want.Subject, got, err)
				}
				if _, err := st.Load(t.Context(), absent); !errors.Is(err, session.ErrNotFound) {
					t.Errorf("Load of one that is absent: %v", err)
				}
				gone, leave := context.WithCancel(t.Context())
				leave()
				if s, err := st.Load(gone, want.Handle); s != nil || !errors.Is(err, context.Canceled) {
					t.Errorf("Load by one who left = %v, %v", s, err)
				}
			}
		})
	}
	asking.Wait()
	stats := admin.Info(t.Context(), "commandstats").Val()
	if want := fmt.Sprintf("cmdstat_get:calls=%d,", 2*askers*rounds); !strings.Contains(stats, want) {
		t.Errorf("%s is not in\n%s", want, stats)
	}
}

// TestRedisGathersOnFewConnections: it does not take a connection for each.
func TestRedisGathersOnFewConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNet()
		st, closes := n.store(t, "redis://server")
		defer closes()
		loadAtOnce(t, st, session.NewHandle(), session.ErrNotFound)
		if got := n.connections(); got == 0 || got > sessionstore.MostExchanges {
			t.Errorf("%d connections, want %d", got, sessionstore.MostExchanges)
		}
	})
}

// TestRedisGathersInVain: whatever becomes of a server, none of those who wait
// together is told that its session is gone, and when it is back all are answered.
func TestRedisGathersInVain(t *testing.T) {
	everyWay(t, func(t *testing.T, n *fakeNet, url, server string, w way) {
		st, closes := n.store(t, url)
		defer closes()
		h := handleAt(t, n, st, server)
		loadAtOnce(t, st, h, session.ErrNotFound)
		n.set(w, server)
		loadAtOnce(t, st, h, session.ErrUnavailable)
		n.set(whole)
		time.Sleep(2 * time.Second)
		loadAtOnce(t, st, h, session.ErrNotFound)
	})
}

// loadAtOnce asks for a session many times at a time: fewer than a node of a cluster
// gets connections, for whose end the driver waits by timers of the real time.
func loadAtOnce(t *testing.T, st session.Store, h session.Handle, want error) {
	t.Helper()
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() {
			began := time.Now()
			_, err := st.Load(t.Context(), h)
			if took := time.Since(began); !errors.Is(err, want) || took > session.StoreTimeout {
				t.Errorf("Load: %v after %v, want %v within %v", err, took, want, session.StoreTimeout)
			}
		})
	}
	asking.Wait()
}
