package session_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// TestLeaseWaits: who waits for another instance's refresh is counted by how
// that ended, and who need not wait is not.
func TestLeaseWaits(t *testing.T) {
	// two has a second instance ask for s while the first refreshes it.
	two := func(t *testing.T, w *world, meanwhile func(*session.Session)) {
		fleet := w.fleet(2, true)
		s := w.login()
		time.Sleep(justPast)
		var all sync.WaitGroup
		all.Go(func() { _, _, _ = fresh(t, fleet[0], s) })
		synctest.Wait()
		all.Go(func() { _, _, _ = fresh(t, fleet[1], s) })
		time.Sleep(time.Second)
		meanwhile(s)
		all.Wait()
	}
	wants := func(t *testing.T, w *world, outcome string, longest time.Duration) {
		t.Helper()
		if w.outcome("lease "+outcome) != 1 || w.longestOf("lease") != longest {
			t.Errorf("%v, longest %v; want one %s of %v", w.outcomes, w.longestOf("lease"), outcome, longest)
		}
	}
	inBubble(t, map[string]func(*testing.T, *world){
		"the_others_result_is_adopted": func(t *testing.T, w *world) {
			w.provider.delay = 3 * time.Second
			two(t, w, func(*session.Session) {})
			wants(t, w, session.OutcomeAdopted, 3*time.Second)
		},
		"the_lease_is_taken_over_from_one_that_gave_up": func(t *testing.T, w *world) {
			w.provider.delay, w.provider.fault = 3*time.Second, errors.New("bug")
			two(t, w, func(*session.Session) {})
			if w.outcome("lease "+session.OutcomeTaken) != 1 || w.longestOf("lease") < 3*time.Second {
				t.Errorf("%v, longest %v", w.outcomes, w.longestOf("lease"))
			}
		},
		"the_session_ends_meanwhile": func(t *testing.T, w *world) {
			w.provider.delay = 3 * time.Second
			two(t, w, func(s *session.Session) {
				if _, err := w.m.End(t.Context(), s.Handle, session.ReasonLogout); err != nil {
					t.Error(err)
				}
			})
			wants(t, w, session.OutcomeEnded, time.Second)
		},
		"the_store_fails_meanwhile": func(t *testing.T, w *world) {
			w.provider.delay = 3 * time.Second
			two(t, w, func(*session.Session) { w.store.setAway(true, "acquire") })
			if w.outcome("lease "+session.OutcomeStore) != 1 {
				t.Errorf("%v", w.outcomes)
			}
		},
		"the_other_takes_too_long": func(t *testing.T, w *world) {
			s := w.login()
			time.Sleep(justPast)
			if ok, err := w.store.Acquire(t.Context(), s.ID, "other", time.Hour); !ok || err != nil {
				t.Fatal(ok, err)
			}
			_, _, err := fresh(t, w.m, s)
			wantErr(t, err, oauth.ErrUnavailable)
			if w.outcome("lease "+session.OutcomeTimedOut) != 1 || w.longestOf("lease") < refreshTimeout {
				t.Errorf("%v, longest %v", w.outcomes, w.longestOf("lease"))
			}
		},
		"nobody_else_is_there": func(t *testing.T, w *world) {
			s := w.login()
			time.Sleep(justPast)
			if _, _, err := fresh(t, w.m, s); err != nil || len(w.outcomes) != 1 {
				t.Errorf("%v, %v", w.outcomes, err)
			}
		},
	})
}

type traceKey struct{}

// TestWorkBehindARequestCarriesItsValues: what outlives a request goes on in its
// trace, and does not end with it.
func TestWorkBehindARequestCarriesItsValues(t *testing.T) {
	inBubble(t, map[string]func(*testing.T, *world){"and_not_its_end": func(t *testing.T, w *world) {
		pool := &userPool{}
		w.check = session.UserCheck{Every: checkEvery, Ask: pool.ask}
		w.trace = func(ctx context.Context, kind string) {
			if ctx.Value(traceKey{}) != "a" || ctx.Err() != nil {
				t.Errorf("%s has lost its request: %v", kind, ctx.Err())
			}
		}
		m, s := w.instance(), w.login()
		time.Sleep(checkEvery)
		w.provider.delay = time.Second
		pool.set(oauth.ErrGrantRevoked, time.Second) // so that a refresh is asked
		request, leave := context.WithTimeout(context.WithValue(t.Context(), traceKey{}, "a"), time.Millisecond)
		defer leave()
		if _, err := ask(request, m, s); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v, want the context's", err)
		}
		time.Sleep(time.Minute)
		w.store.setAway(true, "delete")
		if _, err := m.End(request, s.Handle, session.ReasonLogout); !errors.Is(err, session.ErrUnavailable) {
			t.Errorf("End: %v", err)
		}
		w.store.setAway(false, "delete")
		time.Sleep(time.Minute)
		for _, kind := range []string{"check refused", "refresh done", "delete done", "revoke done"} {
			if w.outcome(kind) != 1 {
				t.Errorf("%q is told of %d times", kind, w.outcome(kind))
			}
		}
	}})
}

