package session_test

import (
	"context"
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

func TestCache(t *testing.T) {
	// cost is how many times the store is asked for n loads.
	cost := func(t *testing.T, w *world, m *session.Manager, s *session.Session, n int) int {
		t.Helper()
		before := w.store.callCount("load")
		for range n {
			if _, err := m.Load(t.Context(), s.Handle); err != nil {
				t.Fatal(err)
			}
		}
		return w.store.callCount("load") - before
	}
	want := func(t *testing.T, what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d loads, want %d", what, got, want)
		}
	}
	cases := map[string]func(*testing.T, *world){
		"serves_a_session_seen_a_moment_ago_until_it_is_ten_seconds_old": func(t *testing.T, w *world) {
			m, s := w.listening(), w.login()
			want(t, "at once", cost(t, w, m, s, 100), 1)
			time.Sleep(10*time.Second - time.Millisecond)
			want(t, "just before", cost(t, w, m, s, 100), 0)
			time.Sleep(time.Millisecond)
			want(t, "then", cost(t, w, m, s, 100), 1)
		},
		"forgets_a_session_that_changed_elsewhere": func(t *testing.T, w *world) {
			m, s := w.listening(), w.login()
			cost(t, w, m, s, 1)
			if _, err := w.m.Refresh(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got, err := m.Load(t.Context(), s.Handle); err != nil || got.Generation != 1 {
				t.Errorf("Load = %v, %v", got, err)
			}
			if _, err := w.m.End(t.Context(), s.Handle, session.ReasonLogout); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			_, err := m.Load(t.Context(), s.Handle)
			wantErr(t, err, session.ErrNotFound)
		},
		"forgets_what_this_instance_changed_before_any_message": func(t *testing.T, w *world) {
			m, s := w.listening(), w.login()
			w.store.setAway(true, "change") // and no message comes
			cost(t, w, m, s, 1)
			if _, err := m.Refresh(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if got, err := m.Load(t.Context(), s.Handle); err != nil || got.Generation != 1 {
				t.Errorf("Load = %v, %v", got, err)
			}
			if _, err := m.End(t.Context(), s.Handle, session.ReasonLogout); err != nil {
				t.Fatal(err)
			}
			_, err := m.Load(t.Context(), s.Handle)
			wantErr(t, err, session.ErrNotFound)
			other := w.login()
			cost(t, w, m, other, 1)
			if _, err := m.EndAll(t.Context(), "sub-1", session.ReasonGlobal); err != nil {
				t.Fatal(err)
			}
			_, err = m.Load(t.Context(), other.Handle)
			wantErr(t, err, session.ErrNotFound)
		},
		"keeps_nothing_that_was_loaded_while_it_changed": func(t *testing.T, w *world) {
			m, s := w.listening(), w.login()
			once := true
			w.store.loaded = func() {
				if once {
					once = false
					if _, err := w.m.End(t.Context(), s.Handle, session.ReasonLogout); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Millisecond) // the message overtakes the load
				}
			}
			_, _ = m.Load(t.Context(), s.Handle) // either answer is true
			_, err := m.Load(t.Context(), s.Handle)
			wantErr(t, err, session.ErrNotFound)
		},
		"keeps_nothing_that_was_loaded_before_it_listened": func(t *testing.T, w *world) {
			m, s := w.listening(), w.login()
			w.store.setAway(true, "watch")
			time.Sleep(2 * time.Second)
			w.store.loaded = func() {
				w.store.loaded = nil
				w.store.setAway(false, "watch")
				time.Sleep(time.Second)
			}
			want(t, "across the return", cost(t, w, m, s, 1), 1)
			want(t, "then", cost(t, w, m, s, 2), 1)
		},
		"is_bypassed_while_the_subscription_is_down_and_empty_after": func(t *testing.T, w *world) {
			m, s := w.listening(), w.login()
			cost(t, w, m, s, 1)
			w.store.setAway(true, "watch")
			time.Sleep(2 * time.Second)
			want(t, "deaf", cost(t, w, m, s, 10), 10)
			if st := m.Stats(); st.Listening || st.CacheEntries != 0 || st.CacheBytes != 0 {
				t.Errorf("deaf: %+v", st)
			}
			w.store.setAway(false, "watch")
			time.Sleep(time.Second)
			want(t, "back", cost(t, w, m, s, 10), 1)
		},
		"bridges_an_outage_for_up_to_a_second": func(t *testing.T, w *world) {
			m, s := w.listening(), w.login()
			cost(t, w, m, s, 1)
			w.store.unaware = true // the connection is silent
			w.store.setAway(true, "all")
			lost := time.Now()
			for time.Since(lost) < time.Second/2 {
				want(t, "at first", cost(t, w, m, s, 1), 0)
				time.Sleep(time.Millisecond)
			}
			time.Sleep(time.Until(lost.Add(time.Second)))
			_, err := m.Load(t.Context(), s.Handle)
			wantErr(t, err, session.ErrUnavailable)
		},
		"is_not_used_by_a_manager_that_does_not_run": func(t *testing.T, w *world) {
			m, s := w.instance(), w.login()
			want(t, "idle", cost(t, w, m, s, 10), 10)
		},
		"is_bounded_in_bytes": func(t *testing.T, w *world) {
			w.cache = 5000
			m := w.listening()
			for range 50 {
				cost(t, w, m, w.login(), 1)
				if st := m.Stats(); st.CacheBytes > 5000 || st.CacheBudget != 5000 {
					t.Fatalf("%+v", st)
				}
			}
			if st := m.Stats(); st.CacheEntries == 0 || st.CacheEntries+int(st.CacheEvictions) != 50 {
				t.Errorf("%+v", st)
			}
		},
		"keeps_no_session_that_is_larger_than_its_budget": func(t *testing.T, w *world) {
			w.cache = 500
			m, s := w.listening(), w.login()
			want(t, "too large", cost(t, w, m, s, 10), 10)
			if st := m.Stats(); st.CacheEntries != 0 || st.CacheBytes != 0 {
				t.Errorf("%+v", st)
			}
		},
		"keeps_most_where_a_few_more_sessions_take_turns_than_there_is_room_for": func(t *testing.T, w *world) {
			const sessions, rounds = 1500, 10
			one := w.listening()
			cost(t, w, one, w.login(), 1)
			w.cache = one.Stats().CacheBytes * sessions * 14 / 15
			m := w.listening()
			all := make([]*session.Session, sessions)
			for i := range all {
				all[i] = w.login()
				cost(t, w, m, all[i], 1)
			}
			loads := 0
			for range rounds {
				for _, s := range all {
					loads += cost(t, w, m, s, 1)
				}
			}
			// Chance keeps 87 of 100, whoever drops the oldest none.
			if hits := 1 - float64(loads)/(sessions*rounds); hits < 0.75 {
				t.Errorf("%.2f came from the cache", hits)
			}
		},
		"counts_claims_as_they_are_when_somebody_has_asked_for_them": func(t *testing.T, w *world) {
			w.cache = 64 << 20
			m := w.listening()
			claims := json.RawMessage(`{"cognito:groups":["g000"` + strings.Repeat(`,"g000"`, 300) + `]}`)
			var all []*session.Session
			for range 200 {
				tokens := w.provider.login()
				tokens.AccessClaims, tokens.IDClaims = claims, claims
				s, err := w.m.Create(t.Context(), session.New{Tokens: tokens}, session.Handle{})
				if err != nil {
					t.Fatal(err)
				}
				cost(t, w, m, s, 1)
				all = append(all, s)
			}
			counted, before := m.Stats().CacheBytes, heap()
			for _, s := range all {
				s.Identity()
			}
			counted, parsed := m.Stats().CacheBytes-counted, heap()-before
			// The race detector has small objects take a third more than they do.
			if counted < parsed*2/3 || counted > parsed*3/2 {
				t.Errorf("%d more bytes are counted, and what was parsed takes %d", counted, parsed)
			}
			runtime.KeepAlive(all)
		},
		"counts_what_is_made_of_claims": func(t *testing.T, w *world) {
			m, s := w.listening(), w.login()
			cost(t, w, m, s, 1)
			opened, err := m.Load(t.Context(), s.Handle)
			if err != nil {
				t.Fatal(err)
			}
			identity := opened.Identity()
			before := m.Stats().CacheBytes
			for _, kept := range []int{1000, 400} { // the second in the place of the first
				identity.Keep("headers", kept, kept)
				if more := m.Stats().CacheBytes - before; more != kept {
					t.Errorf("%d bytes more are counted for %d", more, kept)
				}
			}
		},
		"forgets_tokens_that_nobody_asks_for": func(t *testing.T, w *world) {
			m, s := w.listening(), w.login()
			cost(t, w, m, s, 1)
			time.Sleep(12 * time.Second)
			if st := m.Stats(); st.CacheEntries != 0 || st.CacheBytes != 0 {
				t.Errorf("%+v", st)
			}
		},
		"a_use_is_recorded_once_and_costs_no_load": func(t *testing.T, w *world) {
			m, s := w.listening(), w.login()
			time.Sleep(idleTimeout / 2)
			now := time.Now()
			for range 100 {
				got, err := m.Load(t.Context(), s.Handle)
				if err != nil {
					t.Fatal(err)
				}
				if got, err = m.Touch(t.Context(), got); err != nil || !got.LastSeen.Equal(now) {
					t.Fatalf("Touch = %v, %v", got, err)
				}
			}
			if n := w.store.callCount("touch"); n != 1 {
				t.Errorf("%d writes", n)
			}
			want(t, "all", w.store.callCount("load"), 1)
		},
		"serves_no_session_past_its_limits": func(t *testing.T, w *world) {
			m, s := w.listening(), w.login()
			time.Sleep(session.IdleLimit(idleTimeout) - time.Second)
			cost(t, w, m, s, 1)
			time.Sleep(time.Second)
			_, err := m.Load(t.Context(), s.Handle)
			wantErr(t, err, session.ErrNotFound)
		},
	}
	for name, run := range cases {
		cases[name] = func(t *testing.T, w *world) {
			w.cache = 1 << 20
			run(t, w)
		}
	}
	inBubble(t, cases)
}

// sealed is a store whose sessions are records, opened at each load as Redis's are.
type sealed struct {
	session.Store
	codec   *session.Codec
	records map[string][]byte // by id
}

func (s *sealed) Load(_ context.Context, h session.Handle) (*session.Session, error) {
	id, _ := session.IDOf(h)
	return s.codec.Open(h, s.records[id])
}

// TestCacheCountsWhatItTakes: what the cache says of its size is what it takes, by
// which the memory of the process is divided.
func TestCacheCountsWhatItTakes(t *testing.T) {
	const sessions = 2000
	inBubble(t, map[string]func(*testing.T, *world){
		"with_tokens_of_cognitos_size": func(t *testing.T, w *world) {
			store := &sealed{w.store.Store, session.NewCodec(ringOf(t, 1), storetest.Audience), make(map[string][]byte)}
			w.store.Store, w.cache = store, 64<<20
			var handles []string
			for range sessions {
				s := sample("sub-1")
				s.Subject = s.ID[:36] // as long as Cognito's
				store.records[s.ID] = seal(t, store.codec, s)
				handles = append(handles, s.Handle.Reveal())
			}
			m := w.listening()
			before := heap()
			for _, h := range handles {
				if _, err := m.Load(t.Context(), secret.NewText(strings.Clone(h))); err != nil {
					t.Fatal(err)
				}
			}
			takes, st := heap()-before, m.Stats()
			runtime.KeepAlive(handles)
			t.Logf("a session takes %d bytes, and %d are counted", takes/sessions, st.CacheBytes/sessions)
			if st.CacheEntries != sessions || takes < st.CacheBytes*3/4 || takes > st.CacheBytes*5/4 {
				t.Errorf("%d sessions take %d bytes, and %d are counted", st.CacheEntries, takes, st.CacheBytes)
			}
		},
	})
}

// heap is how many bytes are in use.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
