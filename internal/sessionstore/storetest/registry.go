package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func testList(t *testing.T, open Open) {
	st := open(t, longIdle)
	if st.Traits().NoRegistry {
		s := create(t, st, Sample("sub-1"))
		if l, err := st.List(t.Context(), s.Subject, session.Position{}, 10); l.Sessions != nil || !registryAnswers(st, err) {
			t.Errorf("List = %+v, %v; want ErrNoRegistry", l, err)
		}
		if _, err := st.Find(t.Context(), s.ID); !registryAnswers(st, err) {
			t.Errorf("Find: %v, want ErrNoRegistry", err)
		}
		return
	}
	list := func(t *testing.T, subject string) []session.Listing {
		t.Helper()
		l, err := st.List(t.Context(), subject, session.Position{}, 10)
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		return l.Sessions
	}
	older := Sample("sub-1")
	older.CreatedAt = older.CreatedAt.Add(-time.Minute)
	old, young := create(t, st, older), create(t, st, Sample("sub-1"))
	create(t, st, Sample("sub-2"))
	t.Run("has_a_subjects_sessions_newest_first", func(t *testing.T) {
		want := []session.Listing{young.Listing(), old.Listing()}
		if d := cmp.Diff(want, list(t, "sub-1")); d != "" {
			t.Error(d)
		}
	})
	t.Run("of_an_unknown_subject_is_empty", func(t *testing.T) {
		if l := list(t, "sub-3"); l == nil || len(l) != 0 {
			t.Errorf("list = %#v", l)
		}
	})
	t.Run("shows_a_recorded_use_and_survives_a_refresh", func(t *testing.T) {
		seen := young.LastSeen.Add(longIdle / 2)
		if _, err := st.Touch(t.Context(), young.Handle, seen); err != nil {
			t.Fatal(err)
		}
		if _, err := st.Replace(t.Context(), refreshed(young)); err != nil {
			t.Fatal(err)
		}
		if l := list(t, "sub-1"); len(l) != 2 || !l[0].LastSeen.Equal(seen) {
			t.Errorf("list = %+v", l)
		}
	})
	t.Run("forgets_what_was_deleted", func(t *testing.T) {
		if _, err := st.Delete(t.Context(), young.Handle, session.ReasonLogout); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]session.Listing{old.Listing()}, list(t, "sub-1")); d != "" {
			t.Error(d)
		}
		if err := st.DeleteID(t.Context(), old.ID, session.ReasonAdmin); err != nil {
			t.Fatal(err)
		}
		if l := list(t, "sub-1"); len(l) != 0 {
			t.Errorf("list = %+v", l)
		}
	})
}

// testPages lists sessions of which some have one time, from the newest.
func testPages(t *testing.T, open Open) {
	st := open(t, longIdle)
	if st.Traits().NoRegistry {
		return
	}
	const sessions = 25
	var all []session.Listing
	for i := range sessions {
		s := Sample("sub-1")
		s.CreatedAt = s.CreatedAt.Add(-time.Duration(i/3) * time.Minute)
		all = append(all, create(t, st, s).Listing())
	}
	create(t, st, Sample("sub-2"))
	slices.SortFunc(all, func(a, b session.Listing) int { return b.Position().Compare(a.Position()) })
	page := func(t *testing.T, after session.Position, limit int) session.Page {
		t.Helper()
		p, err := st.List(t.Context(), "sub-1", after, limit)
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		if len(p.Sessions) > limit {
			t.Fatalf("%d sessions, asked for %d", len(p.Sessions), limit)
		}
		return p
	}
	for _, limit := range []int{1, 4, 5, sessions - 1, sessions, sessions + 1} {
		t.Run(fmt.Sprintf("of_%d_hold_every_session_once_newest_first", limit), func(t *testing.T) {
			var got []session.Listing
			for p := page(t, session.Position{}, limit); ; p = page(t, p.Next, limit) {
				got = append(got, p.Sessions...)
				if p.Next.IsZero() {
					break
				}
			}
			if d := cmp.Diff(all, got); d != "" {
				t.Error(d)
			}
		})
	}
	t.Run("that_are_full_lead_on_only_where_there_is_more", func(t *testing.T) {
		if p := page(t, session.Position{}, sessions); !p.Next.IsZero() {
			t.Errorf("next %+v", p.Next)
		}
	})
	t.Run("go_on_after_a_session_that_has_ended", func(t *testing.T) {
		first := page(t, session.Position{}, 5)
		for _, l := range first.Sessions {
			if err := st.DeleteID(t.Context(), l.ID, session.ReasonAdmin); err != nil {
				t.Fatal(err)
			}
		}
		if d := cmp.Diff(all[5:10], page(t, first.Next, 5).Sessions); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(all[5:10], page(t, session.Position{}, 5).Sessions); d != "" {
			t.Errorf("from the beginning: %s", d)
		}
	})
	t.Run("after_the_last_are_empty", func(t *testing.T) {
		if p := page(t, all[sessions-1].Position(), 5); p.Sessions == nil || len(p.Sessions) > 0 || !p.Next.IsZero() {
			t.Errorf("page %+v", p)
		}
	})
	t.Run("after_another_subjects_session_are_this_subjects", func(t *testing.T) {
		other := create(t, st, Sample("sub-3")).Listing()
		if d := cmp.Diff(all[5:7], page(t, other.Position(), 2).Sessions); d != "" {
			t.Error(d)
		}
	})
}

func testFind(t *testing.T, open Open) {
	st := open(t, longIdle)
	if st.Traits().NoRegistry {
		return
	}
	s := create(t, st, Sample("sub-1"))
	t.Run("returns_what_List_returns", func(t *testing.T) {
		got, err := st.Find(t.Context(), s.ID)
		if d := cmp.Diff(s.Listing(), got); d != "" || err != nil {
			t.Error(d, err)
		}
	})
	t.Run("knows_no_other_id", func(t *testing.T) {
		if err := st.DeleteID(t.Context(), s.ID, session.ReasonAdmin); err != nil {
			t.Fatal(err)
		}
		never, _ := session.IDOf(session.NewHandle())
		for _, id := range []string{s.ID, never, "", "garbage", s.ID + "x", "*"} {
			if l, err := st.Find(t.Context(), id); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("Find(%q) = %+v, %v; want ErrNotFound", id, l, err)
			}
		}
	})
}

// testCount counts once: a count may be some seconds old.
func testCount(t *testing.T, open Open) {
	st := open(t, longIdle)
	began := time.Now().Truncate(time.Second)
	a, b, c := create(t, st, Sample("sub-1")), create(t, st, Sample("sub-1")), create(t, st, Sample("sub-2"))
	_, replaced := st.Replace(t.Context(), refreshed(a))
	_, deleted := st.Delete(t.Context(), b.Handle, session.ReasonLogout)
	_ = st.DeleteID(t.Context(), c.ID, session.ReasonAdmin)
	if replaced != nil || deleted != nil {
		t.Fatal(replaced, deleted)
	}
	n, err := st.Count(t.Context())
	if !registryAnswers(st, err) || err == nil && (n.Sessions != 1 || n.At.Before(began)) {
		t.Errorf("Count = %+v, %v; want 1", n, err)
	}
}
