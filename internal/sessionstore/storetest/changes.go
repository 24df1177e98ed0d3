package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Watcher is one Watch under way, and what it was told.
type Watcher struct {
	t       testing.TB
	changes chan session.Change
	ups     chan bool
	lost    chan struct{} // filled each time the watch goes down
	up      atomic.Bool
}

// Watch starts a Watch that ends with the test, and waits until it is up.
func Watch(t testing.TB, st session.Store) *Watcher {
	t.Helper()
	w := &Watcher{t: t, changes: make(chan session.Change, 1000), ups: make(chan bool, 1000), lost: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		_ = st.Watch(ctx, func(c session.Change) { w.changes <- c }, func(up bool) {
			w.up.Store(up)
			if !up {
				offer(w.lost, struct{}{})
			}
			offer(w.ups, up)
		})
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	w.WaitUp(true)
	return w
}

func offer[T any](to chan<- T, v T) {
	select {
	case to <- v:
	default:
	}
}

// patience is how long a test waits for what comes at once, unless the machine is
// busy: only what never comes takes it.
const patience = 2 * time.Minute

// WaitUp waits until the watch says that it is up, or down.
func (w *Watcher) WaitUp(want bool) {
	w.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case up := <-w.ups:
			if up == want {
				return
			}
		case <-deadline:
			w.t.Fatalf("never told up(%v)", want)
		}
	}
}

// errLost is what a watch tells nothing after: it went down, as it may on a busy
// machine, and what changed until it is up again is not told later.
var errLost = errors.New("the watch went down")

// Hears wants the changes that act makes, in order, and nothing between. Where a
// watch goes down meanwhile, act is done again.
func Hears(t *testing.T, act func() []session.Change, watchers ...*Watcher) {
	t.Helper()
	for range 10 {
		for _, w := range watchers {
			w.settle()
		}
		want := act()
		var err error
		for _, w := range watchers {
			err = errors.Join(err, w.hears(want))
		}
		if !errors.Is(err, errLost) {
			if err != nil {
				t.Error(err)
			}
			return
		}
		t.Log(err)
	}
	t.Error("a watch went down at each of ten tries")
}

// settle waits until the watch is up, and forgets what it was told before.
func (w *Watcher) settle() {
	w.t.Helper()
	for !w.up.Load() {
		w.WaitUp(true)
	}
	for {
		select {
		case <-w.changes:
		case <-w.lost:
		default:
			return
		}
	}
}

func (w *Watcher) hears(changes []session.Change) error {
	for _, want := range changes {
		select {
		case got := <-w.changes:
			if d := cmp.Diff(want, got); d != "" {
				select {
				case <-w.lost:
					return errLost
				default:
					return errors.New(d)
				}
			}
		case <-w.lost:
			return errLost
		case <-time.After(patience):
			return fmt.Errorf("not told of %+v", want)
		}
	}
	return nil
}

// TellsOthers tests that what one instance does to a session another hears of.
func TellsOthers(t *testing.T, here, there session.Store) {
	t.Helper()
	Hears(t, func() (want []session.Change) {
		s := create(t, here, Sample("sub-1"))
		for range 5 {
			next, err := here.Replace(t.Context(), refreshed(s))
			if err != nil {
				t.Fatal(err)
			}
			s, want = next, append(want, session.Change{ID: s.ID, Generation: next.Generation})
		}
		if err := here.DeleteID(t.Context(), s.ID, session.ReasonAdmin); err != nil {
			t.Fatal(err)
		}
		return append(want, session.Change{ID: s.ID, Reason: session.ReasonAdmin})
	}, Watch(t, here), Watch(t, there))
}

