package session_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// TestEndAcrossAFailover: three instances with warm caches behind Sentinel, and
// sessions that end all the while a primary is replaced. No instance serves one
// from its cache more than a second after its end was answered, or after its own
// client found the primary that knows of the end: before that, no question to
// the store would have told either.
func TestEndAcrossAFailover(t *testing.T) {
	topology := redistest.StartSentinel(t, redistest.Options{})
	for name, failover := range map[string]func(){
		"in_order": func() {
			// As by default: the old primary is left as it was for four of these.
			publishEvery(t, topology, "2000")
			topology.Failover()
			topology.WaitReplica()
			publishEvery(t, topology, "500")
		},
		"of_a_primary_that_hangs_and_comes_back": func() {
			old := topology.Primary()
			old.Pause()
			topology.WaitPrimary(old)
			old.Continue()
		},
	} {
		t.Run(name, func(t *testing.T) {
			topology.WaitReplica()
			e := newEndings(t, topology.URL)
			var ending sync.WaitGroup
			over := make(chan struct{})
			ending.Go(func() { e.run(over) })
			failover()
			topology.WaitReplica()
			close(over)
			ending.Wait()
			t.Logf("%d sessions ended; the last use of a cache was asked for %v after it could be known", e.ended, e.late)
			if e.ended == 0 || e.late > time.Second {
				t.Errorf("%d sessions ended, a use was asked for %v after it could be known, and had", e.ended, e.late)
			}
			for i, m := range e.fleet {
				waitFor(t, "listening again", func() bool { return m.Stats().Listening })
				waitFor(t, "answered again", func() bool { return e.stores[i].Ping(t.Context()) == nil })
			}
		})
	}
}

func publishEvery(t *testing.T, topology *redistest.Sentinel, ms string) {
	for _, s := range topology.Sentinels {
		if err := s.Client().Do(t.Context(), "SENTINEL", "DEBUG", "PUBLISH-PERIOD", ms).Err(); err != nil {
			t.Error(err)
		}
	}
}

// endings are sessions that end one after the other.
type endings struct {
	t      *testing.T
	pool   *provider
	fleet  []*session.Manager
	stores []session.Store

	mu    sync.Mutex
	ended int
	late  time.Duration // the latest that one was asked for that a cache served
}

func newEndings(t *testing.T, url string) *endings {
	e := &endings{t: t, pool: newProvider()}
	for range 3 {
		m, st := gatewayAt(t, url, e.pool, redisCache)
		e.fleet, e.stores = append(e.fleet, m), append(e.stores, st)
	}
	return e
}

// run ends sessions until over, and watches each.
func (e *endings) run(over <-chan struct{}) {
	var watching sync.WaitGroup
	defer watching.Wait()
	for n := 0; ; n++ {
		select {
		case <-over:
			return
		case <-time.After(20 * time.Millisecond):
		}
		if s := e.end(n % len(e.fleet)); s != nil {
			for i := range e.fleet {
				watching.Go(func() { e.watch(i, s) })
			}
		}
	}
}

// end opens a session on all instances and ends it at one; nil where the store
// was away.
func (e *endings) end(at int) *session.Session {
	s, err := e.fleet[at].Create(e.t.Context(), session.New{Tokens: e.pool.login()}, session.Handle{})
	if err != nil {
		return nil
	}
	for _, m := range e.fleet {
		if _, err := m.Load(e.t.Context(), s.Handle); err != nil {
			return nil
		}
	}
	if _, err := e.fleet[at].End(e.t.Context(), s.Handle, session.ReasonLogout); err != nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended++
	return s
}

// watch asks an instance for an ended session, and its store before that, until
// both refuse it. What the store does not know of for three seconds was undone by
// the failover. What counts is when it was asked for: an answer may be late on a
// busy machine.
func (e *endings) watch(i int, s *session.Session) {
	var known time.Time
	for began := time.Now(); time.Since(began) < 3*time.Second; <-time.After(5 * time.Millisecond) {
		_, err := e.stores[i].Load(e.t.Context(), s.Handle)
		if known.IsZero() && errors.Is(err, session.ErrNotFound) {
			known = time.Now()
		}
		asked := time.Now()
		_, err = e.fleet[i].Load(e.t.Context(), s.Handle)
		switch {
		case known.IsZero():
		case err == nil:
			e.served(asked.Sub(known))
		case errors.Is(err, session.ErrNotFound):
			return
		}
	}
}

func (e *endings) served(late time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.late = max(e.late, late)
}
