package fleet

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
)

// The ends that a replica has yet to hear of are those that a failover undoes,
// so it is kept from them until just before the primary dies.
func TestEndedSessionsAcrossAFailover(t *testing.T) {
	s := redistest.StartSentinel(t, redistest.Options{})
	f := Start(t, Options{Pool: StartPool(t, PoolOptions{}), Store: at(s.URL),
		Settings: map[string]map[string]any{"session": {"wait_replicas": 1}}})
	waitFor(t, "caches in use", 30*time.Second, func() bool { return hear(f) })
	var cookies []string
	browsers := signIns(f, replays/25)
	for _, b := range browsers {
		warm(t, f, b)
		cookies = append(cookies, b.Cookie())
	}
	stays := f.SignIn(0)
	s.WaitReplica()

	old, replica := s.Primary(), s.Replica()
	replica.Pause()
	if err := old.Client().Do(t.Context(), "CLIENT", "KILL", "TYPE", "replica").Err(); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, replica.Continue)
	inParallel(len(browsers), func(i int) { logOut(t, browsers[i], i%3) })
	answered := time.Now()
	s.KillPrimary()

	var n, unknown, stale atomic.Int64
	var over atomic.Bool
	go func() {
		defer over.Store(true)
		s.WaitPrimary(old)
	}()
	inParallel(16, func(int) {
		for !over.Load() || n.Load() < replays {
			sent := time.Since(answered)
			switch a := get(t, f.With(cookies[rand.IntN(len(cookies))]), rand.IntN(3)); {
			case a.Status == http.StatusServiceUnavailable:
				unknown.Add(1)
			case a.Status == http.StatusOK && sent <= staleness:
				stale.Add(1)
			case a.Status != http.StatusUnauthorized:
				t.Errorf("a replay %v after the logout is answered %d", sent, a.Status)
			}
			n.Add(1)
		}
	})
	t.Logf("%d replays of %d ended sessions in %v: %d refused, %d while nobody could say, %d served within %v",
		n.Load(), len(cookies), time.Since(answered).Round(time.Millisecond), n.Load()-unknown.Load()-stale.Load(),
		unknown.Load(), stale.Load(), staleness)
	for _, cookie := range cookies {
		for i := range f.Gateways {
			if a := get(t, f.With(cookie), i); a.Status != http.StatusUnauthorized {
				t.Errorf("instance %d answers %d after the failover", i, a.Status)
			}
		}
	}
	warm(t, f, stays) // the failover ended no other session
}

func logOut(t *testing.T, b *Browser, instance int) {
	t.Helper()
	if a, err := b.Post(t.Context(), instance, "/auth/logout", "{}"); err != nil || a.Status != http.StatusOK {
		t.Errorf("logout: %d %s, %v", a.Status, a.Body, err)
	}
}

// What it costs stands in docs/sessions.md; asserted is only that it works.
func TestCostOfWaitingForReplicas(t *testing.T) {
	s := redistest.StartSentinel(t, redistest.Options{})
	pool := StartPool(t, PoolOptions{})
	s.WaitReplica()
	const n = replays / 20
	for _, replicas := range []int{0, 1} {
		f := Start(t, Options{Instances: 1, Pool: pool, Store: at(s.URL),
			Settings: map[string]map[string]any{"session": {"wait_replicas": replicas}}})
		var took []time.Duration
		for range n {
			b := f.SignIn(0)
			began := time.Now()
			logOut(t, b, 0)
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		t.Logf("wait_replicas %d: %d logouts one after another, p50 %v, p99 %v", replicas, n,
			took[len(took)/2], took[len(took)*99/100])
	}
}
