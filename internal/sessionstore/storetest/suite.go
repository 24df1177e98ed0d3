// Package storetest is the one suite that every session store must pass, and
// the sample sessions it uses.
//
// It owns the store contract as tests; what only one store can get wrong is
// tested with that store. The one invariant: nothing here knows which store it
// tests. What stores do differently they declare (session.Traits), and each
// declaration is held to.
package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Open returns a fresh, empty store with the given idle timeout.
type Open func(t *testing.T, idleTimeout time.Duration) session.Store

const longIdle = 30 * time.Minute

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for _, group := range []struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"Create", testCreate},
		{"Load", testLoad},
		{"Replace", testReplace},
		{"Touch", testTouch},
		{"Delete", testDelete},
		{"List", testList},
		{"pages", testPages},
		{"Find", testFind},
		{"Count", testCount},
		{"limits", testLimits},
		{"races", testRaces},
		{"leases", testLeases},
		{"Watch", testWatch},
	} {
		t.Run(group.name, func(t *testing.T) { group.run(t, open) })
	}
}

// same compares sessions by what they hold; secrets too, and not what follows from
// them.
var same = cmp.Options{
	cmp.Comparer(func(a, b secret.Text) bool { return a.Reveal() == b.Reveal() }),
	cmpopts.IgnoreUnexported(session.Session{}),
}

func create(t *testing.T, st session.Store, s *session.Session) *session.Session {
	t.Helper()
	created, err := st.Create(t.Context(), s)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	return created
}

func load(t *testing.T, st session.Store, h session.Handle) *session.Session {
	t.Helper()
	s, err := st.Load(t.Context(), h)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return s
}

func wantGone(t *testing.T, st session.Store, h session.Handle) {
	t.Helper()
	if s, err := st.Load(t.Context(), h); !errors.Is(err, session.ErrNotFound) {
		t.Fatalf("Load = %v, %v; want ErrNotFound", s, err)
	}
}

// registryAnswers reports whether err is what the store must say when it is
// asked about sessions by anything but a handle.
func registryAnswers(st session.Store, err error) bool {
	if st.Traits().NoRegistry {
		return errors.Is(err, session.ErrNoRegistry)
	}
	return err == nil
}

// refreshed returns s as a refresh would write it.
func refreshed(s *session.Session) *session.Session {
	next := *s
	next.Generation++
	next.TokensAt = s.TokensAt.Add(time.Minute)
	SetTokens(&next, s.Tokens.AccessExpiresAt.Add(time.Hour))
	return &next
}

