package session_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func (w *world) wantRevoked(tokens ...string) {
	w.t.Helper()
	synctest.Wait()
	w.provider.mu.Lock()
	defer w.provider.mu.Unlock()
	got := slices.Sorted(slices.Values(w.provider.revokes))
	if !slices.Equal(got, tokens) {
		w.t.Errorf("revoked %v, want %v", got, tokens)
	}
}

func TestUnconfirmedEnd(t *testing.T) {
	ends := map[string]func(*testing.T, *world, *session.Session) error{
		"by_its_handle": func(t *testing.T, w *world, s *session.Session) error {
			_, err := w.m.End(t.Context(), s.Handle, session.ReasonLogout)
			return err
		},
		"by_its_id": func(t *testing.T, w *world, s *session.Session) error {
			return w.m.EndAnyID(t.Context(), s.ID)
		},
	}
	cases := map[string]func(*testing.T, *world){}
	for how, end := range ends {
		cases[how+"_is_answered_and_repeated_until_it_is"] = func(t *testing.T, w *world) {
			s := w.login()
			w.store.unconfirmed = 4
			if err := end(t, w, s); err != nil {
				t.Errorf("End: %v", err)
			}
			w.wantEnded(s)
			time.Sleep(time.Minute)
			if n := w.store.callCount("delete"); n != 5 {
				t.Errorf("%d deletions, want 5", n)
			}
			if n := w.outcome("delete done"); n != 1 {
				t.Errorf("told of %d, want 1", n)
			}
		}
	}
	inBubble(t, cases)
}

func TestCreate(t *testing.T) {
	inBubble(t, map[string]func(*testing.T, *world){
		"ends_the_browsers_old_session": func(t *testing.T, w *world) {
			old := w.login()
			s, err := w.m.Create(t.Context(), session.New{Tokens: w.provider.login()}, old.Handle)
			if err != nil {
				t.Fatal(err)
			}
			if s.Handle.Equal(old.Handle) || s.ID == old.ID {
				t.Error("the handle is the old one")
			}
			w.wantEnded(old)
			w.load(s)
			w.wantRevoked("refresh-1")
		},
		"never_takes_over_a_planted_handle": func(t *testing.T, w *world) {
			planted := session.NewHandle()
			s, err := w.m.Create(t.Context(), session.New{Tokens: w.provider.login()}, planted)
			if err != nil || s.Handle.Equal(planted) {
				t.Errorf("Create = %v, %v", s, err)
			}
		},
		"that_the_store_does_not_take_revokes_the_tokens": func(t *testing.T, w *world) {
			w.store.setAway(true, "create")
			_, err := w.m.Create(t.Context(), session.New{Tokens: w.provider.login()}, session.Handle{})
			wantErr(t, err, session.ErrUnavailable)
			w.wantRevoked("refresh-1")
		},
		"cuts_what_a_browser_says_of_itself": func(t *testing.T, w *world) {
			s, err := w.m.Create(t.Context(), session.New{
				Tokens: w.provider.login(), UserAgent: strings.Repeat("é", 10_000) + "\xff",
			}, session.Handle{})
			if err != nil || len(s.UserAgent) > 512 || !utf8.ValidString(s.UserAgent) {
				t.Errorf("%d bytes, %v", len(s.UserAgent), err)
			}
		},
	})
}

func TestEnd(t *testing.T) {
	inBubble(t, map[string]func(*testing.T, *world){
		"revokes_the_refresh_token_and_returns_what_was": func(t *testing.T, w *world) {
			s := w.login()
			was, err := w.m.End(t.Context(), s.Handle, session.ReasonLogout)
			if err != nil || was == nil || was.ID != s.ID {
				t.Errorf("End = %v, %v", was, err)
			}
			w.wantEnded(s)
			w.wantRevoked("refresh-1")
		},
		"of_no_session_is_no_error": func(t *testing.T, w *world) {
			for _, h := range []session.Handle{{}, session.NewHandle(), secret.NewText("garbage")} {
				if was, err := w.m.End(t.Context(), h, session.ReasonLogout); was != nil || err != nil {
					t.Errorf("End = %v, %v", was, err)
				}
			}
			w.wantRevoked()
		},
		"does_not_depend_on_the_caller_staying": func(t *testing.T, w *world) {
			s := w.login()
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := w.m.End(ctx, s.Handle, session.ReasonLogout); err != nil {
				t.Error(err)
			}
			w.wantEnded(s)
		},
		"with_the_store_away_is_made_up_for": func(t *testing.T, w *world) {
			s := w.login()
			w.store.setAway(true, "all")
			for range 10 { // clicked again and again
				_, err := w.m.End(t.Context(), s.Handle, session.ReasonLogout)
				wantErr(t, err, session.ErrUnavailable)
			}
			time.Sleep(time.Minute)
			w.store.setAway(false, "all")
			time.Sleep(11 * time.Second)
			w.wantEnded(s)
			w.wantRevoked("refresh-1")
			if n := w.outcome("delete done"); n != 1 {
				t.Errorf("%d deletions made up for, want 1", n)
			}
		},
		"with_the_store_away_for_good_is_given_up": func(t *testing.T, w *world) {
			s := w.login()
			w.store.setAway(true, "delete")
			_, err := w.m.End(t.Context(), s.Handle, session.ReasonLogout)
			wantErr(t, err, session.ErrUnavailable)
			time.Sleep(11 * time.Minute)
			if w.outcome("delete failed") != 1 {
				t.Errorf("outcomes %v", w.outcomes)
			}
		},
		"tries_a_revocation_again": func(t *testing.T, w *world) {
			s := w.login()
			w.provider.fault = oauth.ErrUnavailable
			if _, err := w.m.End(t.Context(), s.Handle, session.ReasonLogout); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			w.provider.set(func(p *provider) { p.fault = nil })
			time.Sleep(time.Second)
			w.wantRevoked("refresh-1")
		},
		"gives_a_revocation_up_in_time": func(t *testing.T, w *world) {
			s := w.login()
			w.provider.fault = oauth.ErrUnavailable
			if _, err := w.m.End(t.Context(), s.Handle, session.ReasonLogout); err != nil {
				t.Error(err)
			}
			if err := w.m.Drain(t.Context()); err != nil {
				t.Error(err)
			}
			if w.outcome("revoke failed") != 1 {
				t.Errorf("outcomes %v", w.outcomes)
			}
		},
		"bounds_how_many_revocations_wait": func(t *testing.T, w *world) {
			w.provider.fault = oauth.ErrUnavailable
			for range 300 {
				if _, err := w.m.End(t.Context(), w.login().Handle, session.ReasonLogout); err != nil {
					t.Fatal(err)
				}
			}
			if n := w.outcome("revoke dropped"); n != 300-256 {
				t.Errorf("%d dropped", n)
			}
		},
	})
}

