package streams

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// counted counts how often it was ended.
type counted struct {
	place Place
	ends  atomic.Int64
}

func (c *counted) EndWithSession() { c.ends.Add(1) }

// join is for registries that have room.
func join(r *Registry, p *Place, e Exchange, s *session.Session, since time.Time) {
	if err := r.Join(p, e, s, since); err != nil {
		panic(err)
	}
}

func TestRegistry_has_room_for_so_many(t *testing.T) {
	for name, c := range map[string]struct {
		r    *Registry
		want error
	}{
		"of_a_session": {&Registry{PerSession: 2}, ErrSessionFull},
		"of_all":       {&Registry{Most: 2}, ErrFull},
		"of_both":      {&Registry{PerSession: 2, Most: 3}, ErrSessionFull},
	} {
		t.Run(name, func(t *testing.T) {
			r, s := c.r, &session.Session{ID: "one"}
			all := make([]counted, 4)
			for i := range 2 {
				join(r, &all[i].place, &all[i], s, time.Now())
			}
			for range 3 { // who is refused takes no place
				if err := r.Join(&all[2].place, &all[2], s, time.Now()); !errors.Is(err, c.want) {
					t.Errorf("the third: %v, want %v", err, c.want)
				}
			}
			if err := r.Join(&all[3].place, &all[3], &session.Session{ID: "other"}, time.Now()); (err == nil) != (c.r.PerSession > 0) {
				t.Errorf("another session's: %v", err)
			}
			if n := r.End("one"); n != 2 {
				t.Errorf("%d were ended, want 2", n)
			}
			r.Leave(&all[0].place)
			if err := r.Join(&all[2].place, &all[2], s, time.Now()); err != nil {
				t.Errorf("after one has left: %v", err)
			}
			if err := r.Join(new(Place), &counted{}, s, time.Now()); err == nil {
				t.Error("there is room for two more")
			}
		})
	}
}

func TestRegistry_ends_the_exchanges_of_one_session_once(t *testing.T) {
	one, other := &session.Session{ID: "one"}, &session.Session{ID: "other"}
	var r Registry
	all := make([]counted, 4)
	for i := range 3 {
		join(&r, &all[i].place, &all[i], one, time.Now())
	}
	join(&r, &all[3].place, &all[3], other, time.Now())
	if r.Leave(&all[1].place) {
		t.Error("one that leaves says that it was ended")
	}
	if n := r.End("one"); n != 2 || r.Len() != 3 {
		t.Errorf("%d were ended, %d are open", n, r.Len())
	}
	if n := r.End("one") + r.End("nobody's"); n != 0 {
		t.Errorf("%d were ended again", n)
	}
	for i, want := range []int64{1, 0, 1, 0} {
		if n := all[i].ends.Load(); n != want {
			t.Errorf("exchange %d was ended %d times, want %d", i, n, want)
		}
	}
	if !r.Leave(&all[0].place) || !r.Leave(&all[2].place) || r.Leave(&all[3].place) {
		t.Error("one does not know whether it was ended")
	}
	if r.Len() != 0 {
		t.Errorf("%d are open after all have left", r.Len())
	}
}

// Whatever order the exchanges of a session leave in, the others stay.
func TestRegistry_forgets_who_leaves_and_nobody_else(t *testing.T) {
	s := &session.Session{ID: "one"}
	for _, order := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		var r Registry
		all := make([]counted, 3)
		for i := range all {
			join(&r, &all[i].place, &all[i], s, time.Now())
		}
		for left, i := range order {
			r.Leave(&all[i].place)
			if n := r.Len(); n != len(order)-left-1 {
				t.Errorf("%v: %d are open after %d have left", order, n, left+1)
			}
		}
	}
}

// Nobody is ended who has left: what his connection does next is not the session's.
func TestRegistry_ends_nobody_who_has_left(t *testing.T) {
	var r Registry
	var all sync.WaitGroup
	stop := make(chan struct{})
	all.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				for i := range 4 {
					r.End(fmt.Sprint("session-", i))
				}
			}
		}
	})
	var goers sync.WaitGroup
	for i := range 8 {
		goers.Go(func() {
			s := &session.Session{ID: fmt.Sprint("session-", i%4)}
			for range 2000 {
				var c counted
				join(&r, &c.place, &c, s, time.Now())
				ended := r.Leave(&c.place)
				n := c.ends.Load()
				if n > 1 || ended != (n == 1) {
					t.Errorf("ended %d times, and says %v", n, ended)
				}
			}
		})
	}
	goers.Wait()
	close(stop)
	all.Wait()
	if r.Len() != 0 {
		t.Errorf("%d are open", r.Len())
	}
}

func TestJoin_allocates_nothing(t *testing.T) {
	var r Registry
	s, c := &session.Session{ID: "one"}, &counted{}
	if n := testing.AllocsPerRun(100, func() {
		c.place = Place{}
		join(&r, &c.place, c, s, time.Time{})
		r.Leave(&c.place)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
