package session_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
)

func TestNewManager(t *testing.T) {
	good := session.Options{
		Store:       sessionstore.NewMemory(sessionstore.MemoryOptions{IdleTimeout: idleTimeout}),
		Provider:    newProvider(),
		IdleTimeout: 1, AbsoluteTimeout: 1, BeforeExpiry: 1, RefreshTimeout: 1, ForcedPerMinute: 1,
	}
	if _, err := session.NewManager(good); err != nil {
		t.Errorf("complete options: %v", err)
	}
	for name, spoil := range map[string]func(*session.Options){
		"store":            func(o *session.Options) { o.Store = nil },
		"provider":         func(o *session.Options) { o.Provider = nil },
		"idle_timeout":     func(o *session.Options) { o.IdleTimeout = 0 },
		"absolute_timeout": func(o *session.Options) { o.AbsoluteTimeout = 0 },
		"before_expiry":    func(o *session.Options) { o.BeforeExpiry = 0 },
		"refresh_timeout":  func(o *session.Options) { o.RefreshTimeout = -1 },
		"a_grace":          func(o *session.Options) { o.RotationGrace = -1 },
		"a_cache_bound":    func(o *session.Options) { o.CacheBytes = -1 },
		"forced":           func(o *session.Options) { o.ForcedPerMinute = 0 },
	} {
		t.Run("refuses_to_be_without_"+name, func(t *testing.T) {
			bad := good
			spoil(&bad)
			if _, err := session.NewManager(bad); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestOnce(t *testing.T) {
	inBubble(t, map[string]func(*testing.T, *world){
		"is_true_once_within_the_term_for_all_instances": func(t *testing.T, w *world) {
			once := func(m *session.Manager, name string) bool {
				first, err := m.Once(t.Context(), name, time.Minute)
				wantErr(t, err, nil)
				return first
			}
			if !once(w.m, "a") || once(w.m, "a") || once(w.instance(), "a") || !once(w.instance(), "b") {
				t.Error("not once")
			}
			if time.Sleep(time.Minute); !once(w.m, "a") {
				t.Error("remembered for longer than the term")
			}
		},
		"says_that_nobody_can_say": func(t *testing.T, w *world) {
			w.store.setAway(true, "acquire")
			_, err := w.m.Once(t.Context(), "a", time.Minute)
			wantErr(t, err, session.ErrUnavailable)
			w.store.setAway(false, "acquire")
			if first, err := w.m.Once(t.Context(), "a", time.Minute); err != nil || !first {
				t.Errorf("after the outage %v, %v", first, err)
			}
		},
		"is_no_lease_of_a_session_of_that_name": func(t *testing.T, w *world) {
			s := w.login()
			_, err := w.m.Once(t.Context(), s.ID, time.Hour)
			wantErr(t, err, nil)
			_, err = w.m.Refresh(t.Context(), s)
			wantErr(t, err, nil)
		},
	})
}

func TestLoad(t *testing.T) {
	inBubble(t, map[string]func(*testing.T, *world){
		"of_no_handle_asks_nobody": func(t *testing.T, w *world) {
			_, err := w.m.Load(t.Context(), session.Handle{})
			wantErr(t, err, session.ErrNotFound)
			if n := w.store.callCount("load"); n != 0 {
				t.Errorf("%d loads", n)
			}
		},
		"tells_absence_from_outage": func(t *testing.T, w *world) {
			s := w.login()
			w.store.setAway(true, "load")
			_, err := w.m.Load(t.Context(), s.Handle)
			wantErr(t, err, session.ErrUnavailable)
		},
		"ends_at_the_absolute_limit_however_used": func(t *testing.T, w *world) {
			s := w.login()
			for time.Since(s.CreatedAt) < absoluteTimeout-idleTimeout/10 {
				time.Sleep(idleTimeout / 20)
				got, err := w.m.Touch(t.Context(), w.load(s))
				if err != nil {
					t.Fatal(err)
				}
				if w.m.IdleExpiresAt(got, time.Now()).After(s.ExpiresAt) {
					t.Fatal("IdleExpiresAt is past the absolute limit")
				}
			}
			time.Sleep(time.Until(s.ExpiresAt) - time.Millisecond)
			w.load(s)
			time.Sleep(time.Millisecond)
			w.wantEnded(s)
		},
	})
}

func TestTouch(t *testing.T) {
	inBubble(t, map[string]func(*testing.T, *world){
		"writes_at_most_once_in_a_tenth_of_the_idle_timeout": func(t *testing.T, w *world) {
			s := w.login()
			for range 10 * 60 { // ten idle timeouts, used every 30 s
				time.Sleep(30 * time.Second)
				if _, err := w.m.Touch(t.Context(), w.load(s)); err != nil {
					t.Fatal(err)
				}
			}
			if n := w.store.callCount("touch"); n != 100 {
				t.Errorf("%d writes, want 100", n)
			}
		},
		"is_shared_by_concurrent_requests": func(t *testing.T, w *world) {
			s := w.login()
			time.Sleep(idleTimeout / 2)
			now := time.Now()
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					if _, err := w.m.Touch(t.Context(), s); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if got := w.load(s).LastSeen; !got.Equal(now) {
				t.Errorf("last use %v, want %v", got, now)
			}
		},
		"returns_the_session_as_it_is_then": func(t *testing.T, w *world) {
			s := w.login()
			time.Sleep(idleTimeout / 2)
			got, err := w.m.Touch(t.Context(), s)
			if err != nil || !got.LastSeen.Equal(time.Now()) || s.LastSeen.Equal(got.LastSeen) {
				t.Errorf("Touch = %v, %v", got, err)
			}
			if want, at := time.Now().Add(idleTimeout), w.m.IdleExpiresAt(got, got.LastSeen); !at.Equal(want) {
				t.Errorf("IdleExpiresAt = %v, want %v", at, want)
			}
		},
		"does_not_depend_on_the_caller_staying": func(t *testing.T, w *world) {
			s := w.login()
			time.Sleep(idleTimeout / 2)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := w.m.Touch(ctx, s); err != nil {
				t.Error(err)
			}
		},
		"that_fails_returns_the_session_all_the_same": func(t *testing.T, w *world) {
			s := w.login()
			w.store.setAway(true, "touch")
			time.Sleep(idleTimeout / 2)
			got, err := w.m.Touch(t.Context(), s)
			wantErr(t, err, session.ErrUnavailable)
			if got != s {
				t.Errorf("session %v", got)
			}
		},
	})
}

// TestIdleLimit uses a session at random-looking moments and measures when it
// ends after the last one.
func TestIdleLimit(t *testing.T) {
	for _, pause := range []time.Duration{0, time.Second, idleTimeout/10 - time.Millisecond, idleTimeout / 10, idleTimeout - time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			s := w.login()
			time.Sleep(idleTimeout / 7)
			for range 2 {
				_, _ = w.m.Touch(t.Context(), w.load(s))
				time.Sleep(pause)
			}
			last := time.Now()
			_, _ = w.m.Touch(t.Context(), w.load(s))
			time.Sleep(idleTimeout - time.Millisecond)
			w.load(s)
			time.Sleep(time.Until(last.Add(session.IdleLimit(idleTimeout))))
			w.wantEnded(s)
		})
	}
}

// BenchmarkHotPath is what a request of a signed-in browser costs here.
func BenchmarkHotPath(b *testing.B) {
	w := newWorld(b)
	store := sessionstore.NewMemory(sessionstore.MemoryOptions{IdleTimeout: idleTimeout})
	m, err := session.NewManager(session.Options{
		Store: store, Provider: w.provider,
		IdleTimeout: idleTimeout, AbsoluteTimeout: absoluteTimeout,
		BeforeExpiry: beforeExpiry, RefreshTimeout: refreshTimeout, ForcedPerMinute: 3,
	})
	if err != nil {
		b.Fatal(err)
	}
	var s *session.Session
	for range 10_000 {
		if s, err = m.Create(b.Context(), session.New{Tokens: w.provider.login()}, session.Handle{}); err != nil {
			b.Fatal(err)
		}
	}
	ctx := b.Context()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			got, err := m.Load(ctx, s.Handle)
			if err != nil {
				b.Fatal(err)
			}
			if got, err = m.CheckUser(ctx, got); err != nil {
				b.Fatal(err)
			}
			if got, err = m.Touch(ctx, got); err != nil {
				b.Fatal(err)
			}
			if _, err = m.Fresh(ctx, got); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestHotPathAllocates keeps the figure of the benchmark: nothing.
func TestHotPathAllocates(t *testing.T) {
	w := newWorld(t)
	m, err := session.NewManager(session.Options{
		Store: w.store.Store, Provider: w.provider,
		IdleTimeout: idleTimeout, AbsoluteTimeout: absoluteTimeout,
		BeforeExpiry: beforeExpiry, RefreshTimeout: refreshTimeout, ForcedPerMinute: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := w.login()
	n := testing.AllocsPerRun(100, func() {
		got, _ := m.Load(t.Context(), s.Handle)
		got, _ = m.CheckUser(t.Context(), got)
		got, _ = m.Touch(t.Context(), got)
		_, _ = m.Fresh(t.Context(), got)
	})
	if n != 0 {
		t.Errorf("%v allocations a request, want none", n)
	}
}