func TestUserCheckOutcomes(t *testing.T) {
	for want, fault := range map[string]error{
		session.OutcomeDone:          nil,
		session.OutcomeRefused:       oauth.ErrGrantRevoked,
		session.OutcomeUnavailable:   oauth.ErrUnavailable,
		session.OutcomeMisconfigured: oauth.ErrMisconfigured,
		session.OutcomeFailed:        errors.New("bug"),
	} {
		inBubble(t, map[string]func(*testing.T, *world){want: func(t *testing.T, w *world) {
			pool, m := checking(w)
			s := w.login()
			time.Sleep(checkEvery)
			pool.set(fault, 0)
			_, _ = ask(t.Context(), m, s)
			if w.outcome("check "+want) != 1 {
				t.Errorf("%v", w.outcomes)
			}
		}})
	}
	inBubble(t, map[string]func(*testing.T, *world){session.OutcomeDropped: func(t *testing.T, w *world) {
		pool, m := checking(w)
		all := make([]*session.Session, 10)
		for i := range all {
			all[i] = w.login()
		}
		time.Sleep(checkEvery)
		pool.set(oauth.ErrUnavailable, 0)
		for _, s := range all {
			serves(t, m, s)
		}
		if asked, not := w.outcome("check "+session.OutcomeUnavailable), w.outcome("check "+session.OutcomeDropped); asked != 5 || not != 5 {
			t.Errorf("%v", w.outcomes)
		}
	}})
}

// TestCacheFigures: what an operator is told of the cache is true.
func TestCacheFigures(t *testing.T) {
	counts := func(t *testing.T, m *session.Manager, hits, misses, bypasses uint64) {
		t.Helper()
		st := m.Stats()
		if st.CacheHits != hits || st.CacheMisses != misses || st.CacheBypasses != bypasses {
			t.Errorf("%d hits, %d misses, %d bypasses; want %d, %d, %d",
				st.CacheHits, st.CacheMisses, st.CacheBypasses, hits, misses, bypasses)
		}
	}
	inBubble(t, map[string]func(*testing.T, *world){
		"hits_misses_and_bypasses_are_told_apart": func(t *testing.T, w *world) {
			w.cache = 1 << 20
			m, s := w.listening(), w.login()
			for range 5 {
				serves(t, m, s)
			}
			counts(t, m, 4, 1, 0)
			w.store.setAway(true, "watch")
			time.Sleep(2 * time.Second)
			for range 3 {
				serves(t, m, s)
			}
			counts(t, m, 4, 1, 3)
		},
		"where_there_is_no_cache_nothing_is_counted": func(t *testing.T, w *world) {
			m, s := w.listening(), w.login()
			serves(t, m, s)
			time.Sleep(time.Second)
			counts(t, m, 0, 0, 0)
			if st := m.Stats(); st.CacheStaleness != 0 || w.longestOf("gap") != 0 {
				t.Errorf("%+v, gap %v", st, w.longestOf("gap"))
			}
		},
		"staleness_grows_with_silence_until_the_cache_is_not_asked": func(t *testing.T, w *world) {
			w.cache = 1 << 20
			w.store.unaware = true
			m, s := w.listening(), w.login()
			time.Sleep(10 * session.Heartbeat)
			if st := m.Stats(); st.CacheStaleness != 0 {
				t.Errorf("of an empty cache %v", st.CacheStaleness)
			}
			serves(t, m, s)
			w.store.setAway(true, "watch")
			var worst time.Duration
			for range 200 {
				st := m.Stats()
				if st.CacheStaleness > 0 && !st.Listening {
					t.Errorf("%v of a cache that is not asked", st.CacheStaleness)
				}
				worst = max(worst, st.CacheStaleness)
				time.Sleep(10 * time.Millisecond)
			}
			if worst < 700*time.Millisecond || worst > 750*time.Millisecond {
				t.Errorf("staleness %v at worst", worst)
			}
			if m.Stats().CacheStaleness != 0 {
				t.Error("stale for ever")
			}
		},
		"the_gap_between_two_signs_of_life_spans_an_outage": func(t *testing.T, w *world) {
			w.cache = 1 << 20
			w.listening()
			time.Sleep(time.Minute)
			if w.longestOf("gap") != session.Heartbeat {
				t.Errorf("gap %v", w.longestOf("gap"))
			}
			w.store.setAway(true, "watch")
			time.Sleep(10 * time.Second)
			w.store.setAway(false, "watch")
			time.Sleep(time.Second)
			if gap := w.longestOf("gap"); gap < 10*time.Second || gap > 11*time.Second {
				t.Errorf("gap %v", gap)
			}
		},
	})
}
