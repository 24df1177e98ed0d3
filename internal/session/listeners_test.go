package session_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

var pages = session.StreamKind{Name: "pages", Most: 9}

func TestListen(t *testing.T) {
	listen := func(t *testing.T, m *session.Manager, s *session.Session) (<-chan session.Change, func()) {
		t.Helper()
		changes, leave, ok := m.Listen(s.ID, pages)
		if !ok {
			t.Fatal("may not listen")
		}
		return changes, leave
	}
	refresh := func(t *testing.T, m *session.Manager, s *session.Session) {
		t.Helper()
		if _, err := m.Refresh(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
	}
	end := func(t *testing.T, m *session.Manager, s *session.Session) {
		t.Helper()
		if _, err := m.End(t.Context(), s.Handle, session.ReasonLogout); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
	}
	inBubble(t, map[string]func(*testing.T, *world){
		"every_listener_of_a_session_hears_of_it_and_no_other": func(t *testing.T, w *world) {
			m, a, b := w.listening(), w.login(), w.login()
			first, _ := listen(t, m, a)
			second, _ := listen(t, m, a)
			other, _ := listen(t, m, b)
			refresh(t, w.m, a) // by another instance
			if c := <-first; c.Generation != 1 || c.ID != a.ID {
				t.Errorf("the first heard %+v", c)
			}
			if c := <-second; c.Generation != 1 {
				t.Errorf("the second heard %+v", c)
			}
			if len(other) != 0 {
				t.Errorf("another session's listener heard %+v", <-other)
			}
		},
		"the_newest_change_waits_for_a_slow_listener": func(t *testing.T, w *world) {
			m, s := w.listening(), w.login()
			changes, _ := listen(t, m, s)
			for range 3 {
				refresh(t, w.m, s)
			}
			end(t, w.m, s)
			if c := <-changes; !c.Ended() || c.Reason != session.ReasonLogout {
				t.Errorf("heard %+v, want the end", c)
			}
		},
		"who_left_hears_nothing_and_is_not_counted": func(t *testing.T, w *world) {
			m, s := w.listening(), w.login()
			stays, _ := listen(t, m, s)
			left, leave := listen(t, m, s)
			leave()
			leave()
			refresh(t, w.m, s)
			if open := m.Stats().Streams[pages.Name]; len(left) != 0 || len(stays) != 1 || open != 1 {
				t.Errorf("left hears %d, stays hears %d, %d open", len(left), len(stays), open)
			}
		},
		"who_missed_something_is_told_and_keeps_the_news_it_has": func(t *testing.T, w *world) {
			m, a, b := w.listening(), w.login(), w.login()
			idle, _ := listen(t, m, a)
			ended, _ := listen(t, m, b)
			end(t, w.m, b)
			w.store.setAway(true, "watch")
			time.Sleep(2 * time.Second)
			w.store.setAway(false, "watch")
			time.Sleep(time.Second)
			if c := <-idle; !c.Missed || c.Ended() || c.ID != a.ID {
				t.Errorf("heard %+v", c)
			}
			if c := <-ended; !c.Ended() {
				t.Errorf("heard %+v, want the end", c)
			}
		},
		"a_session_has_no_more_of_a_kind_than_it_may": func(t *testing.T, w *world) {
			two, one := session.StreamKind{Name: "two", Most: 2}, session.StreamKind{Name: "one", Most: 1}
			_, leave, _ := w.m.Listen("a", two)
			if _, _, ok := w.m.Listen("a", two); !ok {
				t.Error("the second is refused")
			}
			if _, _, ok := w.m.Listen("a", two); ok || w.m.Stats().Streams["two"] != 2 {
				t.Errorf("the third may listen, %v open", w.m.Stats().Streams)
			}
			if _, _, ok := w.m.Listen("b", two); !ok {
				t.Error("that of another session is refused")
			}
			if _, _, ok := w.m.Listen("a", one); !ok {
				t.Error("one of another kind is refused")
			}
			leave()
			if _, _, ok := w.m.Listen("a", two); !ok {
				t.Error("refused in the place of one that left")
			}
		},
		"a_close_ends_those_who_listen_and_those_who_come": func(t *testing.T, w *world) {
			m, s := w.listening(), w.login()
			before, leave := listen(t, m, s)
			m.CloseStreams()
			after, _ := listen(t, m, s)
			if _, ok := <-before; ok {
				t.Error("it goes on")
			}
			if _, ok := <-after; ok {
				t.Error("one that came later goes on")
			}
			leave()
			refresh(t, w.m, s)
			m.CloseStreams()
			if n := m.Stats().Streams[pages.Name]; n != 0 {
				t.Errorf("%d are open", n)
			}
		},
	})
}
