package session_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func TestFreshFailures(t *testing.T) {
	// keeps: whatever these faults say, the token in hand serves while it is
	// valid, then the fault is told, and the session is there when it is over.
	keeps := func(fault error) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			s := w.login()
			w.provider.set(func(p *provider) { p.fault = fault })
			time.Sleep(soonDue)
			if got, took, err := fresh(t, w.m, s); got != s || took != 0 || err != nil {
				t.Errorf("Fresh = %v, %v after %v; want the token in hand", got, err, took)
			}
			time.Sleep(beforeExpiry)
			_, _, err := fresh(t, w.m, s)
			wantErr(t, err, fault)
			if errors.Is(err, session.ErrNotFound) {
				t.Error("the session is said to be over")
			}
			w.provider.set(func(p *provider) { p.fault = nil })
			time.Sleep(2 * time.Second)
			if got, _, err := fresh(t, w.m, s); err != nil || got.Generation != 1 {
				t.Errorf("after the fault: Fresh = %v, %v", got, err)
			}
		}
	}
	inBubble(t, map[string]func(*testing.T, *world){
		"outage_serves_the_token_in_hand":           keeps(oauth.ErrUnavailable),
		"misconfiguration_never_ends_a_session":     keeps(oauth.ErrMisconfigured),
		"an_unverifiable_answer_ends_no_session":    keeps(oauth.ErrInvalidToken),
		"an_unknown_error_ends_no_session":          keeps(errors.New("bug")),
		"store_outage_at_the_reload_ends_nothing":   storeOutageAtReload,
		"store_outage_at_the_save_loses_no_token":   storeOutageAtSave,
		"a_provider_that_hangs_is_cut_off":          hangingProvider,
		"a_failure_is_not_repeated_by_each_request": failuresBackOff,
		"a_revoked_grant_ends_the_session": func(t *testing.T, w *world) {
			s := w.login()
			clear(w.provider.good)
			time.Sleep(justPast)
			_, _, err := fresh(t, w.m, s)
			wantErr(t, err, session.ErrNotFound)
			w.wantEnded(s)
			if w.outcome("refresh ended") != 1 {
				t.Errorf("outcomes %v", w.outcomes)
			}
		},
		"a_revoked_grant_found_early_ends_the_session_at_the_next_request": func(t *testing.T, w *world) {
			s := w.login()
			clear(w.provider.good)
			time.Sleep(soonDue)
			if got, _, err := fresh(t, w.m, s); got != s || err != nil {
				t.Errorf("Fresh = %v, %v", got, err)
			}
			time.Sleep(time.Second)
			w.wantEnded(s)
		},
		"a_revoked_grant_and_no_store_ends_nothing": func(t *testing.T, w *world) {
			s := w.login()
			clear(w.provider.good)
			w.store.setAway(true, "delete")
			time.Sleep(justPast)
			_, _, err := fresh(t, w.m, s)
			wantErr(t, err, session.ErrUnavailable)
			w.load(s)
		},
		"tokens_of_another_subject_are_refused": func(t *testing.T, w *world) {
			s := w.login()
			w.provider.subject = "sub-2"
			time.Sleep(justPast)
			_, _, err := fresh(t, w.m, s)
			wantErr(t, err, oauth.ErrInvalidToken)
			if got := w.load(s); got.Subject != "sub-1" || got.Generation != 0 {
				t.Errorf("session of %s, generation %d", got.Subject, got.Generation)
			}
		},
		"a_panic_lets_the_waiters_go": func(t *testing.T, w *world) {
			s := w.login()
			w.provider.panics = true
			time.Sleep(justPast)
			_, _, err := fresh(t, w.m, s)
			wantErr(t, err, session.ErrUnavailable)
			if err := w.m.Drain(t.Context()); err != nil {
				t.Error(err)
			}
		},
	})
}

