package fleet

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
)

// TestEndedSessionsAcrossAFailover: no session whose end a replica has confirmed
// comes back with that replica.
func TestEndedSessionsAcrossAFailover(t *testing.T) {
	s := redistest.StartSentinel(t, redistest.Options{})
	f := Start(t, Options{Pool: StartPool(t, PoolOptions{}), Store: at(s.URL),
		Settings: map[string]map[string]any{"session": {"wait_replicas": 1}}})
	stays := f.SignIn(0)
	for confirmed, round := 0, 0; round < failovers || confirmed == 0; round++ {
		if round == failovers+5 {
			t.Fatal("the machine is too slow for a replica that confirms ends in time")
		}
		s.WaitReplica()
		waitFor(t, "caches in use", func() bool { return hear(f) })
		sessions := map[string]string{} // cookies, by the session's id
		browsers := signIns(f, 24)
		for _, b := range browsers {
			warm(t, f, b)
			sessions[sessionID(t, b)] = b.Cookie()
		}
		old := endAndKill(t, s, browsers)
		came := replayAll(t, s, f, sessions, old)
		for id, what := range came {
			t.Errorf("session %s, whose end was confirmed: %s", id, what)
		}
		maps.DeleteFunc(sessions, func(id, _ string) bool { return unconfirmed(f)[id] })
		confirmed += len(sessions)
		warm(t, f, stays) // a failover ends no session
		old.Restart()
	}
}

// sessionID is the public id of the browser's session.
func sessionID(t *testing.T, b *Browser) string {
	t.Helper()
	var list []struct {
		ID      string
		Current bool
	}
	a, err := b.Get(t.Context(), 0, "/auth/sessions")
	if err != nil || json.Unmarshal([]byte(a.Body), &list) != nil {
		t.Fatalf("list of sessions: %d %s, %v", a.Status, a.Body, err)
	}
	for _, e := range list {
		if e.Current {
			return e.ID
		}
	}
	t.Fatalf("no session is this one: %s", a.Body)
	return ""
}

// unconfirmed are the sessions of whose end a gateway warned that too few replicas
// had it in time, which on a busy machine may be all.
func unconfirmed(f *Fleet) map[string]bool {
	ids := map[string]bool{}
	for _, g := range f.Gateways {
		for line := range strings.Lines(g.process.logs.since(0)) {
			var said struct{ Msg, Session string }
			if json.Unmarshal([]byte(line), &said) == nil && strings.HasPrefix(said.Msg, "too few replicas have the end") {
				ids[said.Session] = true
			}
		}
	}
	return ids
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
// when the primary is killed until another has taken over, and beyond. It returns
// what came of those that should have been refused.
func replayAll(t *testing.T, s *redistest.Sentinel, f *Fleet, sessions map[string]string, old *redistest.Server) map[string]string {
	t.Helper()
	began := time.Now()
	ids := slices.Collect(maps.Keys(sessions))
	var n, unknown, early atomic.Int64
	var mu sync.Mutex
	came := map[string]string{}
	note := func(id, format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		came[id] = fmt.Sprintf(format, args...)
	}
	var over atomic.Bool
	go func() {
		defer over.Store(true)
		s.WaitPrimary(old)
	}()
	inParallel(16, func(int) {
		for !over.Load() || n.Load() < replays/failovers {
			id, sent := ids[rand.IntN(len(ids))], time.Since(began)
			switch a := get(t, f.With(sessions[id]), rand.IntN(3)); {
			case a.Status == http.StatusServiceUnavailable:
				unknown.Add(1)
			case a.Status == http.StatusOK && sent <= staleness:
				early.Add(1)
			case a.Status != http.StatusUnauthorized:
				note(id, "a replay %v after the logout is answered %d", sent, a.Status)
			}
			n.Add(1)
		}
	})
	t.Logf("%d replays in %v: %d refused, %d while nobody could say, %d served within %v of the logout", n.Load(),
		time.Since(began).Round(time.Millisecond), n.Load()-unknown.Load()-early.Load(), unknown.Load(), early.Load(), staleness)
	for i := range f.Gateways { // the sentinels know the new primary a little before a gateway does
		waitFor(t, "an instance that has found the new primary", func() bool {
			return get(t, f.With(sessions[ids[0]]), i).Status != http.StatusServiceUnavailable
		})
	}
	for id, cookie := range sessions {
		for i := range f.Gateways {
			if a := get(t, f.With(cookie), i); a.Status != http.StatusUnauthorized {
				note(id, "instance %d answers %d after the failover", i, a.Status)
			}
		}
	}
	maps.DeleteFunc(came, func(id, _ string) bool { return unconfirmed(f)[id] })
	return came
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
