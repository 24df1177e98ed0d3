package sessionstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

// writer is somebody who can do anything at Redis, and has the cookie.
type writer struct {
	t     *testing.T
	redis *redis.Client
}

func (w writer) do(args ...any) {
	w.t.Helper()
	if err := w.redis.Do(w.t.Context(), args...).Err(); err != nil {
		w.t.Fatalf("%v: %v", args, err)
	}
}

func (w writer) record(s *session.Session) string {
	w.t.Helper()
	r, err := w.redis.Get(w.t.Context(), keyOf(s)).Result()
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func keyOf(s *session.Session) string { return "gatehouse:s:{" + s.ID + "}" }

// future is a time of use, or a limit, that never comes, as a record has it.
const future = "\x00\x7f\xff\xff\xff\xff\xff\xff"

// TestRedisWriterProlongsNothing: what a writer at Redis can do to a session is to
// end it. Each row gets a session that was used now, and ends with the time when
// it must be over, should it live on.
func TestRedisWriterProlongsNothing(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	w := writer{t, server.Client()}
	const idle = 2 * time.Second // long enough for an attack to come first
	st := openRedis(t, server, idle)
	idleLimit := func(s *session.Session) time.Time { return s.LastSeen.Add(session.IdleLimit(idle)) }
	use := func(r string) string { return r[session.RecordLastSeen : session.RecordLastSeen+session.RecordUse] }
	for name, attack := range map[string]func(s *session.Session) (over time.Time){
		"takes_the_time_to_live_away": func(s *session.Session) time.Time {
			w.do("PERSIST", keyOf(s))
			return idleLimit(s)
		},
		"writes_a_later_use": func(s *session.Session) time.Time {
			w.do("PERSIST", keyOf(s))
			w.do("SETRANGE", keyOf(s), session.RecordLastSeen, future)
			return time.Now()
		},
		"writes_another_sessions_later_use": func(s *session.Session) time.Time {
			later := storetest.Sample("sub-1")
			later.LastSeen = later.LastSeen.Add(time.Hour)
			w.do("PERSIST", keyOf(s))
			w.do("SETRANGE", keyOf(s), session.RecordLastSeen, use(w.record(createIn(t, st, later))))
			return time.Now()
		},
		"writes_a_later_absolute_limit": func(s *session.Session) time.Time {
			w.do("PERSIST", keyOf(s))
			w.do("SETRANGE", keyOf(s), session.RecordExpiresAt, future)
			return time.Now()
		},
		"puts_the_record_back_after_its_end": func(s *session.Session) time.Time {
			kept := w.record(s)
			if _, err := st.Delete(t.Context(), s.Handle, session.ReasonLogout); err != nil {
				t.Fatal(err)
			}
			w.do("SET", keyOf(s), kept)
			return idleLimit(s)
		},
		"puts_the_record_under_another_name": func(s *session.Session) time.Time {
			w.do("COPY", keyOf(createIn(t, st, storetest.Sample("sub-1"))), keyOf(s), "REPLACE")
			return time.Now()
		},
		"calls_it_a_record_of_before": func(s *session.Session) time.Time {
			w.do("SETRANGE", keyOf(s), 0, "\x01")
			return time.Now()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := createIn(t, st, storetest.Sample("sub-1"))
			over := attack(s)
			<-time.After(time.Until(over) + time.Millisecond)
			if _, err := st.Load(t.Context(), s.Handle); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("Load: %v, want ErrNotFound", err)
			}
			next := *s
			next.Generation++
			if got, err := st.Replace(t.Context(), &next); err == nil && got.LastSeen.After(s.LastSeen) {
				t.Errorf("Replace tells of a use at %v, want %v at most", got.LastSeen, s.LastSeen)
			}
			<-time.After(time.Until(idleLimit(s)) + time.Millisecond) // a refresh may mend a record, and prolongs none
			if _, err := st.Load(t.Context(), s.Handle); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("Load after a refresh: %v", err)
			}
			if err := w.redis.Del(t.Context(), keyOf(s)).Err(); err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Run("an_earlier_use_put_back_takes_nothing_of_the_next", func(t *testing.T) {
		st := openRedis(t, server, 30*time.Minute)
		s := createIn(t, st, storetest.Sample("sub-1"))
		first := use(w.record(s))
		for _, at := range []time.Duration{5, 10} {
			seen := s.LastSeen.Add(at * time.Minute)
			if _, err := st.Touch(t.Context(), s.Handle, seen); err != nil {
				t.Fatal(err)
			}
			if got, err := st.Load(t.Context(), s.Handle); err != nil || !got.LastSeen.Equal(seen) {
				t.Fatalf("Load = %v, %v; want a use at %v", got, err, seen)
			}
			w.do("SETRANGE", keyOf(s), session.RecordLastSeen, first)
		}
		if got, err := st.Load(t.Context(), s.Handle); err != nil || !got.LastSeen.Equal(s.LastSeen) {
			t.Errorf("Load = %v, %v; want the use that was put back", got, err)
		}
	})
}

// TestRedisAudience: gateways of two clients, and of two user pools, with the same
// keys at the same Redis.
func TestRedisAudience(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	open := func(audience session.Audience) *sessionstore.Redis {
		st, err := sessionstore.NewRedis(sessionstore.RedisOptions{
			Address: at(t, server.URL), Ring: newRing(t, 1), Audience: audience, IdleTimeout: 30 * time.Minute, Timeout: ample,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = st.Close() })
		return st
	}
	own := open(storetest.Audience)
	s := createIn(t, own, storetest.Sample("sub-1"))
	for name, audience := range map[string]session.Audience{
		"client": {Issuer: storetest.Audience.Issuer, ClientID: "another"},
		"pool":   {Issuer: "https://another.example", ClientID: storetest.Audience.ClientID},
	} {
		other := open(audience)
		if _, err := other.Load(t.Context(), s.Handle); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Load for another %s: %v, want ErrNotFound", name, err)
		}
		if list, err := listOf(t, other, "sub-1"); err != nil || len(list) != 0 {
			t.Errorf("List for another %s = %v, %v; want none", name, list, err)
		}
	}
	if got, err := own.Load(t.Context(), s.Handle); err != nil || got.Issuer != storetest.Audience.Issuer || got.Tokens.Issuer != got.Issuer {
		t.Errorf("Load = %v, %v", got, err)
	}
	foreign := storetest.Sample("sub-1")
	foreign.Issuer = "https://another.example"
	if s, err := own.Create(t.Context(), foreign); err == nil {
		t.Errorf("Create took a session of another issuer: %v", s.ID)
	}
}
