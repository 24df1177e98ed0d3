package session_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

const checkEvery = 5 * time.Minute

// userPool answers whether access tokens are good, as GetUser does.
type userPool struct {
	mu    sync.Mutex
	asked int
	fault error
	delay time.Duration
}

func (p *userPool) ask(ctx context.Context, _ oauth.Tokens) error {
	p.mu.Lock()
	p.asked++
	delay, fault := p.delay, p.fault
	p.mu.Unlock()
	if err := sleep(ctx, delay); err != nil {
		return fmt.Errorf("%w: %w", oauth.ErrUnavailable, err)
	}
	return fault
}

func (p *userPool) set(fault error, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.delay = fault, delay
}

func (p *userPool) want(t *testing.T, n int) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked != n {
		t.Errorf("the user pool was asked %d times, want %d", p.asked, n)
	}
}

// signOut does what an administrator can at the user pool: no token works.
func (p *userPool) signOut(w *world) {
	p.set(oauth.ErrGrantRevoked, 0)
	w.provider.set(func(p *provider) { clear(p.good) })
}

// checking returns the world's pool and an instance that asks it.
func checking(w *world) (*userPool, *session.Manager) {
	pool := &userPool{}
	w.check = session.UserCheck{Every: checkEvery, Ask: pool.ask}
	return pool, w.instance()
}

// ask takes the steps of a request that uses its session.
func ask(ctx context.Context, m *session.Manager, s *session.Session) (*session.Session, error) {
	got, err := m.Load(ctx, s.Handle)
	if err != nil {
		return nil, err
	}
	return m.CheckUser(ctx, got)
}

func serves(t *testing.T, m *session.Manager, s *session.Session) *session.Session {
	t.Helper()
	got, err := ask(context.Background(), m, s)
	if err != nil {
		t.Fatalf("not served: %v", err)
	}
	return got
}

func refuses(t *testing.T, m *session.Manager, s *session.Session, want error) {
	t.Helper()
	if _, err := ask(context.Background(), m, s); !errors.Is(err, want) {
		t.Errorf("err = %v, want %v", err, want)
	}
}

func TestUserCheck(t *testing.T) {
	inBubble(t, map[string]func(*testing.T, *world){
		"asks_at_most_once_in_the_interval": func(t *testing.T, w *world) {
			pool, m := checking(w)
			s := w.login()
			for range 30 { // five minutes with tokens that were just issued, then two intervals
				serves(t, m, s)
				time.Sleep(checkEvery / 10)
			}
			pool.want(t, 2)
		},
		"a_user_who_is_out_is_out_within_the_interval": func(t *testing.T, w *world) {
			pool, m := checking(w)
			s := w.login()
			time.Sleep(checkEvery)
			serves(t, m, s)
			pool.signOut(w)
			time.Sleep(checkEvery)
			refuses(t, m, s, session.ErrNotFound)
			w.wantEnded(s)
		},
		"the_first_request_after_a_pause_is_not_served_unasked": func(t *testing.T, w *world) {
			pool, m := checking(w)
			s := w.login()
			pool.signOut(w)
			time.Sleep(longBefore)
			refuses(t, m, s, session.ErrNotFound)
		},
		"parallel_requests_share_one_question": func(t *testing.T, w *world) {
			pool, m := checking(w)
			s := w.login()
			time.Sleep(checkEvery)
			pool.set(nil, time.Second)
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() { serves(t, m, s) })
			}
			all.Wait()
			pool.want(t, 1)
		},
		"an_outage_signs_nobody_out": func(t *testing.T, w *world) {
			for _, fault := range []error{oauth.ErrUnavailable, oauth.ErrMisconfigured, errors.New("bug")} {
				pool, m := checking(w)
				s := w.login()
				time.Sleep(checkEvery)
				pool.set(fault, 0)
				for range 10 {
					serves(t, m, s)
				}
				pool.want(t, 1) // not by each request
				pool.signOut(w)
				time.Sleep(5 * time.Second)
				refuses(t, m, s, session.ErrNotFound)
			}
		},
		"a_pool_that_hangs_holds_requests_up_for_two_seconds_and_then_none": func(t *testing.T, w *world) {
			pool, m := checking(w)
			pool.set(nil, time.Hour)
			s := w.login()
			time.Sleep(checkEvery)
			for _, want := range []time.Duration{2 * time.Second, 0} {
				began := time.Now()
				serves(t, m, s)
				if took := time.Since(began); took != want {
					t.Errorf("took %v, want %v", took, want)
				}
			}
		},
		"a_caller_that_leaves_does_not_wait_and_the_question_goes_on": func(t *testing.T, w *world) {
			pool, m := checking(w)
			pool.set(nil, time.Second)
			s := w.login()
			time.Sleep(checkEvery)
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			defer cancel()
			if _, err := ask(ctx, m, s); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("err = %v, want the context's", err)
			}
			time.Sleep(2 * time.Second)
			serves(t, m, s)
			pool.want(t, 1)
		},
		"a_token_that_is_refused_by_mistake_is_refreshed": func(t *testing.T, w *world) {
			pool, m := checking(w)
			s := w.login()
			time.Sleep(checkEvery)
			pool.set(oauth.ErrGrantRevoked, 0) // and the refresh token still works
			if got := serves(t, m, s); got.Generation != 1 {
				t.Errorf("generation %d, want 1", got.Generation)
			}
			serves(t, m, s)
			pool.want(t, 1)
		},
		"a_token_that_is_refused_is_not_served_while_no_refresh_confirms_it": func(t *testing.T, w *world) {
			pool, m := checking(w)
			s := w.login()
			time.Sleep(checkEvery)
			pool.set(oauth.ErrGrantRevoked, 0)
			w.provider.set(func(p *provider) { p.fault = oauth.ErrUnavailable })
			for range 5 {
				refuses(t, m, s, oauth.ErrUnavailable)
			}
			pool.want(t, 1)
			w.provider.set(func(p *provider) { p.fault = nil })
			time.Sleep(2 * time.Second)
			serves(t, m, s)
		},
		"an_expired_token_is_refreshed_instead": func(t *testing.T, w *world) {
			pool, m := checking(w)
			s := w.login()
			time.Sleep(justPast)
			if got := serves(t, m, s); got.Generation != 1 {
				t.Errorf("generation %d, want 1", got.Generation)
			}
			pool.want(t, 0)
			w.provider.set(func(p *provider) { clear(p.good) })
			time.Sleep(justPast)
			refuses(t, m, s, session.ErrNotFound)
		},
		"each_instance_asks_for_itself": func(t *testing.T, w *world) {
			pool, m := checking(w)
			other := w.instance()
			s := w.login()
			time.Sleep(checkEvery)
			serves(t, m, s)
			serves(t, other, s)
			pool.want(t, 2)
		},
	})
}

// TestUserCheck_costs_no_allocation measures a request between two checks
// against one of a manager that makes none.
func TestUserCheck_costs_no_allocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.drain()
		_, m := checking(w)
		s := w.login()
		time.Sleep(checkEvery)
		serves(t, m, s)
		with := testing.AllocsPerRun(100, func() { serves(t, m, s) })
		without := testing.AllocsPerRun(100, func() { serves(t, w.m, s) })
		if with > without {
			t.Errorf("%v allocations, %v without the check", with, without)
		}
	})
}