// TestToldToWait: what a provider says of when to come again is kept to, for the
// session or for the whole instance, and no longer.
func TestToldToWait(t *testing.T) {
	told := func(w *world, status int, wait time.Duration) {
		busy := &oauth.BusyError{Status: status, Until: time.Now().Add(wait)}
		w.provider.set(func(p *provider) { p.fault = fmt.Errorf("%w: %w", oauth.ErrUnavailable, busy) })
	}
	// asks has many requests for s in the time given, and wants so many calls.
	asks := func(t *testing.T, w *world, s *session.Session, d time.Duration, calls int) {
		t.Helper()
		before := w.provider.callCount()
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			_, _, err := fresh(t, w.m, s)
			wantErr(t, err, oauth.ErrUnavailable)
			var busy *oauth.BusyError
			if !errors.As(err, &busy) {
				t.Fatalf("not told when to come again: %v", err)
			}
		}
		if n := w.provider.callCount() - before; n != calls {
			t.Errorf("%d calls, want %d", n, calls)
		}
	}
	inBubble(t, map[string]func(*testing.T, *world){
		"a_rate_limit_holds_back_the_instance": func(t *testing.T, w *world) {
			s, other := w.login(), w.login()
			time.Sleep(justPast)
			told(w, 429, 20*time.Second)
			asks(t, w, s, time.Second, 1)
			w.provider.set(func(p *provider) { p.fault = nil })
			asks(t, w, other, 18*time.Second, 0)
			time.Sleep(time.Second + 500*time.Millisecond)
			if got, _, err := fresh(t, w.m, other); err != nil || got.Generation != 1 {
				t.Errorf("when it is over: %v, %v", got, err)
			}
			time.Sleep(time.Second)
			if got, _, err := fresh(t, w.m, s); err != nil || got.Generation != 1 {
				t.Errorf("when it is over: %v, %v", got, err)
			}
		},
		"a_success_beside_it_does_not_end_it": func(t *testing.T, w *world) {
			s, other, third := w.login(), w.login(), w.login()
			time.Sleep(justPast)
			w.provider.set(func(p *provider) { p.transit = 2 * time.Second })
			done := make(chan error)
			go func() { _, _, err := fresh(t, w.m, other); done <- err }()
			synctest.Wait()
			told(w, 429, 20*time.Second)
			asks(t, w, s, time.Second, 1)
			if err := <-done; err != nil {
				t.Error(err)
			}
			w.provider.set(func(p *provider) { p.fault = nil })
			asks(t, w, third, 10*time.Second, 0)
		},
		"a_503_holds_back_its_session_alone": func(t *testing.T, w *world) {
			s, other := w.login(), w.login()
			time.Sleep(justPast)
			told(w, 503, 20*time.Second)
			asks(t, w, s, 10*time.Second, 1)
			w.provider.set(func(p *provider) { p.fault = nil })
			asks(t, w, s, 9*time.Second, 0)
			if got, _, err := fresh(t, w.m, other); err != nil || got.Generation != 1 {
				t.Errorf("another session: %v, %v", got, err)
			}
			time.Sleep(2500 * time.Millisecond)
			if got, _, err := fresh(t, w.m, s); err != nil || got.Generation != 1 {
				t.Errorf("when it is over: %v, %v", got, err)
			}
		},
		"an_answer_is_no_lost_answer": func(t *testing.T, w *world) {
			w.grace = 30 * time.Second
			w.m = w.instance()
			s := w.login()
			w.provider.rotate, w.provider.grace = true, w.grace
			time.Sleep(justPast)
			told(w, 429, 0) // and does not say until when
			asks(t, w, s, 700*time.Millisecond, 1)
		},
	})
}

func hangingProvider(t *testing.T, w *world) {
	s := w.login()
	w.provider.delay = time.Hour
	time.Sleep(justPast)
	_, took, err := fresh(t, w.m, s)
	wantErr(t, err, oauth.ErrUnavailable)
	if errors.Is(err, session.ErrNotFound) || took != refreshTimeout {
		t.Errorf("%v after %v", err, took)
	}
}

func failuresBackOff(t *testing.T, w *world) {
	s := w.login()
	w.provider.fault = oauth.ErrUnavailable
	time.Sleep(justPast)
	for range 1000 { // 10 s, 100 requests a second
		_, _, err := fresh(t, w.m, s)
		wantErr(t, err, oauth.ErrUnavailable)
		time.Sleep(10 * time.Millisecond)
	}
	if n := w.provider.callCount(); n < 8 || n > 15 {
		t.Errorf("%d token calls in 10 s", n)
	}
}

func storeOutageAtReload(t *testing.T, w *world) {
	s := w.login()
	w.store.setAway(true, "all")
	time.Sleep(soonDue)
	if got, _, err := fresh(t, w.m, s); got != s || err != nil {
		t.Errorf("Fresh = %v, %v; want the token in hand", got, err)
	}
	time.Sleep(beforeExpiry)
	_, _, err := fresh(t, w.m, s)
	wantErr(t, err, session.ErrUnavailable)
	w.wantCalls(0) // nothing is redeemed that could not be saved
	w.store.setAway(false, "all")
	time.Sleep(time.Second)
	if got, _, err := fresh(t, w.m, s); err != nil || got.Generation != 1 {
		t.Errorf("Fresh = %v, %v", got, err)
	}
}

func storeOutageAtSave(t *testing.T, w *world) {
	w.provider.rotate = true
	s := w.login()
	w.store.setAway(true, "replace")
	time.Sleep(justPast)
	for range 100 {
		_, _, err := fresh(t, w.m, s)
		wantErr(t, err, session.ErrUnavailable)
		time.Sleep(100 * time.Millisecond)
	}
	w.store.setAway(false, "replace")
	time.Sleep(2 * time.Second)
	if got := w.load(s); got.Generation != 1 || got.Tokens.Refresh.Reveal() != "refresh-2" {
		t.Errorf("stored %q of generation %d", got.Tokens.Refresh.Reveal(), got.Generation)
	}
	w.wantCalls(1)
}
