package session_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// inBubble runs each case in a bubble and a world of its own.
func inBubble(t *testing.T, cases map[string]func(t *testing.T, w *world)) {
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.drain()
				run(t, w)
			})
		})
	}
}

// Moments in the life of an access token.
const (
	soonDue    = tokenLife - beforeExpiry/2 // due, and still good
	justPast   = tokenLife + time.Second
	longBefore = tokenLife / 2
)

// fresh calls Fresh and returns how long it took.
func fresh(t *testing.T, m *session.Manager, s *session.Session) (*session.Session, time.Duration, error) {
	t.Helper()
	began := time.Now()
	got, err := m.Fresh(t.Context(), s)
	return got, time.Since(began), err
}

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("err = %v, want %v", got, want)
	}
}

func TestFresh(t *testing.T) {
	inBubble(t, map[string]func(*testing.T, *world){
		"a_token_not_due_costs_nothing": func(t *testing.T, w *world) {
			s := w.login()
			time.Sleep(longBefore)
			if got, took, err := fresh(t, w.m, s); got != s || took != 0 || err != nil {
				t.Errorf("Fresh = %p, %v after %v; want the same session at once", got, err, took)
			}
			synctest.Wait()
			w.wantCalls(0)
			if n := w.store.callCount("load"); n != 0 {
				t.Errorf("%d loads", n)
			}
		},
		"a_due_token_is_used_while_one_refresh_runs": func(t *testing.T, w *world) {
			s := w.login()
			w.provider.delay = 3 * time.Second
			time.Sleep(soonDue)
			for range 50 {
				if got, took, err := fresh(t, w.m, s); got != s || took != 0 || err != nil {
					t.Fatalf("Fresh = %p, %v after %v; want the token in hand at once", got, err, took)
				}
			}
			time.Sleep(4 * time.Second)
			w.wantCalls(1)
			if g := w.load(s).Generation; g != 1 {
				t.Errorf("generation %d, want 1", g)
			}
		},
		"150_parallel_requests_past_expiry_cost_one_call": func(t *testing.T, w *world) {
			w.provider.rotate = true
			w.provider.delay = 4 * time.Second
			s := w.login()
			time.Sleep(justPast)
			var wg sync.WaitGroup
			for range 150 {
				wg.Go(func() {
					got, took, err := fresh(t, w.m, s)
					if err != nil || got.Generation != 1 || got.Bearer.Reveal() != "Bearer access-2" {
						t.Errorf("Fresh = %v, %v", got, err)
					}
					if took != 4*time.Second {
						t.Errorf("took %v", took)
					}
				})
			}
			wg.Wait()
			w.wantCalls(1)
		},
		"a_latecomer_with_an_old_snapshot_gets_the_result": func(t *testing.T, w *world) {
			w.provider.rotate = true
			s := w.login()
			time.Sleep(justPast)
			for range 3 {
				if got, _, err := fresh(t, w.m, s); err != nil || got.Generation != 1 {
					t.Errorf("Fresh = %v, %v", got, err)
				}
			}
			w.wantCalls(1)
		},
		"an_answer_lost_under_rotation_costs_one_clean_login": func(t *testing.T, w *world) {
			w.provider.rotate = true
			w.provider.transit = time.Hour
			s := w.login()
			time.Sleep(justPast)
			_, _, err := fresh(t, w.m, s)
			wantErr(t, err, oauth.ErrUnavailable)
			w.provider.set(func(p *provider) { p.transit = 0 })
			time.Sleep(time.Second)
			_, _, err = fresh(t, w.m, s) // until the grace retry comes
			wantErr(t, err, session.ErrNotFound)
			w.wantEnded(s)
		},
		"a_client_that_leaves_costs_no_rotated_token": func(t *testing.T, w *world) {
			w.provider.rotate = true
			w.provider.delay = 3 * time.Second
			s := w.login()
			time.Sleep(justPast)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := w.m.Fresh(ctx, s)
			wantErr(t, err, context.DeadlineExceeded)
			time.Sleep(3 * time.Second)
			if got := w.load(s); got.Generation != 1 || got.Tokens.Refresh.Reveal() != "refresh-2" {
				t.Errorf("stored %v of generation %d", got.Tokens.Refresh.Reveal(), got.Generation)
			}
		},
		"a_token_shorter_than_before_expiry_is_not_refreshed_all_the_time": func(t *testing.T, w *world) {
			w.provider.life = beforeExpiry / 2
			s := w.login()
			for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
				var err error
				if s, err = w.m.Fresh(t.Context(), w.load(s)); err != nil {
					t.Fatal(err)
				}
			}
			if n := w.provider.callCount(); n > 50 {
				t.Errorf("%d token calls in 10 minutes for tokens of 30 s", n)
			}
		},
		"without_a_refresh_token_a_session_lasts_as_long_as_its_token": func(t *testing.T, w *world) {
			tokens := w.provider.login()
			tokens.Refresh = secret.Text{}
			s, err := w.m.Create(t.Context(), session.New{Tokens: tokens}, session.Handle{})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(soonDue)
			if got, _, err := fresh(t, w.m, s); got != s || err != nil {
				t.Errorf("Fresh = %v, %v", got, err)
			}
			time.Sleep(beforeExpiry)
			_, _, err = fresh(t, w.m, s)
			wantErr(t, err, session.ErrNotFound)
			w.wantEnded(s)
			w.wantCalls(0)
		},
	})
}

