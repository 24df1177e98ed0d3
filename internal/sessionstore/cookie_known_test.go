package sessionstore

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func numbered(i int, life time.Duration) *session.Session {
	return &session.Session{ID: strconv.Itoa(i), ExpiresAt: time.Now().Add(life)}
}

func TestKnown(t *testing.T) {
	t.Run("forgets_the_session_that_was_saved_longest_ago", func(t *testing.T) {
		k := newKnown(3, 3)
		first := numbered(0, time.Hour)
		k.put(first)
		k.put(numbered(1, time.Hour))
		k.put(numbered(2, time.Hour))
		k.put(first) // nothing new, so no reason to keep it longer
		k.put(numbered(1, time.Hour))
		k.put(numbered(3, time.Hour))
		for i, want := range []bool{false, true, true, true} {
			if got := k.get(strconv.Itoa(i)) != nil; got != want {
				t.Errorf("session %d known: %v, want %v", i, got, want)
			}
		}
		if len(k.newest) != 3 || k.saves.Len() != 3 {
			t.Errorf("%d, %d kept", len(k.newest), k.saves.Len())
		}
	})
	t.Run("forgets_what_is_over", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			k := newKnown(10, 10)
			k.put(numbered(0, time.Minute))
			x := numbered(2, time.Minute)
			k.end(x, 0)
			time.Sleep(time.Minute)
			k.put(numbered(1, time.Hour))
			y := numbered(3, time.Minute)
			k.end(y, 0)
			if k.get("0") != nil || len(k.newest) != 1 || k.saves.Len() != 1 {
				t.Errorf("%d sessions", len(k.newest))
			}
			if k.hasEnded(x) || !k.hasEnded(y) || len(k.ended) != 1 || k.endings.Len() != 1 {
				t.Errorf("%d endings", len(k.ended))
			}
		})
	})
	t.Run("ends_a_session_up_to_a_generation_and_never_less_of_it", func(t *testing.T) {
		k := newKnown(10, 10)
		s, later := numbered(0, time.Hour), numbered(0, time.Hour)
		later.Generation = 1
		k.end(s, 0)
		if !k.hasEnded(s) || k.hasEnded(later) {
			t.Errorf("ended %v, later %v", k.hasEnded(s), k.hasEnded(later))
		}
		k.end(later, 1)
		k.end(s, 0)
		if !k.hasEnded(later) || k.endings.Len() != 1 {
			t.Errorf("later %v, %d endings", k.hasEnded(later), k.endings.Len())
		}
	})
	t.Run("remembers_the_latest_endings", func(t *testing.T) {
		k := newKnown(10, 3)
		for i := range 5 {
			k.put(numbered(i, time.Hour))
			k.end(numbered(i, time.Hour), 0)
		}
		for i := range 5 {
			if got := k.hasEnded(numbered(i, time.Hour)); got != (i > 1) || k.get(strconv.Itoa(i)) != nil {
				t.Errorf("session %d ended: %v", i, got)
			}
		}
	})
}