func testCreate(t *testing.T, open Open) {
	st := open(t, longIdle)
	in := Sample("sub-1")
	a, b := create(t, st, in), create(t, st, in)

	t.Run("gives_each_session_a_handle_and_an_id_of_its_own", func(t *testing.T) {
		if a.Handle.Empty() || a.ID == "" || a.Handle.Equal(b.Handle) || a.ID == b.ID {
			t.Errorf("handles or ids missing or equal: %q, %q", a.ID, b.ID)
		}
	})
	t.Run("leaves_the_argument_alone", func(t *testing.T) {
		if !in.Handle.Empty() || in.ID != "" {
			t.Error("the argument was changed")
		}
	})
	t.Run("returns_what_Load_returns", func(t *testing.T) {
		if d := cmp.Diff(a, load(t, st, a.Handle), same); d != "" {
			t.Error(d)
		}
		want := *in
		want.Handle, want.ID = a.Handle, a.ID
		if d := cmp.Diff(&want, a, same); d != "" {
			t.Error(d)
		}
	})
	t.Run("refuses_a_session_that_is_over", func(t *testing.T) {
		late := Sample("sub-1")
		late.ExpiresAt = time.Now().Add(-time.Second)
		if _, err := st.Create(t.Context(), late); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("err = %v, want ErrNotFound", err)
		}
	})
	t.Run("answers_to_Ping", func(t *testing.T) {
		if err := st.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func testLoad(t *testing.T, open Open) {
	st := open(t, longIdle)
	a, b := create(t, st, Sample("sub-1")), create(t, st, Sample("sub-2"))
	ra, rb := a.Handle.Reveal(), b.Handle.Reveal()
	for name, raw := range map[string]string{
		"an_empty_handle":                   "",
		"a_handle_never_made":               session.NewHandle().Reveal(),
		"a_truncated_handle":                ra[:len(ra)-1],
		"half_a_handle":                     ra[:len(ra)/2],
		"a_handle_with_more_behind":         ra + "x",
		"the_end_of_another_session_handle": ra[:len(ra)/2] + rb[len(rb)/2:],
		"a_changed_last_byte":               ra[:len(ra)-1] + string([]byte{ra[len(ra)-1] ^ 1}),
		"the_public_id":                     a.ID,
	} {
		t.Run(name+"_finds_nothing", func(t *testing.T) { wantGone(t, st, secret.NewText(raw)) })
	}
}

func testReplace(t *testing.T, open Open) {
	st := open(t, longIdle)
	first := create(t, st, Sample("sub-1"))
	before := *first
	second, err := st.Replace(t.Context(), refreshed(first))
	if err != nil {
		t.Fatalf("Replace: %v", err)
	}
	t.Run("returns_what_Load_returns_then", func(t *testing.T) {
		if d := cmp.Diff(second, load(t, st, second.Handle), same); d != "" {
			t.Error(d)
		}
		if second.Generation != 1 || second.ID != first.ID {
			t.Errorf("generation %d, id %q", second.Generation, second.ID)
		}
	})
	t.Run("moves_the_handle_where_handles_move", func(t *testing.T) {
		if second.Handle.Equal(first.Handle) == st.Traits().MovingHandles {
			t.Errorf("moved: %v, declared %v", !second.Handle.Equal(first.Handle), st.Traits().MovingHandles)
		}
		if d := cmp.Diff(second, load(t, st, first.Handle), same); d != "" {
			t.Errorf("under the handle of before: %s", d)
		}
	})
	t.Run("leaves_older_snapshots_alone", func(t *testing.T) {
		if d := cmp.Diff(&before, first, same); d != "" {
			t.Error(d)
		}
	})
	t.Run("of_an_older_generation_conflicts_and_writes_nothing", func(t *testing.T) {
		for _, s := range []*session.Session{refreshed(first), first, refreshed(refreshed(second))} {
			if _, err := st.Replace(t.Context(), s); !errors.Is(err, session.ErrConflict) {
				t.Errorf("generation %d over %d: err = %v, want ErrConflict", s.Generation, second.Generation, err)
			}
		}
		if d := cmp.Diff(second, load(t, st, second.Handle), same); d != "" {
			t.Error(d)
		}
	})
	t.Run("leaves_the_recorded_use_alone", func(t *testing.T) {
		next := refreshed(second)
		next.LastSeen = next.LastSeen.Add(-time.Hour)
		third, err := st.Replace(t.Context(), next)
		if err != nil {
			t.Fatal(err)
		}
		if got := load(t, st, third.Handle).LastSeen; !got.Equal(first.LastSeen) || !third.LastSeen.Equal(got) {
			t.Errorf("last use %v, returned %v, want %v", got, third.LastSeen, first.LastSeen)
		}
	})
	t.Run("never_creates", func(t *testing.T) {
		ghost := refreshed(second)
		ghost.Handle = session.NewHandle()
		if _, err := st.Replace(t.Context(), ghost); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("err = %v, want ErrNotFound", err)
		}
		wantGone(t, st, ghost.Handle)
	})
}

func testTouch(t *testing.T, open Open) {
	st := open(t, longIdle)
	s := create(t, st, Sample("sub-1"))
	touch := func(t *testing.T, h session.Handle, seen time.Time) session.Handle {
		t.Helper()
		next, err := st.Touch(t.Context(), h, seen)
		if err != nil {
			t.Fatalf("Touch: %v", err)
		}
		return next
	}
	later := s.LastSeen.Add(longIdle / 2)
	t.Run("writes_nothing_but_the_time", func(t *testing.T) {
		next := touch(t, s.Handle, later)
		if next.Equal(s.Handle) == st.Traits().MovingHandles {
			t.Errorf("the handle moved: %v, declared %v", !next.Equal(s.Handle), st.Traits().MovingHandles)
		}
		want := *s
		want.Handle, want.LastSeen = next, later
		for name, h := range map[string]session.Handle{"next": next, "before": s.Handle} {
			if d := cmp.Diff(&want, load(t, st, h), same); d != "" {
				t.Errorf("under the handle of %s: %s", name, d)
			}
		}
	})
	t.Run("ignores_a_use_less_than_a_tenth_later_or_earlier", func(t *testing.T) {
		for _, seen := range []time.Time{later.Add(longIdle/10 - time.Millisecond), s.LastSeen} {
			next := touch(t, s.Handle, seen)
			if got := load(t, st, next).LastSeen; !got.Equal(later) {
				t.Errorf("last use %v after a use at %v, want %v", got, seen, later)
			}
		}
	})
	t.Run("never_recreates", func(t *testing.T) {
		if _, err := st.Delete(t.Context(), s.Handle, session.ReasonLogout); err != nil {
			t.Fatal(err)
		}
		touch(t, s.Handle, later.Add(longIdle/2))
		touch(t, session.NewHandle(), later)
		touch(t, secret.NewText("garbage"), later)
		wantGone(t, st, s.Handle)
	})
}

func testDelete(t *testing.T, open Open) {
	st := open(t, longIdle)
	s := create(t, st, Sample("sub-1"))
	last, err := st.Replace(t.Context(), refreshed(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("returns_what_the_session_was_at_the_end", func(t *testing.T) {
		got, err := st.Delete(t.Context(), s.Handle, session.ReasonLogout)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(last, got, same); d != "" {
			t.Error(d)
		}
		wantGone(t, st, s.Handle)
	})
	t.Run("of_what_is_not_there_is_no_error", func(t *testing.T) {
		for _, h := range []session.Handle{s.Handle, session.NewHandle(), secret.NewText("garbage"), {}} {
			if got, err := st.Delete(t.Context(), h, session.ReasonLogout); got != nil || err != nil {
				t.Errorf("Delete = %v, %v; want nil, nil", got, err)
			}
		}
	})
	t.Run("is_not_undone_by_a_refresh_that_was_running", func(t *testing.T) {
		if _, err := st.Replace(t.Context(), refreshed(last)); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Replace: err = %v, want ErrNotFound", err)
		}
		wantGone(t, st, s.Handle)
	})
	t.Run("by_id_ends_that_session_only", func(t *testing.T) {
		a, b := create(t, st, Sample("sub-1")), create(t, st, Sample("sub-1"))
		for _, id := range []string{a.ID, a.ID, "", "garbage", a.ID + "x", "*"} {
			if err := st.DeleteID(t.Context(), id, session.ReasonAdmin); !registryAnswers(st, err) {
				t.Errorf("DeleteID(%q): %v", id, err)
			}
		}
		load(t, st, b.Handle)
		if st.Traits().NoRegistry {
			load(t, st, a.Handle) // nothing is half done
			return
		}
		wantGone(t, st, a.Handle)
	})
}

// waitGone waits until the session is over and returns when that was. A store's
// expiry may be its own clock's, so there is nothing to wait on but Load.
func waitGone(t *testing.T, st session.Store, h session.Handle) time.Time {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := st.Load(ctx, h)
		switch {
		case errors.Is(err, session.ErrNotFound):
			return time.Now()
		case err != nil:
			t.Fatalf("Load: %v", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the session does not end")
		}
	}
}
