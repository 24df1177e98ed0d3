package session_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

var sameSecret = cmp.Options{
	cmp.Comparer(func(a, b secret.Text) bool { return a.Reveal() == b.Reveal() }),
	cmpopts.IgnoreUnexported(session.Session{}),
}

// ringOf returns a ring of keys that begin with the given bytes.
func ringOf(t testing.TB, first ...byte) *secret.Ring {
	t.Helper()
	keys := make([][]byte, len(first))
	for i, b := range first {
		keys[i] = make([]byte, secret.KeySize)
		keys[i][0] = b
	}
	ring, err := secret.NewRing(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// anotherClient is of the same pool.
var anotherClient = session.Audience{Issuer: storetest.Audience.Issuer, ClientID: "another"}

// sample returns a session with handle and id.
func sample(subject string) *session.Session {
	s := storetest.Sample(subject)
	s.Handle = session.NewHandle()
	s.ID, _ = session.IDOf(s.Handle)
	s.Generation = 7
	return s
}

func seal(t testing.TB, c *session.Codec, s *session.Session) []byte {
	t.Helper()
	r, err := c.Seal(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCodec(t *testing.T) {
	c := session.NewCodec(ringOf(t, 1), storetest.Audience)
	for name, change := range map[string]func(*session.Session){
		"whole": func(*session.Session) {},
		"without_tokens": func(s *session.Session) {
			s.Tokens = emptyTokens(s)
			s.Bearer, s.IDBearer = secret.Text{}, secret.Text{}
		},
		"without_times":       func(s *session.Session) { s.TokensAt, s.Tokens.AuthTime = time.Time{}, time.Time{} },
		"opaque_access_token": func(s *session.Session) { setAccess(s, "opaque token", nil) },
		"token_not_canonical": func(s *session.Session) { setAccess(s, "YQ.YR.YQ", nil) },
		"token_with_newline":  func(s *session.Session) { setAccess(s, "YQ.Y\nQ.YQ", nil) },
		"token_of_dots":       func(s *session.Session) { setAccess(s, "....", nil) },
		"token_of_many_dots":  func(s *session.Session) { setAccess(s, strings.Repeat(".", 300), nil) },
		"claims_of_their_own": func(s *session.Session) { s.Tokens.IDClaims = json.RawMessage(`{"sub":"other"}`) },
	} {
		t.Run(name+"_comes_back_as_it_was", func(t *testing.T) {
			s := sample("sub-1")
			change(s)
			got, err := c.Open(s.Handle, seal(t, c, s))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(s, got, sameSecret); d != "" {
				t.Error(d)
			}
		})
	}
	t.Run("a_record_is_a_quarter_smaller_than_its_tokens", func(t *testing.T) {
		s := sample("sub-1")
		tokens := len(s.Tokens.Access.Reveal() + s.Tokens.ID.Reveal() + s.Tokens.Refresh.Reveal())
		record := len(seal(t, c, s))
		t.Logf("tokens %d bytes, record %d", tokens, record)
		if float64(record) > 0.85*float64(tokens) {
			t.Errorf("record of %d bytes for tokens of %d", record, tokens)
		}
	})
	t.Run("a_record_shows_nothing", func(t *testing.T) {
		s := sample("canary-subject")
		s.Username, s.UserAgent = "canary-username", "canary-agent"
		setAccess(s, "canary-access", nil)
		s.Tokens.Refresh = secret.NewText("canary-refresh")
		if r := seal(t, c, s); bytes.Contains(r, []byte("canary")) {
			t.Errorf("record %q", r)
		}
	})
	t.Run("too_large_a_session_is_refused", func(t *testing.T) {
		s := sample("sub-1")
		s.Tokens.Refresh = secret.NewText(strings.Repeat("r", session.MaxRecord))
		if _, err := c.Seal(s); err == nil {
			t.Error("a long token: no error")
		}
		s = sample(strings.Repeat("s", session.RecordPrefix))
		if _, err := c.Seal(s); err == nil {
			t.Error("a long subject: no error")
		}
	})
}

func emptyTokens(s *session.Session) oauth.Tokens {
	return oauth.Tokens{Issuer: s.Issuer, Subject: s.Subject}
}

func setAccess(s *session.Session, token string, claims json.RawMessage) {
	s.Tokens.Access, s.Tokens.AccessClaims = secret.NewText(token), claims
	s.Bearer = secret.NewText("Bearer " + token)
}

func TestCodecRefuses(t *testing.T) {
	c := session.NewCodec(ringOf(t, 1), storetest.Audience)
	a, b := sample("sub-1"), sample("sub-2")
	ra, rb := seal(t, c, a), seal(t, c, b)
	listingEnd := func(r []byte) int {
		return session.RecordHeader + int(binary.BigEndian.Uint16(r[session.RecordHeader-2:]))
	}
	older := *a
	older.Generation--
	ro := seal(t, c, &older)
	refuse := func(name string, r []byte) {
		t.Run(name, func(t *testing.T) {
			if s, err := c.Open(a.Handle, r); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("Open = %v, %v; want ErrNotFound", s, err)
			}
		})
	}
	refuse("another_sessions_record", rb)
	refuse("another_sessions_secret_part", append(bytes.Clone(ra[:listingEnd(ra)]), rb[listingEnd(rb):]...))
	refuse("another_sessions_listing_part", append(bytes.Clone(rb[:listingEnd(rb)]), ra[listingEnd(ra):]...))
	refuse("an_older_secret_part", append(bytes.Clone(ra[:listingEnd(ra)]), ro[listingEnd(ro):]...))
	refuse("an_older_listing_part", append(bytes.Clone(ro[:listingEnd(ro)]), ra[listingEnd(ra):]...))
	refuse("parts_in_each_others_place", append(append(bytes.Clone(ra[:session.RecordHeader]), ra[listingEnd(ra):]...),
		ra[session.RecordHeader:listingEnd(ra)]...))
	refuse("10_MB", append(bytes.Clone(ra), make([]byte, 10<<20)...))
	refuse("nothing", nil)
	t.Run("every_truncation", func(t *testing.T) {
		for n := range ra {
			if _, err := c.Open(a.Handle, ra[:n]); !errors.Is(err, session.ErrNotFound) {
				t.Fatalf("%d bytes: %v", n, err)
			}
		}
	})
	t.Run("every_changed_byte", func(t *testing.T) {
		for i := range ra {
			r := bytes.Clone(ra)
			r[i] ^= 1
			if _, err := c.Open(a.Handle, r); !errors.Is(err, session.ErrNotFound) {
				t.Fatalf("byte %d: %v", i, err)
			}
		}
	})
	t.Run("another_sessions_last_use", func(t *testing.T) {
		r := bytes.Clone(ra)
		copy(r[session.RecordLastSeen:], rb[session.RecordLastSeen:session.RecordLastSeen+session.RecordUse])
		if _, err := c.Open(a.Handle, r); !errors.Is(err, session.ErrNotFound) {
			t.Error(err)
		}
	})
	t.Run("another_issuer_or_client", func(t *testing.T) {
		other := session.NewCodec(ringOf(t, 1), anotherClient)
		if _, err := other.Open(a.Handle, ra); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Open: %v", err)
		}
		if _, err := other.OpenListing(a.ID, ra); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("OpenListing: %v", err)
		}
		if _, err := other.OpenUse(a.ID, c.SealUse(a.ID, a.LastSeen)); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("OpenUse: %v", err)
		}
	})
	t.Run("another_handle_of_the_same_id", func(t *testing.T) {
		h := secret.NewText(a.Handle.Reveal()[:32] + b.Handle.Reveal()[32:])
		if _, err := c.Open(h, ra); !errors.Is(err, session.ErrNotFound) {
			t.Error(err)
		}
	})
	t.Run("a_key_that_left_the_ring", func(t *testing.T) {
		if _, err := session.NewCodec(ringOf(t, 2), storetest.Audience).Open(a.Handle, ra); !errors.Is(err, session.ErrNotFound) {
			t.Error(err)
		}
	})
}

