package ratelimit

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeStore counts as Redis does, with a clock and a memory of its own.
type fakeStore struct {
	mu    sync.Mutex
	over  map[string]time.Time
	fault error
	hangs bool
	asked int
}

func (f *fakeStore) TakeRate(ctx context.Context, key string, interval, depth time.Duration) (time.Duration, bool, error) {
	f.mu.Lock()
	f.asked++
	fault, hangs := f.fault, f.hangs
	f.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return 0, false, ctx.Err()
	}
	if fault != nil {
		return 0, false, fault
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	ahead := max(time.Until(f.over[key]), 0)
	if ahead+interval > depth {
		return ahead, false, nil
	}
	f.over[key] = time.Now().Add(ahead + interval)
	return ahead + interval, true, nil
}

// shared returns two instances that share a store, and how many counts it has lost.
func shared(limit Limit) (a, b *Shared, store *fakeStore, lost *int) {
	store, lost = &fakeStore{over: make(map[string]time.Time)}, new(int)
	note := func(error) { *lost++ }
	return NewShared(limit, store, "route", note), NewShared(limit, store, "route", note), store, lost
}

func TestShared_counts_for_all_instances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, store, _ := shared(PerMinute(4))
		for i, want := range []Verdict{{Left: 3}, {Left: 2}, {Left: 1}, {}, {Wait: 15 * time.Second}} {
			if v := []*Shared{a, b}[i%2].Take(t.Context(), "k"); v != want {
				t.Errorf("request %d: %+v, want %+v", i, v, want)
			}
		}
		if v := a.Take(t.Context(), "other"); v != (Verdict{Left: 3}) {
			t.Errorf("another key: %+v", v)
		}
		asked := store.asked
		for range 100 {
			if v := a.Take(t.Context(), "k"); v.Wait != 15*time.Second {
				t.Fatalf("%+v", v)
			}
		}
		if store.asked != asked {
			t.Errorf("what an instance knows to be too much is asked of the store %d times", store.asked-asked)
		}
		time.Sleep(15 * time.Second)
		if v := b.Take(t.Context(), "k"); v != (Verdict{}) {
			t.Errorf("after the wait that was told: %+v", v)
		}
		if v := a.Take(t.Context(), "k"); v.Wait != 15*time.Second {
			t.Errorf("the other instance had the one that was given back: %+v", v)
		}
	})
}

// Whoever is refused by the store, and by no count of this instance, passes when the store
// said so.
func TestShared_refusal_by_the_store_counts_nothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _, _ := shared(PerMinute(4))
		for range 4 {
			a.Take(t.Context(), "k")
		}
		time.Sleep(5 * time.Second)
		v := b.Take(t.Context(), "k")
		if v.Wait != 10*time.Second {
			t.Fatalf("%+v", v)
		}
		time.Sleep(v.Wait)
		if v := b.Take(t.Context(), "k"); v.Wait != 0 {
			t.Errorf("after the wait that was told: %+v", v)
		}
	})
}

func TestShared_counts_alone_while_the_store_is_away(t *testing.T) {
	for name, away := range map[string]func(*fakeStore){
		"fails": func(f *fakeStore) { f.fault = errors.New("connection refused") },
		"hangs": func(f *fakeStore) { f.hangs = true },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, _, store, lost := shared(PerMinute(4))
				a.Take(t.Context(), "k")
				away(store)
				start := time.Now()
				for want := 2; want >= 0; want-- {
					if v := a.Take(t.Context(), "k"); v != (Verdict{Left: want}) {
						t.Errorf("%+v, want %d left", v, want)
					}
				}
				if v := a.Take(t.Context(), "k"); v.Wait == 0 {
					t.Errorf("the limit does not hold: %+v", v)
				}
				if took := time.Since(start); took > storeTimeout {
					t.Errorf("four requests waited %v for the store", took)
				}
				if *lost != 1 || store.asked != 2 {
					t.Errorf("%d counts lost and the store asked %d times, want once more", *lost, store.asked)
				}
				store.fault, store.hangs = nil, false
				time.Sleep(storePause)
				a.Take(t.Context(), "other")
				if store.asked != 3 {
					t.Error("the store is not asked again")
				}
			})
		})
	}
}

func TestShared_blames_no_store_for_a_caller_that_left(t *testing.T) {
	a, _, store, lost := shared(PerMinute(4))
	store.hangs = true
	left, cancel := context.WithCancel(t.Context())
	cancel()
	a.Take(left, "k")
	store.hangs = false
	if a.Take(t.Context(), "k"); *lost != 0 || store.asked != 2 {
		t.Errorf("%d counts lost, the store asked %d times", *lost, store.asked)
	}
}

func TestShared_without_a_store(t *testing.T) {
	s := NewShared(PerMinute(1), nil, "route", func(error) { t.Error("a count is lost") })
	if v := s.Take(t.Context(), "k"); v.Wait != 0 {
		t.Errorf("%+v", v)
	}
	if v := s.Take(t.Context(), "k"); v.Wait == 0 {
		t.Errorf("%+v", v)
	}
}
