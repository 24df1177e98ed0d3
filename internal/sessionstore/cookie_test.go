package sessionstore_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

func ringOf(t *testing.T, keys ...byte) *secret.Ring {
	t.Helper()
	all := make([][]byte, len(keys))
	for i, k := range keys {
		all[i] = bytes.Repeat([]byte{k}, secret.KeySize)
	}
	ring, err := secret.NewRing(all...)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func newCookie(t *testing.T, ring *secret.Ring, idle time.Duration) *sessionstore.Cookie {
	t.Helper()
	st, err := sessionstore.NewCookie(sessionstore.CookieOptions{
		Codec: session.NewPortableCodec(ring, storetest.Audience), IdleTimeout: idle, MaxHandle: 8 << 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestCookie(t *testing.T) {
	storetest.Run(t, func(t *testing.T, idle time.Duration) session.Store {
		return newCookie(t, ringOf(t, 1), idle)
	})
}

// copyOf is what another instance makes of a handle: all there is, is in it.
func copyOf(t *testing.T, st *sessionstore.Cookie, h session.Handle) *session.Session {
	t.Helper()
	s, err := st.Load(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func refreshedIn(t *testing.T, st session.Store, s *session.Session, at time.Time) *session.Session {
	t.Helper()
	next := *s
	next.Generation++
	next.TokensAt = at.Truncate(time.Millisecond)
	storetest.SetTokens(&next, at.Add(time.Hour))
	saved, err := st.Replace(t.Context(), &next)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

func touchIn(t *testing.T, st session.Store, h session.Handle, seen time.Time) session.Handle {
	t.Helper()
	next, err := st.Touch(t.Context(), h, seen)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// TestCookieAcrossInstances: two processes share keys and nothing else.
func TestCookieAcrossInstances(t *testing.T) {
	const idle = 30 * time.Minute
	ring := ringOf(t, 1)
	a, b := newCookie(t, ring, idle), newCookie(t, ring, idle)
	begin := func(t *testing.T) *session.Session { return createIn(t, a, storetest.Sample("sub-1")) }

	t.Run("a_newer_handle_from_elsewhere_counts_and_older_ones_lead_to_it", func(t *testing.T) {
		s := begin(t)
		next := refreshedIn(t, b, s, time.Now())
		for _, h := range []session.Handle{next.Handle, s.Handle, next.Handle} {
			if got := copyOf(t, a, h); got.Generation != 1 || !got.Handle.Equal(next.Handle) {
				t.Errorf("generation %d", got.Generation)
			}
		}
	})
	t.Run("of_two_refreshes_at_once_the_later_counts_everywhere", func(t *testing.T) {
		s := begin(t)
		early, late := refreshedIn(t, a, s, time.Now()), refreshedIn(t, b, s, time.Now().Add(time.Second))
		for _, st := range []*sessionstore.Cookie{a, b} {
			for _, h := range []session.Handle{early.Handle, late.Handle, early.Handle} {
				copyOf(t, st, h)
			}
			if got := copyOf(t, st, early.Handle); !got.Handle.Equal(late.Handle) {
				t.Error("the earlier refresh counts")
			}
		}
	})
	t.Run("a_use_there_is_not_lost_by_a_refresh_here", func(t *testing.T) {
		s := begin(t)
		seen := s.LastSeen.Add(idle / 2)
		used := touchIn(t, b, s.Handle, seen)
		next := refreshedIn(t, a, s, time.Now())
		for _, st := range []*sessionstore.Cookie{a, newCookie(t, ring, idle)} { // the second has seen neither
			copyOf(t, st, next.Handle)
			got := copyOf(t, st, used)
			if got.Generation != 1 || !got.LastSeen.Equal(seen) {
				t.Errorf("generation %d, last use %v; want 1, %v", got.Generation, got.LastSeen, seen)
			}
			if again := copyOf(t, newCookie(t, ring, idle), got.Handle); !again.LastSeen.Equal(seen) || again.Generation != 1 {
				t.Errorf("the handle says generation %d, last use %v", again.Generation, again.LastSeen)
			}
		}
	})
	t.Run("a_session_that_ended_here_has_ended_here_under_every_handle_and_only_here", func(t *testing.T) {
		s := begin(t)
		next := refreshedIn(t, b, s, time.Now())
		if ended, err := a.Delete(t.Context(), s.Handle, session.ReasonLogout); err != nil || ended.ID != s.ID {
			t.Fatalf("Delete = %v, %v", ended, err)
		}
		for _, h := range []session.Handle{s.Handle, next.Handle} {
			if got, err := a.Load(t.Context(), h); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("Load = %v, %v", got, err)
			}
		}
		copyOf(t, b, s.Handle)
	})
	t.Run("a_refused_grant_ends_no_generation_that_another_instance_made", func(t *testing.T) {
		s := begin(t)
		next := refreshedIn(t, b, s, time.Now())
		if _, err := a.Delete(t.Context(), s.Handle, session.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		if got, err := a.Load(t.Context(), s.Handle); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Load = %v, %v", got, err)
		}
		copyOf(t, a, next.Handle)
		if got := copyOf(t, a, s.Handle); got.Generation != 1 {
			t.Errorf("the handle of before leads to generation %d", got.Generation)
		}
	})
	t.Run("a_session_for_another_audience_is_none", func(t *testing.T) {
		other, err := sessionstore.NewCookie(sessionstore.CookieOptions{
			Codec: session.NewPortableCodec(ring, session.Audience{Issuer: storetest.Audience.Issuer, ClientID: "another"}), IdleTimeout: idle, MaxHandle: 8 << 10,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := other.Load(t.Context(), begin(t).Handle); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Load = %v, %v", got, err)
		}
	})
	t.Run("a_roll_over_of_keys_moves_a_session_at_its_next_save", func(t *testing.T) {
		one := newCookie(t, ringOf(t, 1, 2), idle)
		two, last := newCookie(t, ringOf(t, 2, 1), idle), newCookie(t, ringOf(t, 2), idle)
		s := createIn(t, one, storetest.Sample("sub-1"))
		if _, err := last.Load(t.Context(), s.Handle); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("opened under a key that it was not sealed under: %v", err)
		}
		copyOf(t, last, touchIn(t, two, s.Handle, s.LastSeen.Add(idle/2)))
	})
}

func TestCookieTooLarge(t *testing.T) {
	st, err := sessionstore.NewCookie(sessionstore.CookieOptions{
		Codec: session.NewPortableCodec(ringOf(t, 1), storetest.Audience), IdleTimeout: 30 * time.Minute, MaxHandle: 4 << 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := createIn(t, st, storetest.Sample("sub-1"))
	big := *s
	big.Tokens.Refresh = secret.NewText(strings.Repeat("r", 4000))
	if _, err := st.Create(t.Context(), &big); !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("Create: %v", err)
	}
	big.Generation++
	if _, err := st.Replace(t.Context(), &big); !errors.Is(err, session.ErrTooLarge) {
		t.Errorf("Replace: %v", err)
	}
	if got := copyOf(t, st, s.Handle); got.Generation != 0 {
		t.Errorf("generation %d is known, which no browser can have", got.Generation)
	}
}

// TestCookieParsesClaimsOnce: what was made of the tokens is there for the next request
// with the same handle, though each opens it anew.
func TestCookieParsesClaimsOnce(t *testing.T) {
	s, err := newCookie(t, ringOf(t, 1), time.Hour).Create(t.Context(), storetest.Sample("sub-1"))
	if err != nil {
		t.Fatal(err)
	}
	another := newCookie(t, ringOf(t, 1), time.Hour)
	first := copyOf(t, another, s.Handle).Identity()
	if second := copyOf(t, another, s.Handle).Identity(); second != first || second.Subject != "sub-1" {
		t.Errorf("parsed again, for %s", second.Subject)
	}
}
