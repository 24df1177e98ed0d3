package session_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

// portable returns a session that has nothing but an id, and the codec's handle of it.
func portable(c *session.PortableCodec) *session.Session {
	s := storetest.Sample("sub-1")
	s.ID, s.Generation = session.NewID(), 7
	sealed, err := c.Seal(s)
	if err != nil {
		panic(err)
	}
	return sealed
}

func TestPortableCodec(t *testing.T) {
	c := session.NewPortableCodec(ringOf(t, 1), storetest.Audience)
	a := portable(c)
	t.Run("opens_what_it_sealed", func(t *testing.T) {
		got, err := c.Open(a.Handle)
		if d := cmp.Diff(a, got, sameSecret); d != "" || err != nil || !c.Opens(a.Handle) {
			t.Error(d, err)
		}
	})
	t.Run("gives_an_id_of_the_public_kind", func(t *testing.T) {
		if b := portable(c); !session.IsID(a.ID) || a.ID == b.ID {
			t.Errorf("%q, %q", a.ID, b.ID)
		}
	})
	t.Run("is_smaller_than_the_tokens", func(t *testing.T) {
		tokens := len(a.Tokens.Access.Reveal()) + len(a.Tokens.ID.Reveal()) + len(a.Tokens.Refresh.Reveal())
		if n := len(a.Handle.Reveal()); n > tokens {
			t.Errorf("%d bytes for tokens of %d", n, tokens)
		}
	})
	t.Run("never_seals_to_the_same", func(t *testing.T) {
		if b, err := c.Seal(a); err != nil || b.Handle.Equal(a.Handle) {
			t.Error("the same handle twice", err)
		}
	})
	raw := a.Handle.Reveal()
	record, err := session.NewCodec(ringOf(t, 1), storetest.Audience).Seal(sample("sub-1"))
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]string{
		"nothing": "", "garbage": "garbage", "a_record_of_another_codec": string(record),
		"a_truncated_handle": raw[:len(raw)-1], "more_behind": raw + "x", "a_handle_of_another_kind": session.NewHandle().Reveal(),
	} {
		t.Run("refuses_"+name, func(t *testing.T) { wantClosed(t, c, secret.NewText(h)) })
	}
	t.Run("refuses_every_changed_byte", func(t *testing.T) {
		for i := range raw {
			b := []byte(raw)
			b[i] ^= 1
			wantClosed(t, c, secret.NewText(string(b)))
		}
	})
	t.Run("refuses_what_is_for_another_audience", func(t *testing.T) {
		wantClosed(t, session.NewPortableCodec(ringOf(t, 1), anotherClient), a.Handle)
	})
	t.Run("opens_under_every_key_of_the_ring_and_under_no_other", func(t *testing.T) {
		if s, err := session.NewPortableCodec(ringOf(t, 2, 1), storetest.Audience).Open(a.Handle); err != nil || s.ID != a.ID {
			t.Error(err)
		}
		wantClosed(t, session.NewPortableCodec(ringOf(t, 2), storetest.Audience), a.Handle)
	})
}

func wantClosed(t *testing.T, c *session.PortableCodec, h session.Handle) {
	t.Helper()
	if s, err := c.Open(h); !errors.Is(err, session.ErrNotFound) || c.Opens(h) {
		t.Errorf("Open = %v, %v; Opens = %v", s, err, c.Opens(h))
	}
}

func BenchmarkPortableOpen(b *testing.B) {
	c := session.NewPortableCodec(ringOf(b, 1), storetest.Audience)
	h := portable(c).Handle
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Open(h); err != nil {
			b.Fatal(err)
		}
	}
}