func TestCodecKeyRotation(t *testing.T) {
	s := sample("sub-1")
	for _, step := range [][2][]byte{
		{{1}, {1, 2}}, {{1, 2}, {1}}, {{1, 2}, {2, 1}}, {{2, 1}, {1, 2}}, {{2, 1}, {2}},
	} {
		r := seal(t, session.NewCodec(ringOf(t, step[0]...), storetest.Audience), s)
		if _, err := session.NewCodec(ringOf(t, step[1]...), storetest.Audience).Open(s.Handle, r); err != nil {
			t.Errorf("sealed under %v, opened under %v: %v", step[0], step[1], err)
		}
	}
}

// TestLastUse: a use recorded under any key of the ring is as good as the one that
// the record was sealed with.
func TestLastUse(t *testing.T) {
	s := sample("sub-1")
	r := seal(t, session.NewCodec(ringOf(t, 1), storetest.Audience), s)
	seen := s.LastSeen.Add(time.Minute)
	copy(r[session.RecordLastSeen:], session.NewCodec(ringOf(t, 2, 1), storetest.Audience).SealUse(s.ID, seen))
	for name, keys := range map[string][]byte{"one_instance": {1, 2}, "another": {2, 1}} {
		c := session.NewCodec(ringOf(t, keys...), storetest.Audience)
		got, err := c.Open(s.Handle, r)
		if err != nil || !got.LastSeen.Equal(seen) {
			t.Errorf("%s: Open = %v, %v", name, got, err)
		}
		if l, err := c.OpenListing(s.ID, r); err != nil || !l.LastSeen.Equal(seen) {
			t.Errorf("%s: OpenListing = %v, %v", name, l, err)
		}
	}
}

