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
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

// inMovingWorld runs each case on a store whose handles are the sessions.
func inMovingWorld(t *testing.T, cases map[string]func(t *testing.T, w *world)) {
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st, err := sessionstore.NewCookie(sessionstore.CookieOptions{
					Codec: session.NewPortableCodec(ringOf(t, 1), storetest.Audience), IdleTimeout: idleTimeout, MaxHandle: 1000,
				})
				if err != nil {
					t.Fatal(err)
				}
				w := newWorld(t)
				w.store.Store = st
				w.all = nil
				w.m = w.instance()
				defer w.drain()
				run(t, w)
			})
		})
	}
}

// TestMovingHandles: what is different where each save makes another handle.
func TestMovingHandles(t *testing.T) {
	inMovingWorld(t, map[string]func(*testing.T, *world){
		"a_due_token_is_refreshed_before_it_is_answered_with": func(t *testing.T, w *world) {
			s := w.login()
			w.provider.delay = time.Second
			time.Sleep(soonDue)
			var answers sync.WaitGroup
			for range 50 {
				answers.Go(func() {
					got, took, err := fresh(t, w.m, s)
					if err != nil || took != time.Second || got.Generation != 1 || got.Handle.Equal(s.Handle) {
						t.Errorf("Fresh = %+v, %v after %v", got, err, took)
					}
				})
			}
			answers.Wait()
			w.wantCalls(1)
		},
		"a_provider_that_hangs_holds_nobody_up_for_long": func(t *testing.T, w *world) {
			s := w.login()
			w.provider.delay = refreshTimeout - time.Second
			time.Sleep(soonDue)
			if got, took, err := fresh(t, w.m, s); got != s || err != nil || took > 2*time.Second {
				t.Errorf("Fresh = %p, %v after %v; want the token in hand", got, err, took)
			}
			time.Sleep(refreshTimeout)
			if got, err := w.m.Load(t.Context(), s.Handle); err != nil || got.Generation != 1 {
				t.Errorf("what came later is not there for the next request: %v, %v", got, err)
			}
		},
		"a_provider_that_is_away_leaves_the_token_in_hand": func(t *testing.T, w *world) {
			s := w.login()
			w.provider.fault = oauth.ErrUnavailable
			time.Sleep(soonDue)
			if got, _, err := fresh(t, w.m, s); got != s || err != nil {
				t.Errorf("Fresh = %p, %v; want the token in hand", got, err)
			}
			time.Sleep(beforeExpiry)
			if _, _, err := fresh(t, w.m, s); !errors.Is(err, oauth.ErrUnavailable) {
				t.Errorf("past the end: %v", err)
			}
		},
		"a_token_that_ends_while_its_refresh_fails_is_not_served": func(t *testing.T, w *world) {
			s := w.login()
			w.provider.fault, w.provider.delay = oauth.ErrUnavailable, 5*time.Second
			time.Sleep(tokenLife - 2*time.Second)
			if got, _, err := fresh(t, w.m, s); !errors.Is(err, oauth.ErrUnavailable) {
				t.Errorf("Fresh = %v, %v", got, err)
			}
		},
		"a_grant_that_is_revoked_ends_the_session_though_its_token_holds": func(t *testing.T, w *world) {
			s := w.login()
			w.provider.set(func(p *provider) { clear(p.good) })
			time.Sleep(soonDue)
			if _, _, err := fresh(t, w.m, s); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("err = %v, want ErrNotFound", err)
			}
			w.wantEnded(s)
		},
		"a_caller_that_leaves_gets_no_session": func(t *testing.T, w *world) {
			s := w.login()
			w.provider.delay = 3 * time.Second
			time.Sleep(soonDue)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := w.m.Fresh(ctx, s); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("err = %v", err)
			}
		},
		"a_use_gives_the_handle_and_the_session_that_go_together": func(t *testing.T, w *world) {
			s := w.login()
			if _, err := w.m.Refresh(t.Context(), s); err != nil { // by another request, of which s knows nothing
				t.Fatal(err)
			}
			time.Sleep(idleTimeout / 2)
			touched, err := w.m.Touch(t.Context(), s)
			if err != nil || touched.Handle.Equal(s.Handle) || touched.Generation != 1 || time.Since(touched.LastSeen) != 0 {
				t.Errorf("Touch = %+v, %v", touched, err)
			}
			if again, err := w.m.Touch(t.Context(), touched); err != nil || again != touched {
				t.Errorf("a use a moment later: %+v, %v", again, err)
			}
		},
		"a_sign_out_revokes_the_newest_refresh_token_whichever_handle_came": func(t *testing.T, w *world) {
			w.provider.rotate = true
			s := w.login()
			if _, err := w.m.Refresh(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if ended, err := w.m.End(t.Context(), s.Handle, session.ReasonLogout); err != nil || ended.Generation != 1 {
				t.Fatalf("End = %+v, %v", ended, err)
			}
			synctest.Wait()
			if n := w.provider.living(); n != 0 {
				t.Errorf("%d refresh tokens still work", n)
			}
		},
		"a_load_brings_the_newest_and_asks_nobody_but_the_store": func(t *testing.T, w *world) {
			w.check = session.UserCheck{Every: time.Second, Ask: func(context.Context, oauth.Tokens) error {
				t.Error("asked")
				return nil
			}}
			m, s := w.instance(), w.login()
			next, err := w.m.Refresh(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(justPast)
			if got, err := m.Load(t.Context(), s.Handle); err != nil || !got.Handle.Equal(next.Handle) {
				t.Errorf("Load = %+v, %v", got, err)
			}
			w.wantCalls(1)
		},
		"tokens_that_outgrow_the_cookie_end_the_session_once": func(t *testing.T, w *world) {
			s := w.login()
			w.provider.set(func(p *provider) { p.pad = 2000 })
			time.Sleep(justPast)
			for range 3 {
				if _, _, err := fresh(t, w.m, s); !errors.Is(err, session.ErrNotFound) {
					t.Errorf("err = %v, want ErrNotFound", err)
				}
				time.Sleep(time.Minute)
			}
			w.wantCalls(1)
			w.wantEnded(s)
			if n := w.provider.living(); n != 0 {
				t.Errorf("%d refresh tokens still work", n)
			}
		},
		"a_login_that_does_not_fit_leaves_nothing_behind": func(t *testing.T, w *world) {
			w.provider.pad = 2000
			_, err := w.m.Create(t.Context(), session.New{Tokens: w.provider.login()}, session.Handle{})
			if !errors.Is(err, session.ErrTooLarge) {
				t.Errorf("err = %v, want ErrTooLarge", err)
			}
			synctest.Wait()
			if n := w.provider.living(); n != 0 {
				t.Errorf("%d refresh tokens still work", n)
			}
		},
		"there_is_no_registry": func(t *testing.T, w *world) {
			s, other := w.login(), w.login()
			if list, err := w.m.ListOwn(t.Context(), s, session.Position{}); err != nil || len(list.Sessions) != 1 || list.Sessions[0].ID != s.ID {
				t.Errorf("ListOwn = %+v, %v", list, err)
			}
			if n, err := w.m.EndOthers(t.Context(), s); n != 0 || err != nil {
				t.Errorf("EndOthers = %d, %v", n, err)
			}
			if err := w.m.EndID(t.Context(), s.Subject, other.ID); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("EndID: %v", err)
			}
			_, listed := w.m.List(t.Context(), s.Subject, session.Position{})
			_, ended := w.m.EndAll(t.Context(), s.Subject, session.ReasonAdmin)
			for name, err := range map[string]error{"List": listed, "EndAll": ended, "EndAnyID": w.m.EndAnyID(t.Context(), other.ID)} {
				if !errors.Is(err, session.ErrNoRegistry) {
					t.Errorf("%s: %v, want ErrNoRegistry", name, err)
				}
			}
			w.load(other)
		},
	})
}
