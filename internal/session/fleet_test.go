package session_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// fleet returns n further instances.
func (w *world) fleet(n int, listen bool) []*session.Manager {
	fleet := make([]*session.Manager, n)
	for i := range fleet {
		if listen {
			fleet[i] = w.listening()
		} else {
			fleet[i] = w.instance()
		}
	}
	return fleet
}

// storm has every instance ask for a fresh session n times at once, and returns
// the last answer and the longest wait.
func storm(t *testing.T, fleet []*session.Manager, s *session.Session, n int) (got *session.Session, longest time.Duration) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, m := range fleet {
		for range n {
			wg.Go(func() {
				began := time.Now()
				loaded, err := m.Load(t.Context(), s.Handle)
				if err == nil {
					loaded, err = m.Fresh(t.Context(), loaded)
				}
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("after %v: %v", time.Since(began), err)
					return
				}
				if got != nil && got.Generation != loaded.Generation {
					t.Errorf("generations %d and %d", got.Generation, loaded.Generation)
				}
				got, longest = loaded, max(longest, time.Since(began))
			})
		}
	}
	wg.Wait()
	return got, longest
}

// TestFleet: three instances, 150 requests at the moment of expiry, a provider
// that rotates.
func TestFleet(t *testing.T) {
	cases := map[string]func(*testing.T, *world){}
	for _, listen := range []bool{true, false} {
		for _, delay := range []time.Duration{0, 100 * time.Millisecond, 4 * time.Second, refreshTimeout - time.Second} {
			how, late := "by_message", time.Duration(0)
			if !listen {
				how, late = "by_asking", 500*time.Millisecond
			}
			cases[fmt.Sprintf("one_call_of_%v_serves_all_%s", delay, how)] = func(t *testing.T, w *world) {
				w.provider.rotate, w.provider.delay = true, delay
				w.cache = 1 << 20
				fleet := w.fleet(3, listen)
				s := w.login()
				time.Sleep(justPast)
				got, longest := storm(t, fleet, s, 50)
				w.wantCalls(1)
				if got.Generation != 1 || longest > delay+late {
					t.Errorf("generation %d after %v", got.Generation, longest)
				}
			}
		}
	}
	cases["every_second_answer_lost_with_grace_costs_two_calls"] = func(t *testing.T, w *world) {
		w.provider.rotate, w.provider.delay = true, 200*time.Millisecond
		w.provider.grace, w.grace = 30*time.Second, 30*time.Second
		w.provider.lose = func(n int) bool { return n%2 == 1 }
		w.provider.life = 10 * time.Second
		fleet := w.fleet(3, true)
		s := w.login()
		for cycle := range uint64(1000) {
			time.Sleep(w.provider.life + time.Second)
			if _, err := fleet[0].Touch(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			each := 3
			if cycle%50 == 0 {
				each = 50
			}
			before := w.provider.callCount()
			s, _ = storm(t, fleet, s, each)
			if n := w.provider.callCount() - before; n > 2 || s.Generation != cycle+1 {
				t.Fatalf("cycle %d: %d calls, generation %d", cycle, n, s.Generation)
			}
		}
	}
	cases["an_answer_lost_without_grace_costs_one_clean_login"] = func(t *testing.T, w *world) {
		w.provider.rotate = true
		w.provider.lose = func(n int) bool { return n == 1 }
		fleet := w.fleet(3, true)
		s := w.login()
		time.Sleep(justPast)
		for _, m := range append(fleet, fleet...) {
			_, err := m.Fresh(t.Context(), s)
			if !errors.Is(err, oauth.ErrUnavailable) && !errors.Is(err, session.ErrNotFound) {
				t.Errorf("Fresh: %v", err)
			}
			time.Sleep(time.Second)
		}
		w.wantEnded(s)
		w.wantCalls(2)
	}
	cases["an_owner_that_died_is_followed_by_the_next"] = func(t *testing.T, w *world) {
		fleet := w.fleet(3, true)
		s := w.login()
		const term = 12 * time.Second
		time.Sleep(soonDue)
		if ok, err := w.store.Acquire(t.Context(), s.ID, "dead", time.Minute); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if _, longest := storm(t, fleet, s, 50); longest != 0 {
			t.Errorf("waited %v with a token that holds", longest)
		}
		time.Sleep(beforeExpiry)
		if ok, err := w.store.Acquire(t.Context(), s.ID, "dead", term); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if _, longest := storm(t, fleet, s, 50); longest < term || longest > term+time.Second {
			t.Errorf("waited %v", longest)
		}
		w.wantCalls(1)
	}
	// deaf has an owner go on with its call and lose the store, as if it had died,
	// and returns how long the next one took.
	deaf := func(t *testing.T, w *world) time.Duration {
		w.provider.rotate, w.provider.delay = true, time.Hour
		w.provider.grace = w.grace
		fleet := w.fleet(2, true)
		s := w.login()
		time.Sleep(justPast)
		var owner sync.WaitGroup
		owner.Go(func() { _, _ = fleet[0].Fresh(t.Context(), s) })
		synctest.Wait()
		w.store.setAway(true, "renew", "release")
		w.provider.set(func(p *provider) { p.delay = 0 })
		_, took := storm(t, fleet[1:], s, 10)
		owner.Wait()
		w.store.setAway(false, "renew", "release")
		if got := w.load(s); got.Generation != 1 {
			t.Errorf("generation %d", got.Generation)
		}
		return took
	}
	cases["an_owner_that_is_gone_costs_seconds_where_a_rotated_token_works_on"] = func(t *testing.T, w *world) {
		w.grace = 30 * time.Second
		if took := deaf(t, w); took < 3*time.Second || took > 5*time.Second {
			t.Errorf("waited %v", took)
		}
	}
	for _, grace := range []time.Duration{0, refreshTimeout - time.Second} {
		cases[fmt.Sprintf("an_owner_that_is_gone_is_given_its_call_with_a_grace_of_%v", grace)] = func(t *testing.T, w *world) {
			w.grace = grace
			if took := deaf(t, w); took < refreshTimeout || took > refreshTimeout+2*session.StoreTimeout+time.Second {
				t.Errorf("waited %v", took)
			}
		}
	}
	cases["one_renewal_that_fails_loses_no_lease"] = func(t *testing.T, w *world) {
		w.provider.rotate, w.provider.delay = true, refreshTimeout-time.Second
		w.provider.grace, w.grace = 30*time.Second, 30*time.Second
		fleet := w.fleet(3, true)
		s := w.login()
		time.Sleep(justPast)
		w.store.setAway(true, "renew")
		time.AfterFunc(session.StoreTimeout+time.Second, func() { w.store.setAway(false, "renew") })
		storm(t, fleet, s, 10)
		w.wantCalls(1)
	}
	cases["work_longer_than_a_lease_term_keeps_the_others_away"] = func(t *testing.T, w *world) {
		w.provider.rotate, w.provider.delay = true, time.Hour
		w.provider.grace, w.grace = 30*time.Second, 30*time.Second
		fleet := w.fleet(3, true)
		s := w.login()
		time.Sleep(justPast)
		time.AfterFunc(refreshTimeout/2, func() {
			w.provider.set(func(p *provider) { p.delay = refreshTimeout - time.Second })
		})
		_, longest := storm(t, fleet, s, 50) // a call cut off, and one more of 9 s
		w.wantCalls(2)
		if longest < 2*refreshTimeout-time.Second || longest > 2*refreshTimeout {
			t.Errorf("waited %v", longest)
		}
	}
	cases["a_lease_whose_grant_was_not_heard_is_given_back"] = func(t *testing.T, w *world) {
		fleet := w.fleet(2, true)
		s := w.login()
		time.Sleep(justPast)
		w.store.grants = true
		w.store.setAway(true, "acquire")
		_, err := fleet[0].Fresh(t.Context(), s)
		wantErr(t, err, session.ErrUnavailable)
		w.store.setAway(false, "acquire")
		if _, took, err := fresh(t, fleet[1], s); err != nil || took > 3*time.Second {
			t.Errorf("another instance's turn came after %v, %v", took, err)
		}
		w.wantCalls(1)
	}
	cases["no_second_call_is_made_without_the_lease"] = func(t *testing.T, w *world) {
		w.provider.rotate, w.provider.grace, w.grace = true, 30*time.Second, 30*time.Second
		w.provider.lose = func(n int) bool { return n == 1 }
		fleet := w.fleet(2, true)
		s := w.login()
		time.Sleep(justPast)
		w.store.setAway(true, "renew")
		_, err := fleet[0].Fresh(t.Context(), s)
		wantErr(t, err, oauth.ErrUnavailable)
		w.wantCalls(1)
		w.store.setAway(false, "renew")
		if got, err := fleet[1].Fresh(t.Context(), s); err != nil || got.Generation != 1 {
			t.Errorf("Fresh = %v, %v", got, err)
		}
		w.wantCalls(2)
	}
	cases["tokens_that_wait_for_the_store_outlive_the_lease"] = func(t *testing.T, w *world) {
		w.provider.rotate = true
		fleet := w.fleet(2, true)
		for i := range 100 {
			w.provider.set(func(p *provider) { p.good, p.transit = map[string]bool{}, time.Second })
			s := w.login()
			time.Sleep(justPast)
			time.AfterFunc(time.Second/2, func() { w.store.setAway(true, "all") })
			_, err := fleet[0].Fresh(t.Context(), s) // redeemed, and told that the store is away
			wantErr(t, err, session.ErrUnavailable)
			time.Sleep(30*time.Second + time.Duration(i)*5*time.Millisecond)
			w.provider.set(func(p *provider) { p.transit = 0 })
			w.store.setAway(false, "all")
			if got, err := fleet[1].Fresh(t.Context(), s); err != nil || got.Generation != 1 {
				t.Fatalf("%d: Fresh = %v, %v", i, got, err)
			}
			time.Sleep(time.Second)
			if n := w.provider.living(); n != 1 {
				t.Fatalf("%d: %d refresh tokens work", i, n)
			}
		}
	}
	cases["a_logout_elsewhere_during_a_refresh_holds"] = func(t *testing.T, w *world) {
		w.provider.rotate, w.provider.transit = true, 2*time.Second
		fleet := w.fleet(3, true)
		s := w.login()
		time.Sleep(justPast)
		var wg sync.WaitGroup
		for _, m := range fleet[:2] {
			wg.Go(func() {
				_, err := m.Fresh(t.Context(), s)
				wantErr(t, err, session.ErrNotFound)
			})
		}
		time.Sleep(time.Second)
		if _, err := fleet[2].End(t.Context(), s.Handle, session.ReasonLogout); err != nil {
			t.Error(err)
		}
		wg.Wait()
		w.wantEnded(s)
		w.wantRevoked("refresh-1", "refresh-2")
	}
	cases["store_trouble_while_waiting_is_told_and_ends_nothing"] = func(t *testing.T, w *world) {
		w.provider.rotate, w.provider.delay = true, 2*time.Second
		fleet := w.fleet(2, true)
		s := w.login()
		time.Sleep(justPast)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := fleet[0].Fresh(t.Context(), s); err != nil {
				t.Errorf("owner: %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			_, err := fleet[1].Fresh(t.Context(), s)
			wantErr(t, err, session.ErrUnavailable)
		})
		time.Sleep(time.Second)
		w.store.setAway(true, "acquire")
		wg.Wait()
		w.store.setAway(false, "acquire")
		if g := w.load(s).Generation; g != 1 {
			t.Errorf("generation %d", g)
		}
	}
	inBubble(t, cases)
}

// TestOutage: a provider that is away is not hammered, and back at once.
func TestOutage(t *testing.T) {
	const sessions = 100
	inBubble(t, map[string]func(*testing.T, *world){
		"is_met_with_few_calls_and_over_within_two_seconds": func(t *testing.T, w *world) {
			fleet := w.fleet(3, true)
			all := make([]*session.Session, sessions)
			for i := range all {
				all[i] = w.login()
			}
			time.Sleep(justPast)
			w.provider.set(func(p *provider) { p.fault = oauth.ErrUnavailable })
			var stop, served atomic.Bool
			var healthy [sessions]atomic.Bool
			var wg sync.WaitGroup
			for i, s := range all {
				wg.Go(func() {
					for !stop.Load() {
						_, err := fleet[i%len(fleet)].Fresh(t.Context(), s)
						healthy[i].Store(err == nil)
						served.Store(served.Load() || err == nil)
						time.Sleep(50*time.Millisecond + time.Duration(i)*time.Microsecond)
					}
				})
			}
			time.Sleep(5 * time.Second)
			before := w.provider.callCount()
			time.Sleep(time.Minute)
			if n := w.provider.callCount() - before; served.Load() || n > 3*2*60 {
				t.Errorf("%d calls in a minute, served %v", n, served.Load())
			}
			if st := fleet[0].Stats(); !st.BreakerOpen || st.BreakerRefusals < 60 {
				t.Errorf("the breaker: %+v", st)
			}
			w.provider.set(func(p *provider) { p.fault = nil })
			time.Sleep(2 * time.Second)
			for i := range healthy {
				if !healthy[i].Load() {
					t.Errorf("session %d has not recovered", i)
				}
			}
			stop.Store(true)
			wg.Wait()
		},
		"lets_one_call_through_at_a_time": func(t *testing.T, w *world) {
			m := w.listening()
			w.provider.set(func(p *provider) { p.fault, p.delay = oauth.ErrUnavailable, 3*time.Second })
			var all []*session.Session
			for range sessions {
				all = append(all, w.login())
			}
			time.Sleep(justPast)
			ask := func() {
				var wg sync.WaitGroup
				for _, s := range all {
					wg.Go(func() {
						_, err := m.Fresh(t.Context(), s)
						wantErr(t, err, oauth.ErrUnavailable)
					})
				}
				wg.Wait()
			}
			ask()
			if n := w.provider.callCount(); n > 32+4 { // the first failures let the next ones in
				t.Errorf("%d calls before the breaker opened", n)
			}
			time.Sleep(2 * time.Second)
			before := w.provider.callCount()
			ask()
			if n := w.provider.callCount() - before; n != 1 {
				t.Errorf("%d probes", n)
			}
		},
		"does_not_hide_what_another_instance_refreshed": func(t *testing.T, w *world) {
			fleet := w.fleet(2, true)
			var all []*session.Session
			for range 10 {
				all = append(all, w.login())
			}
			time.Sleep(justPast)
			w.provider.set(func(p *provider) { p.fault = oauth.ErrUnavailable })
			for _, s := range all[1:] {
				_, err := fleet[0].Fresh(t.Context(), s)
				wantErr(t, err, oauth.ErrUnavailable)
			}
			if !fleet[0].Stats().BreakerOpen {
				t.Fatal("the breaker is closed")
			}
			w.provider.set(func(p *provider) { p.fault = nil })
			if _, err := fleet[1].Fresh(t.Context(), all[0]); err != nil {
				t.Fatal(err)
			}
			if got, err := fleet[0].Fresh(t.Context(), all[0]); err != nil || got.Generation != 1 {
				t.Errorf("Fresh = %v, %v", got, err)
			}
		},
	})
}

// TestEndIsSeenEverywhere: instances that cache serve no session that ended a
// second ago, whatever happened to their subscriptions.
func TestEndIsSeenEverywhere(t *testing.T) {
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			w := newWorld(t)
			defer w.drain()
			w.cache = 1 << 20
			w.store.unaware = seed%2 == 0
			fleet := w.fleet(3, true)
			s := w.login()
			deafAt, endAt := time.Duration(r.IntN(2000))*time.Millisecond, time.Duration(r.IntN(2000))*time.Millisecond
			deafFor := time.Duration(r.IntN(3000)) * time.Millisecond
			time.AfterFunc(deafAt, func() { w.store.setAway(true, "watch") })
			time.AfterFunc(deafAt+deafFor, func() { w.store.setAway(false, "watch") })
			var ended time.Time
			for began := time.Now(); time.Since(began) < 5*time.Second; time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond) {
				if ended.IsZero() && time.Since(began) >= endAt {
					if _, err := fleet[0].End(t.Context(), s.Handle, session.ReasonLogout); err != nil {
						t.Fatal(err)
					}
					ended = time.Now()
				}
				for i, m := range fleet {
					_, err := m.Load(t.Context(), s.Handle)
					switch late := time.Since(ended); {
					case ended.IsZero() && err != nil:
						t.Fatalf("seed %d: %v", seed, err)
					case !ended.IsZero() && err == nil && (i == 0 || late > time.Second):
						t.Fatalf("seed %d: instance %d serves it %v after its end", seed, i, late)
					}
				}
			}
		})
	}
}
