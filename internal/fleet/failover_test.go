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

func TestEndedSessionsAcrossAFailover(t *testing.T) {
	s := redistest.StartSentinel(t, redistest.Options{})
	f := Start(t, Options{Pool: StartPool(t, PoolOptions{}), Store: at(s.URL),
		Settings: map[string]map[string]any{"session": {"wait_replicas": 1}}})
	stays := f.SignIn(0)
	for range failovers {
		s.WaitReplica()
		waitFor(t, "caches in use", 30*time.Second, func() bool { return hear(f) })
		browsers := signIns(f, 24)
		var cookies []string
		for _, b := range browsers {
			warm(t, f, b)
			cookies = append(cookies, b.Cookie())
		}
		old := endAndKill(t, s, browsers)
		replayAll(t, s, f, cookies, old)
		warm(t, f, stays) // a failover ends no session
		old.Restart()
	}
}

// endAndKill signs all out and kills the primary at once, and returns it. Ends
// that a replica has yet to hear of are those that a failover undoes: so the
// replica is out of touch until just before, for less than an end waits for it.
func endAndKill(t *testing.T, s *redistest.Sentinel, browsers []*Browser) *redistest.Server {
	t.Helper()
	s.WaitReplica()
	primary, replica := s.Primary(), s.Replica()
	replica.Pause()
	if err := primary.Client().Do(t.Context(), "CLIENT", "KILL", "TYPE", "replica").Err(); err != nil {
		t.Fatal(err)
	}
	back := make(chan struct{})
	go func() {
		defer close(back)
		waitUntil(time.Now().Add(300 * time.Millisecond))
		replica.Continue()
	}()
	inParallel(len(browsers), func(i int) { logOut(t, browsers[i], i%3) })
	s.KillPrimary()
	<-back
	return primary
}

// replayAll replays cookies of ended sessions to all instances, from the moment
// when the primary is killed until another has taken over, and beyond.
func replayAll(t *testing.T, s *redistest.Sentinel, f *Fleet, cookies []string, old *redistest.Server) {
	t.Helper()
	began := time.Now()
	var n, unknown, early atomic.Int64
	var over atomic.Bool
	go func() {
		defer over.Store(true)
		s.WaitPrimary(old)
	}()
	inParallel(16, func(int) {
		for !over.Load() || n.Load() < replays/failovers {
			sent := time.Since(began)
			switch a := get(t, f.With(cookies[rand.IntN(len(cookies))]), rand.IntN(3)); {
			case a.Status == http.StatusServiceUnavailable:
				unknown.Add(1)
			case a.Status == http.StatusOK && sent <= staleness:
				early.Add(1)
			case a.Status != http.StatusUnauthorized:
				t.Errorf("a replay %v after the logout is answered %d", sent, a.Status)
			}
			n.Add(1)
		}
	})
	t.Logf("%d replays in %v: %d refused, %d while nobody could say, %d served within %v of the logout", n.Load(),
		time.Since(began).Round(time.Millisecond), n.Load()-unknown.Load()-early.Load(), unknown.Load(), early.Load(), staleness)
	for i := range f.Gateways { // the sentinels know the new primary a little before a gateway does
		waitFor(t, "an instance that has found the new primary", 30*time.Second, func() bool {
			return get(t, f.With(cookies[0]), i).Status != http.StatusServiceUnavailable
		})
	}
	for _, cookie := range cookies {
		for i := range f.Gateways {
			if a := get(t, f.With(cookie), i); a.Status != http.StatusUnauthorized {
				t.Errorf("instance %d answers %d after the failover", i, a.Status)
			}
		}
	}
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
