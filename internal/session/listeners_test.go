package session_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func TestListeners(t *testing.T) {
	t.Run("every_listener_of_a_session_hears_of_it_and_no_other", func(t *testing.T) {
		var l session.Listeners
		first, _, _ := l.Join("a", 9)
		second, _, _ := l.Join("a", 9)
		other, _, _ := l.Join("b", 9)
		l.Tell(session.Change{ID: "a", Generation: 2})
		if c := <-first; c.Generation != 2 {
			t.Errorf("the first heard %+v", c)
		}
		if c := <-second; c.Generation != 2 {
			t.Errorf("the second heard %+v", c)
		}
		select {
		case c := <-other:
			t.Errorf("another session's listener heard %+v", c)
		default:
		}
	})
	t.Run("the_newest_change_waits_for_a_slow_listener", func(t *testing.T) {
		var l session.Listeners
		changes, _, _ := l.Join("a", 9)
		for generation := range uint64(5) {
			l.Tell(session.Change{ID: "a", Generation: generation + 1})
		}
		l.Tell(session.Change{ID: "a", Reason: session.ReasonLogout})
		if c := <-changes; !c.Ended() {
			t.Errorf("heard %+v, want the end", c)
		}
	})
	t.Run("who_left_hears_nothing_and_is_not_counted", func(t *testing.T) {
		var l session.Listeners
		stays, _, _ := l.Join("a", 9)
		left, leave, _ := l.Join("a", 9)
		leave()
		leave()
		l.Tell(session.Change{ID: "a", Generation: 2})
		if len(left) != 0 || len(stays) != 1 || l.Open() != 1 {
			t.Errorf("left hears %d, stays hears %d, %d open", len(left), len(stays), l.Open())
		}
	})
	t.Run("who_missed_something_is_told_and_keeps_the_news_it_has", func(t *testing.T) {
		var l session.Listeners
		idle, _, _ := l.Join("a", 9)
		ended, _, _ := l.Join("b", 9)
		l.Tell(session.Change{ID: "b", Reason: session.ReasonLogout})
		l.Miss()
		if c := <-idle; !c.Missed || c.Ended() || c.ID != "a" {
			t.Errorf("heard %+v", c)
		}
		if c := <-ended; !c.Ended() {
			t.Errorf("heard %+v, want the end", c)
		}
	})
	t.Run("a_session_has_no_more_than_most", func(t *testing.T) {
		var l session.Listeners
		_, leave, _ := l.Join("a", 2)
		if _, _, ok := l.Join("a", 2); !ok {
			t.Error("the second is refused")
		}
		if _, _, ok := l.Join("a", 2); ok || l.Open() != 2 {
			t.Errorf("the third may listen, %d open", l.Open())
		}
		if _, _, ok := l.Join("b", 2); !ok {
			t.Error("that of another session is refused")
		}
		leave()
		if _, _, ok := l.Join("a", 2); !ok {
			t.Error("refused in the place of one that left")
		}
	})
	t.Run("a_close_ends_those_who_listen_and_those_who_come", func(t *testing.T) {
		var l session.Listeners
		before, leave, _ := l.Join("a", 9)
		l.Close()
		after, _, _ := l.Join("a", 9)
		if _, ok := <-before; ok {
			t.Error("it goes on")
		}
		if _, ok := <-after; ok {
			t.Error("one that came later goes on")
		}
		leave()
		l.Tell(session.Change{ID: "a", Generation: 2})
		l.Close()
		if n := l.Open(); n != 0 {
			t.Errorf("%d are open", n)
		}
	})
}
