package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

const (
	shortIdle = time.Second
	// slack is what a busy machine may add to a limit.
	slack = 20 * time.Second
)

func testLimits(t *testing.T, open Open) {
	st := open(t, shortIdle)
	t.Run("idle_ends_a_session_after_the_timeout_and_a_tenth_at_most", func(t *testing.T) {
		t.Parallel()
		s := create(t, st, Sample("sub-1"))
		over := waitGone(t, st, s.Handle).Sub(s.LastSeen)
		if over < shortIdle || over > session.IdleLimit(shortIdle)+slack {
			t.Errorf("ended %v after its last use, want %v to %v", over, shortIdle, session.IdleLimit(shortIdle))
		}
		if l, err := st.List(t.Context(), "sub-1", session.Position{}, 10); len(l.Sessions) != 0 || !registryAnswers(st, err) {
			t.Errorf("List = %+v, %v; want none", l, err)
		}
		if _, err := st.Find(t.Context(), s.ID); !errors.Is(err, session.ErrNotFound) && !st.Traits().NoRegistry {
			t.Errorf("Find: %v, want ErrNotFound", err)
		}
		if _, err := st.Replace(t.Context(), refreshed(s)); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Replace: err = %v, want ErrNotFound", err)
		}
	})
	t.Run("a_use_prolongs_a_session", func(t *testing.T) {
		t.Parallel()
		s, seen := createAndUse(t, st)
		over := waitGone(t, st, s.Handle).Sub(seen)
		if over < shortIdle || over > session.IdleLimit(shortIdle)+slack {
			t.Errorf("ended %v after its last use, want %v to %v", over, shortIdle, session.IdleLimit(shortIdle))
		}
	})
	t.Run("a_refresh_prolongs_nothing", func(t *testing.T) {
		t.Parallel()
		s := alive(t, st, "sub-4", func(s *session.Session) {
			if _, err := st.Replace(t.Context(), refreshed(s)); err != nil && time.Since(s.LastSeen) < shortIdle {
				t.Fatal(err)
			}
		})
		if over := waitGone(t, st, s.Handle).Sub(s.LastSeen); over > session.IdleLimit(shortIdle)+slack {
			t.Errorf("ended %v after its last use, want %v at most", over, session.IdleLimit(shortIdle))
		}
	})
	t.Run("no_use_carries_a_session_past_its_absolute_limit", func(t *testing.T) {
		t.Parallel()
		in := Sample("sub-3")
		in.ExpiresAt = in.CreatedAt.Add(shortIdle / 2)
		s := create(t, st, in)
		seen := s.LastSeen.Add(shortIdle / 4)
		<-time.After(time.Until(seen))
		if _, err := st.Touch(t.Context(), s.Handle, seen); err != nil {
			t.Fatal(err)
		}
		over := waitGone(t, st, s.Handle)
		if over.Before(s.ExpiresAt) || over.After(s.ExpiresAt.Add(slack)) {
			t.Errorf("ended %v after its absolute limit", over.Sub(s.ExpiresAt))
		}
	})
}

// createAndUse returns a session that was used in the middle of its idle
// timeout, and when.
func createAndUse(t *testing.T, st session.Store) (s *session.Session, seen time.Time) {
	t.Helper()
	s = alive(t, st, "sub-2", func(s *session.Session) {
		<-time.After(shortIdle / 2)
		seen = time.Now().Truncate(time.Millisecond)
		if _, err := st.Touch(t.Context(), s.Handle, seen); err != nil {
			t.Fatal(err)
		}
	})
	return s, seen
}

// alive returns a session to which something was done within its idle timeout. A
// machine that was too slow for that gets another try.
func alive(t *testing.T, st session.Store, subject string, do func(*session.Session)) *session.Session {
	t.Helper()
	for range 20 {
		s := create(t, st, Sample(subject))
		do(s)
		if time.Since(s.LastSeen) < shortIdle {
			return s
		}
	}
	t.Fatalf("the machine is too slow for an idle timeout of %v", shortIdle)
	return nil
}

func testRaces(t *testing.T, open Open) {
	st := open(t, longIdle)
	t.Run("of_parallel_refreshes_one_wins", func(t *testing.T) {
		for range 20 {
			s := create(t, st, Sample("sub-1"))
			var won atomic.Int32
			parallel(16, func(int) {
				_, err := st.Replace(t.Context(), refreshed(s))
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, session.ErrConflict):
					t.Errorf("Replace: %v", err)
				}
			})
			if won.Load() != 1 {
				t.Fatalf("%d won, want 1", won.Load())
			}
		}
	})
	t.Run("a_refresh_and_a_use_lose_nothing_of_each_other", func(t *testing.T) {
		for range 50 {
			s := create(t, st, Sample("sub-1"))
			seen := s.LastSeen.Add(longIdle / 2)
			parallel(2, func(i int) {
				if i == 0 {
					if _, err := st.Replace(t.Context(), refreshed(s)); err != nil {
						t.Errorf("Replace: %v", err)
					}
				} else if _, err := st.Touch(t.Context(), s.Handle, seen); err != nil {
					t.Errorf("Touch: %v", err)
				}
			})
			if got := load(t, st, s.Handle); got.Generation != 1 || !got.LastSeen.Equal(seen) {
				t.Fatalf("generation %d, last use %v; want 1, %v", got.Generation, got.LastSeen, seen)
			}
		}
	})
	t.Run("nothing_brings_back_a_deleted_session", func(t *testing.T) {
		for range 100 {
			s := create(t, st, Sample("sub-1"))
			parallel(3, func(i int) {
				var err error
				switch i {
				case 0:
					_, err = st.Delete(t.Context(), s.Handle, session.ReasonLogout)
				case 1:
					_, err = st.Touch(t.Context(), s.Handle, s.LastSeen.Add(longIdle/2))
				case 2:
					if _, err = st.Replace(t.Context(), refreshed(s)); errors.Is(err, session.ErrNotFound) {
						err = nil
					}
				}
				if err != nil {
					t.Errorf("step %d: %v", i, err)
				}
			})
			wantGone(t, st, s.Handle)
		}
	})
}

// parallel runs f(0) to f(n-1) at once and waits for all.
func parallel(n int, f func(i int)) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			f(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}