func TestFreshAcrossInstances(t *testing.T) {
	inBubble(t, map[string]func(*testing.T, *world){
		"share_one_call_by_a_lease": func(t *testing.T, w *world) {
			w.provider.rotate = true
			w.provider.delay = 2 * time.Second
			other := w.instance()
			s := w.login()
			time.Sleep(justPast)
			var wg sync.WaitGroup
			for i, m := range []*session.Manager{w.m, other} {
				wg.Go(func() {
					time.Sleep(time.Duration(i) * time.Second)
					if got, _, err := fresh(t, m, s); err != nil || got.Generation != 1 {
						t.Errorf("instance %d: Fresh = %v, %v", i, got, err)
					}
				})
			}
			wg.Wait()
			w.wantCalls(1)
			if w.provider.living() != 1 {
				t.Errorf("%d refresh tokens work, want the stored one", w.provider.living())
			}
		},
		"a_refused_token_that_another_instance_has_replaced_ends_nothing": func(t *testing.T, w *world) {
			w.store.leaseless = true
			w.provider.rotate = true
			w.provider.delay = 2 * time.Second
			other := w.instance()
			s := w.login()
			time.Sleep(justPast)
			var wg sync.WaitGroup
			for i, m := range []*session.Manager{w.m, other} {
				wg.Go(func() {
					time.Sleep(time.Duration(i) * time.Second)
					if got, _, err := fresh(t, m, s); err != nil || got.Generation != 1 {
						t.Errorf("instance %d: Fresh = %v, %v", i, got, err)
					}
				})
			}
			wg.Wait()
			w.wantCalls(2)
			if w.provider.living() != 1 {
				t.Errorf("%d refresh tokens work, want the stored one", w.provider.living())
			}
		},
		"the_loser_of_a_save_adopts_the_winners_tokens_and_revokes_nothing": func(t *testing.T, w *world) {
			w.store.leaseless = true
			w.provider.delay = 2 * time.Second
			other := w.instance()
			s := w.login()
			time.Sleep(justPast)
			got := make([]*session.Session, 2)
			var wg sync.WaitGroup
			for i, m := range []*session.Manager{w.m, other} {
				wg.Go(func() {
					var err error
					if got[i], _, err = fresh(t, m, s); err != nil {
						t.Errorf("instance %d: %v", i, err)
					}
				})
			}
			wg.Wait()
			if got[0] != got[1] {
				t.Error("the instances serve different tokens")
			}
			if len(w.provider.revokes) != 0 || w.outcome("refresh adopted") != 1 {
				t.Errorf("revoked %v, outcomes %v", w.provider.revokes, w.outcomes)
			}
		},
		"an_instance_that_finds_it_done_makes_no_call": func(t *testing.T, w *world) {
			s := w.login()
			time.Sleep(justPast)
			for _, m := range []*session.Manager{w.m, w.instance()} {
				if got, _, err := fresh(t, m, s); err != nil || got.Generation != 1 {
					t.Errorf("Fresh = %v, %v", got, err)
				}
			}
			w.wantCalls(1)
		},
	})
}

func TestRefresh(t *testing.T) {
	inBubble(t, map[string]func(*testing.T, *world){
		"renews_a_token_that_is_not_due": func(t *testing.T, w *world) {
			s := w.login()
			got, err := w.m.Refresh(t.Context(), s)
			if err != nil || got.Generation != 1 || got.ID != s.ID || !got.Handle.Equal(s.Handle) {
				t.Errorf("Refresh = %v, %v", got, err)
			}
		},
		"is_shared_by_concurrent_calls_and_counts_once": func(t *testing.T, w *world) {
			w.provider.delay = time.Second
			s := w.login()
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					if got, err := w.m.Refresh(t.Context(), s); err != nil || got.Generation != 1 {
						t.Errorf("Refresh = %v, %v", got, err)
					}
				})
			}
			wg.Wait()
			w.wantCalls(1)
		},
		"never_hands_out_the_result_of_an_earlier_call": func(t *testing.T, w *world) {
			for range 50 {
				s := w.login()
				for want := range uint64(3) {
					var err error
					if s, err = w.m.Refresh(t.Context(), s); err != nil || s.Generation != want+1 {
						t.Fatalf("generation %d, %v; want %d", s.Generation, err, want+1)
					}
				}
			}
		},
		"above_the_limit_says_when_to_come_back": func(t *testing.T, w *world) {
			s, other := w.login(), w.login()
			var err error
			for range 3 {
				if s, err = w.m.Refresh(t.Context(), s); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
			}
			_, err = w.m.Refresh(t.Context(), s)
			var tooMany *session.TooManyError
			if !errors.As(err, &tooMany) || tooMany.RetryAfter != 17*time.Second {
				t.Fatalf("err = %#v, want *TooManyError with 17 s", err)
			}
			w.wantCalls(3)
			if _, err = w.m.Refresh(t.Context(), other); err != nil {
				t.Errorf("another session: %v", err)
			}
			time.Sleep(tooMany.RetryAfter)
			if _, err = w.m.Refresh(t.Context(), s); err != nil {
				t.Errorf("after RetryAfter: %v", err)
			}
		},
		"tells_of_an_outage_though_the_token_holds": func(t *testing.T, w *world) {
			s := w.login()
			w.provider.fault = oauth.ErrUnavailable
			_, err := w.m.Refresh(t.Context(), s)
			wantErr(t, err, oauth.ErrUnavailable)
			w.load(s)
		},
	})
}