func testWatch(t *testing.T, open Open) {
	st := open(t, longIdle)
	one, two := Watch(t, st), Watch(t, st)
	t.Run("tells_everyone_of_refreshes_and_ends_in_order", func(t *testing.T) {
		Hears(t, func() []session.Change {
			s := create(t, st, Sample("sub-1"))
			next := s
			for range 3 {
				var err error
				if next, err = st.Replace(t.Context(), refreshed(next)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := st.Delete(t.Context(), s.Handle, session.ReasonLogout); err != nil {
				t.Fatal(err)
			}
			return []session.Change{
				{ID: s.ID, Generation: 1}, {ID: s.ID, Generation: 2},
				{ID: s.ID, Generation: 3}, {ID: s.ID, Reason: session.ReasonLogout},
			}
		}, one, two)
	})
	t.Run("tells_of_an_end_by_id", func(t *testing.T) {
		if st.Traits().NoRegistry {
			return // see testDelete: there is no such end to tell of
		}
		Hears(t, func() []session.Change {
			s := create(t, st, Sample("sub-1"))
			if err := st.DeleteID(t.Context(), s.ID, session.ReasonAdmin); err != nil {
				t.Fatal(err)
			}
			return []session.Change{{ID: s.ID, Reason: session.ReasonAdmin}}
		}, one)
	})
	t.Run("tells_nothing_of_what_changed_nothing", func(t *testing.T) {
		Hears(t, func() []session.Change {
			s := create(t, st, Sample("sub-1"))
			stale := refreshed(refreshed(s))
			if _, err := st.Replace(t.Context(), stale); err == nil {
				t.Fatal("replaced over a gap")
			}
			if _, err := st.Touch(t.Context(), s.Handle, s.LastSeen.Add(longIdle/2)); err != nil {
				t.Fatal(err)
			}
			if _, err := st.Delete(t.Context(), session.NewHandle(), session.ReasonLogout); err != nil {
				t.Fatal(err)
			}
			if _, err := st.Replace(t.Context(), refreshed(s)); err != nil {
				t.Fatal(err)
			}
			return []session.Change{{ID: s.ID, Generation: 1}}
		}, one)
	})
	t.Run("goes_on_saying_that_it_is_up", func(t *testing.T) {
		for range 5 {
			one.WaitUp(true)
		}
	})
	t.Run("ends_with_its_context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		last := true
		err := st.Watch(ctx, func(session.Change) {}, func(up bool) { last = up })
		if err == nil || last {
			t.Errorf("Watch = %v, up %v at the end", err, last)
		}
	})
}

func testLeases(t *testing.T, open Open) {
	st := open(t, longIdle)
	const term = time.Minute
	do := func(t *testing.T, f func(context.Context, string, string, time.Duration) (bool, error),
		id, owner string, term time.Duration, want bool) {
		t.Helper()
		if got, err := f(t.Context(), id, owner, term); got != want || err != nil {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
	}
	t.Run("have_one_owner", func(t *testing.T) {
		do(t, st.Acquire, "one", "a", term, true)
		do(t, st.Acquire, "one", "b", term, false)
		do(t, st.Acquire, "one", "a", term, true) // the command, sent again
		do(t, st.Acquire, "two", "b", term, true)
		do(t, st.Renew, "one", "b", term, false)
		do(t, st.Renew, "one", "a", term, true)
		do(t, st.Renew, "none", "a", term, false)
	})
	t.Run("are_given_back_by_their_owner_only", func(t *testing.T) {
		do(t, st.Acquire, "three", "a", term, true)
		for _, owner := range []string{"b", "a", "a"} {
			do(t, st.Acquire, "three", "c", term, false)
			if err := st.Release(t.Context(), "three", owner); err != nil {
				t.Error(err)
			}
			if owner == "a" {
				break
			}
		}
		do(t, st.Acquire, "three", "c", term, true)
	})
	t.Run("run_out_after_their_term_unless_renewed", func(t *testing.T) {
		const brief = 200 * time.Millisecond
		do(t, st.Acquire, "four", "a", term, true)
		began := time.Now()
		do(t, st.Renew, "four", "a", brief, true)
		for ok := false; !ok; {
			<-time.After(brief / 20)
			var err error
			if ok, err = st.Acquire(t.Context(), "four", "b", term); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); !ok && took > patience {
				t.Fatalf("still held after %v", took)
			}
		}
		if took := time.Since(began); took < brief-time.Millisecond { // to which times are kept
			t.Errorf("ran out after %v", took)
		}
		do(t, st.Renew, "four", "a", term, false)
	})
	t.Run("are_given_to_one_of_many", func(t *testing.T) {
		var mu sync.Mutex
		got := 0
		parallel(20, func(i int) {
			ok, err := st.Acquire(t.Context(), "five", string(rune('a'+i)), term)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if ok {
				got++
			}
		})
		if got != 1 {
			t.Errorf("%d owners", got)
		}
	})
}
