package secret_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// key returns a key whose bytes are all b, so that a leak is easy to see.
func key(b byte) []byte { return bytes.Repeat([]byte{b}, secret.KeySize) }

func ring(t testing.TB, keys ...[]byte) *secret.Ring {
	t.Helper()
	r, err := secret.NewRing(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNewRing(t *testing.T) {
	for name, keys := range map[string][][]byte{
		"no_key":           {},
		"an_empty_key":     {{}},
		"a_short_key":      {key(1)[:31]},
		"a_long_key":       {append(key(1), 1)},
		"a_bad_second_key": {key(1), key(2)[:16]},
	} {
		t.Run(name+"_is_refused", func(t *testing.T) {
			if _, err := secret.NewRing(keys...); err == nil {
				t.Error("no error")
			}
		})
	}
	t.Run("keys_are_copied", func(t *testing.T) {
		k := key(1)
		r := ring(t, k)
		sealed := r.Seal("l", []byte("p"), nil)
		clear(k)
		if _, err := ring(t, key(1)).Open("l", sealed, nil); err != nil {
			t.Error("a caller that wipes its key changed the ring")
		}
		if r2 := ring(t, key(1)); !bytes.Equal(r2.Derive("l", 8)[0], r.Derive("l", 8)[0]) {
			t.Error("a caller that wipes its key changed the ring")
		}
	})
	t.Run("NewKey_gives_what_a_ring_takes_and_never_the_same", func(t *testing.T) {
		seen := map[string]bool{}
		for range 100 {
			k := secret.NewKey()
			raw, err := base64.StdEncoding.DecodeString(k)
			if err != nil || len(raw) != secret.KeySize || seen[k] {
				t.Fatalf("key of %d bytes, error %v, seen before: %v", len(raw), err, seen[k])
			}
			seen[k] = true
		}
	})
}

func TestRingPrints(t *testing.T) {
	const b = 0xA7
	r := ring(t, key(b))
	r.Seal("l", nil, nil) // derived keys are there to be seen as well
	derived := r.Derive("l", secret.KeySize)[0]
	shown := func(out string) bool {
		for _, k := range [][]byte{key(b)[:4], derived[:4]} {
			for _, form := range []string{string(k), fmt.Sprintf("%x", k), strings.Trim(fmt.Sprint(k), "[]"), strings.Trim(fmt.Sprintf("%#x", k), "[]")} {
				if strings.Contains(strings.ToLower(out), strings.ToLower(form)) {
					return true
				}
			}
		}
		return strings.Contains(out, "0xa7, 0xa7")
	}
	t.Run("nothing_of_its_keys_under_any_verb", func(t *testing.T) {
		type owner struct {
			Ring *secret.Ring
			ring *secret.Ring
		}
		everyVerb(func(format string) {
			for _, v := range []any{r, owner{r, r}, &owner{r, r}, []*secret.Ring{r}} {
				if out := fmt.Sprintf(format, v); shown(out) {
					t.Errorf("%q shows a key: %s", format, out)
				}
			}
		})
	})
	t.Run("nothing_of_its_keys_in_logs", func(t *testing.T) {
		var b bytes.Buffer
		slog.New(slog.NewTextHandler(&b, nil)).Info("m", "ring", r)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "ring", r)
		if shown(b.String()) {
			t.Errorf("a log shows a key: %s", b.String())
		}
	})
}

func TestRing(t *testing.T) {
	old, current, foreign := key(1), key(2), key(3)
	plain, aad := []byte("the record"), []byte("its name")

	t.Run("opens_what_it_sealed", func(t *testing.T) {
		for _, p := range [][]byte{nil, {0}, plain, bytes.Repeat(plain, 1000)} {
			r := ring(t, current)
			sealed := r.Seal("l", p, aad)
			got, err := r.Open("l", sealed, aad)
			if err != nil || !bytes.Equal(got, p) {
				t.Errorf("%d bytes: got %q, error %v", len(p), got, err)
			}
			if len(sealed) != len(p)+secret.Overhead {
				t.Errorf("%d bytes became %d, want %d more", len(p), len(sealed), secret.Overhead)
			}
		}
	})
	t.Run("never_seals_the_same_twice", func(t *testing.T) {
		r := ring(t, current)
		if bytes.Equal(r.Seal("l", plain, nil), r.Seal("l", plain, nil)) {
			t.Error("the nonce is not random")
		}
	})
	t.Run("the_first_key_seals_and_all_open", func(t *testing.T) {
		before := ring(t, old)
		middle := ring(t, old, current) // the new key goes last everywhere,
		after := ring(t, current, old)  // then first everywhere,
		end := ring(t, current)         // and the old one out.
		for _, c := range []struct {
			name           string
			sealer, opener *secret.Ring
			opens          bool
		}{
			{"before→middle", before, middle, true}, {"middle→before", middle, before, true},
			{"middle→after", middle, after, true}, {"after→middle", after, middle, true},
			{"after→end", after, end, true}, {"end→after", end, after, true},
			{"before→end", before, end, false}, {"middle→end", middle, end, false},
			{"after→before", after, before, false}, {"foreign→after", ring(t, foreign), after, false},
		} {
			_, err := c.opener.Open("l", c.sealer.Seal("l", plain, aad), aad)
			if opens := err == nil; opens != c.opens {
				t.Errorf("%s: opens %v, want %v", c.name, opens, c.opens)
			}
		}
	})
	t.Run("derives_a_key_of_its_own_for_each_label_and_key", func(t *testing.T) {
		r := ring(t, old, current)
		seen := map[string]string{}
		for _, label := range []string{"", "a", "b", "ab", "a b", "a\x00", strings.Repeat("x", 300)} {
			keys := r.Derive(label, 32)
			if len(keys) != 2 {
				t.Fatalf("label %q has %d keys", label, len(keys))
			}
			for i, k := range keys {
				if other, ok := seen[string(k)]; ok {
					t.Errorf("label %q key %d is that of %s", label, i, other)
				}
				seen[string(k)] = fmt.Sprintf("%q key %d", label, i)
				if bytes.Contains(k, old[:8]) || bytes.Contains(k, current[:8]) {
					t.Errorf("label %q shows the ring's own key", label)
				}
			}
		}
		if !slices.EqualFunc(r.Derive("a", 32), ring(t, old, current).Derive("a", 32), bytes.Equal) {
			t.Error("the same ring derives other keys: a restart would sign everyone out")
		}
	})
	t.Run("is_safe_for_concurrent_use", func(t *testing.T) {
		r := ring(t, current, old)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				label := fmt.Sprint("l", i%3)
				if _, err := r.Open(label, r.Seal(label, plain, aad), aad); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

// TestOpenRefuses gives both ways of sealing everything that must not open.
func TestOpenRefuses(t *testing.T) {
	plain, aad := []byte("the record"), []byte("its name")
	r, single := ring(t, key(1), key(2)), key(4)
	for name, way := range map[string]struct {
		seal func(label string) []byte
		open func(label string, sealed, aad []byte) ([]byte, error)
	}{
		"ring":   {func(l string) []byte { return r.Seal(l, plain, aad) }, r.Open},
		"single": {func(l string) []byte { return secret.SealWith(single, l, plain, aad) }, func(l string, s, a []byte) ([]byte, error) { return secret.OpenWith(single, l, s, a) }},
	} {
		refused := func(t *testing.T, what, label string, sealed, aad []byte) {
			t.Helper()
			if p, err := way.open(label, sealed, aad); !errors.Is(err, secret.ErrOpen) || err.Error() != secret.ErrOpen.Error() || p != nil {
				t.Errorf("%s: got %q, error %v, want nothing but ErrOpen", what, p, err)
			}
		}
		sealed := way.seal("l")
		t.Run(name+"/opens_the_unchanged_bytes", func(t *testing.T) {
			if p, err := way.open("l", sealed, aad); err != nil || !bytes.Equal(p, plain) {
				t.Fatalf("got %q, error %v", p, err)
			}
		})
		t.Run(name+"/another_label", func(t *testing.T) {
			for _, l := range []string{"", "L", "l ", "ll", "l\x00"} {
				refused(t, l, l, sealed, aad)
			}
		})
		t.Run(name+"/other_associated_data", func(t *testing.T) {
			for _, a := range [][]byte{nil, {}, []byte("its nam"), []byte("its name "), []byte("Its name")} {
				refused(t, string(a), "l", sealed, a)
			}
		})
		t.Run(name+"/every_flipped_bit", func(t *testing.T) {
			for i := range len(sealed) * 8 {
				changed := bytes.Clone(sealed)
				changed[i/8] ^= 1 << (i % 8)
				refused(t, fmt.Sprint("bit ", i), "l", changed, aad)
			}
		})
		t.Run(name+"/every_truncation_and_an_extension", func(t *testing.T) {
			for n := range sealed {
				refused(t, fmt.Sprint(n, " bytes"), "l", sealed[:n], aad)
				refused(t, fmt.Sprint("from byte ", n+1), "l", sealed[n+1:], aad)
			}
			refused(t, "one more", "l", append(bytes.Clone(sealed), 0), aad)
			refused(t, "nil", "l", nil, aad)
		})
	}
	t.Run("a_ring_does_not_open_what_a_single_key_of_the_same_bytes_sealed_for_another_label", func(t *testing.T) {
		if _, err := ring(t, single).Open("m", secret.SealWith(single, "l", plain, nil), nil); !errors.Is(err, secret.ErrOpen) {
			t.Errorf("error %v", err)
		}
	})
}

func TestMAC(t *testing.T) {
	k := key(5)
	t.Run("no_two_pairs_of_label_and_data_share_an_input", func(t *testing.T) {
		long := strings.Repeat("x", 300)
		seen := map[string]string{}
		for _, p := range [][2]string{
			{"", ""}, {"", "a"}, {"a", ""}, {"a", "b"}, {"", "ab"}, {"ab", ""}, {"\x01", "a"}, {"", "\x01a"},
			{"a", "\x00b"}, {"a\x00", "b"},
			// Lengths that are equal modulo 256: a length of one byte would take them for one.
			{long[:257], "y"}, {long[:1], long[:256] + "y"}, {long[:256], "y"}, {"", long[:256] + "y"},
		} {
			mac := string(secret.MAC(k, p[0], []byte(p[1])))
			pair := fmt.Sprintf("label of %d and data of %d bytes", len(p[0]), len(p[1]))
			if other, ok := seen[mac]; ok {
				t.Errorf("%s has the MAC of %s", pair, other)
			}
			seen[mac] = pair
		}
	})
	t.Run("depends_on_the_key_and_on_nothing_else", func(t *testing.T) {
		m := secret.MAC(k, "l", []byte("d"))
		if !bytes.Equal(m, secret.MAC(key(5), "l", []byte("d"))) || bytes.Equal(m, secret.MAC(key(6), "l", []byte("d"))) {
			t.Error("wrong MAC")
		}
		if len(m) != 32 {
			t.Errorf("%d bytes", len(m))
		}
	})
}

func TestReplaceRollsKeysOver(t *testing.T) {
	first, second := bytes.Repeat([]byte{1}, secret.KeySize), bytes.Repeat([]byte{2}, secret.KeySize)
	r, err := secret.NewRing(first)
	if err != nil {
		t.Fatal(err)
	}
	old := r.Seal("use", []byte("text"), nil)
	if err := r.Replace(second, first); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Open("use", old, nil); err != nil {
		t.Error("what the first key sealed no longer opens beside the second")
	}
	young := r.Seal("use", []byte("text"), nil)
	if err := r.Replace([]byte("short")); err == nil {
		t.Fatal("a short key was taken")
	}
	if _, err := r.Open("use", young, nil); err != nil {
		t.Error("a refused replacement took the keys away")
	}
	if err := r.Replace(second); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Open("use", old, nil); !errors.Is(err, secret.ErrOpen) {
		t.Errorf("a key that is gone still opens: %v", err)
	}
}