func TestOpenListing(t *testing.T) {
	c := session.NewCodec(ringOf(t, 1), storetest.Audience)
	s := sample("sub-1")
	r := seal(t, c, s)
	t.Run("needs_the_prefix_only", func(t *testing.T) {
		got, err := c.OpenListing(s.ID, r[:session.RecordPrefix])
		if d := cmp.Diff(s.Listing(), got); d != "" || err != nil {
			t.Error(d, err)
		}
	})
	t.Run("refuses_another_id", func(t *testing.T) {
		if _, err := c.OpenListing(sample("sub-1").ID, r); !errors.Is(err, session.ErrNotFound) {
			t.Error(err)
		}
	})
}

// FuzzOpen gives Open whatever a store could hold.
func FuzzOpen(f *testing.F) {
	c := session.NewCodec(ringOf(f, 1), storetest.Audience)
	s := sample("sub-1")
	r := seal(f, c, s)
	older := *s
	older.Generation--
	f.Add(r)
	f.Add(seal(f, c, &older))
	f.Add(seal(f, c, sample("sub-2")))
	f.Add(r[:len(r)-1])
	f.Add(r[:session.RecordHeader])
	f.Add(append(bytes.Clone(r), 0))
	f.Add([]byte{})
	f.Add([]byte("WRONGTYPE"))
	f.Add(bytes.Repeat([]byte{0xff}, 100))
	f.Fuzz(func(t *testing.T, record []byte) {
		_, _ = c.OpenListing(s.ID, record)
		got, err := c.Open(s.Handle, record)
		if err != nil {
			if !errors.Is(err, session.ErrNotFound) {
				t.Fatalf("err = %v", err)
			}
			return
		}
		if got.Generation != s.Generation && got.Generation != older.Generation {
			t.Fatalf("generation %d was never sealed", got.Generation)
		}
		want := *s
		want.Generation = got.Generation
		if d := cmp.Diff(&want, got, sameSecret); d != "" {
			t.Fatal(d)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	c := session.NewCodec(ringOf(b, 1), storetest.Audience)
	s := sample("sub-1")
	r := seal(b, c, s)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Open(s.Handle, r); err != nil {
			b.Fatal(err)
		}
	}
}