func TestEndDuringRefresh(t *testing.T) {
	t.Run("is_never_undone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			defer w.drain()
			w.provider.rotate = true
			w.provider.transit = 2 * time.Second
			s := w.login()
			time.Sleep(justPast)
			time.AfterFunc(time.Second, func() { _, _ = w.m.End(t.Context(), s.Handle, session.ReasonLogout) })
			_, _, err := fresh(t, w.m, s)
			wantErr(t, err, session.ErrNotFound)
			w.wantEnded(s)
			w.wantRevoked("refresh-1", "refresh-2")
		})
	})
	// Whatever the order of refreshes on two instances, a sign-out, and a store
	// that comes and goes: the session stays ended, and no refresh token outlives it.
	t.Run("leaves_no_session_and_no_refresh_token_in_any_order", func(t *testing.T) {
		for seed := range uint64(2000) {
			synctest.Test(t, func(t *testing.T) { endDuringRefreshes(t, seed) })
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	})
}

func endDuringRefreshes(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	ms := func(n int) time.Duration { return time.Duration(r.IntN(n)) * time.Millisecond }
	w := newWorld(t)
	defer w.drain()
	w.provider.rotate = r.IntN(2) == 0
	w.provider.delay, w.provider.transit = ms(50), ms(50)
	w.cache = 1 << 20
	other := w.instance
	if r.IntN(2) == 0 {
		other = w.listening
	}
	s := w.login()
	time.Sleep(justPast)
	var wg sync.WaitGroup
	for _, m := range []*session.Manager{w.m, other()} {
		for range 3 {
			wait := ms(100)
			wg.Go(func() {
				time.Sleep(wait)
				_, _ = m.Refresh(t.Context(), s)
			})
		}
	}
	end, away, back := ms(100), ms(100), ms(100)
	flaky := r.IntN(3) == 0
	wg.Go(func() {
		time.Sleep(away)
		w.store.setAway(flaky, "replace", "delete")
		time.Sleep(back)
		w.store.setAway(false, "replace", "delete")
	})
	wg.Go(func() {
		time.Sleep(end)
		_, _ = w.m.End(t.Context(), s.Handle, session.ReasonLogout)
	})
	wg.Wait()
	time.Sleep(time.Minute)
	w.wantEnded(s)
	if n := w.provider.living(); n != 0 {
		t.Errorf("%d refresh tokens outlive the session; outcomes %v", n, w.outcomes)
	}
}

func TestEndAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		mine := []*session.Session{w.login(), w.login(), w.login()}
		w.provider.subject = "sub-2"
		other := w.login()
		if list, err := w.list("sub-1"); err != nil || len(list) != 3 {
			t.Errorf("List = %v, %v", list, err)
		}
		if n, err := w.m.EndAll(t.Context(), "sub-1", session.ReasonGlobal); n != 3 || err != nil {
			t.Errorf("EndAll = %d, %v", n, err)
		}
		for _, s := range mine {
			w.wantEnded(s)
		}
		w.load(other)
	})
}

func TestDrain(t *testing.T) {
	inBubble(t, map[string]func(*testing.T, *world){
		"waits_for_a_running_refresh_and_its_revocation": func(t *testing.T, w *world) {
			w.provider.delay = 5 * time.Second
			w.provider.rotate = true
			s := w.login()
			time.Sleep(soonDue)
			_, _, _ = fresh(t, w.m, s)
			began := time.Now()
			if err := w.m.Drain(t.Context()); err != nil || time.Since(began) != 5*time.Second {
				t.Errorf("Drain: %v after %v", err, time.Since(began))
			}
			if g := w.load(s).Generation; g != 1 {
				t.Errorf("generation %d, want 1", g)
			}
		},
		"abandons_what_runs_when_its_context_ends": func(t *testing.T, w *world) {
			w.provider.delay = 5 * time.Second
			s := w.login()
			time.Sleep(justPast)
			var waited error
			go func() { _, waited = w.m.Fresh(t.Context(), s) }()
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			wantErr(t, w.m.Drain(ctx), context.DeadlineExceeded)
			synctest.Wait()
			wantErr(t, waited, oauth.ErrUnavailable)
			w.load(s)
		},
		"with_nothing_running_returns_at_once_and_can_be_repeated": func(t *testing.T, w *world) {
			for range 2 {
				if err := w.m.Drain(t.Context()); err != nil {
					t.Error(err)
				}
			}
		},
	})
}
