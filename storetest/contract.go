package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse"
)

const (
	maxKey   = 160
	maxValue = 256 << 10
	maxKeys  = 1000
)

// later is when values are over that no test outlives.
func later() time.Time { return time.Now().Add(time.Hour) }

func swap(t *testing.T, s gatehouse.Store, key string, old, new []byte, want bool) {
	t.Helper()
	expires := time.Time{}
	if new != nil {
		expires = later()
	}
	if got, err := s.Swap(t.Context(), key, old, new, expires); err != nil || got != want {
		t.Fatalf("Swap of %s, %s for %s: %v, %v; want %v", key, brief(new), brief(old), got, err, want)
	}
}

// has expects a value, or none.
func has(t *testing.T, s gatehouse.Store, key string, want []byte) {
	t.Helper()
	got, err := s.Get(t.Context(), key)
	switch {
	case want == nil && !errors.Is(err, gatehouse.ErrNotFound):
		t.Fatalf("Get of %s: %s, %v; want ErrNotFound", key, brief(got), err)
	case want != nil && (err != nil || !bytes.Equal(got, want)):
		t.Fatalf("Get of %s: %s, %v; want %s", key, brief(got), err, brief(want))
	}
}

// brief shows a value, or its beginning.
func brief(value []byte) string {
	switch {
	case value == nil:
		return "nothing"
	case len(value) > 20:
		return fmt.Sprintf("%q… of %d bytes", value[:20], len(value))
	}
	return strconv.Quote(string(value))
}

func testGet(t *testing.T, s gatehouse.Store) {
	has(t, s, "s/0", nil)
	swap(t, s, "s/0", nil, []byte("a"), true)
	has(t, s, "s/0", []byte("a"))
	for _, other := range []string{"s/", "s/00", "s", "u/0", "s/1"} {
		has(t, s, other, nil)
	}
}

func testSwap(t *testing.T, s gatehouse.Store) {
	const key = "l/0"
	a, b, c := []byte("a"), []byte("b"), []byte("c")
	for _, step := range []struct {
		name     string
		old, new []byte
		done     bool
		then     []byte
	}{
		{"of_what_is_not_there_does_nothing", a, b, false, nil},
		{"removes_nothing_where_nothing_is", a, nil, false, nil},
		{"puts_a_value_where_none_is", nil, a, true, a},
		{"puts_none_where_one_is", nil, b, false, a},
		{"of_another_value_does_nothing", b, c, false, a},
		{"of_more_than_a_value_does_nothing", []byte("aa"), c, false, a},
		{"tells_small_letters_from_capitals", []byte("A"), c, false, a},
		{"puts_a_value_in_place_of_another", a, b, true, b},
		{"is_not_done_twice", a, b, false, b},
		{"puts_a_value_in_place_of_itself", b, b, true, b},
		{"removes_no_other_value", a, nil, false, b},
		{"removes_a_value", b, nil, true, nil},
		{"puts_a_value_where_one_was", nil, c, true, c},
	} {
		t.Run(step.name, func(t *testing.T) {
			swap(t, s, key, step.old, step.new, step.done)
			has(t, s, key, step.then)
		})
	}
}

func testValues(t *testing.T, s gatehouse.Store) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for name, value := range map[string][]byte{
		"of_one_byte": {0}, "with_every_byte": every, "with_spaces_around": []byte(" \t\na\n\t "),
		"of_the_greatest_length": bytes.Repeat(every, maxValue/len(every)),
	} {
		t.Run(name, func(t *testing.T) {
			key := "s/" + strings.Repeat("z", maxKey-2)
			swap(t, s, key, nil, value, true)
			has(t, s, key, value)
			other := slices.Clone(value)
			other[len(other)-1]++
			swap(t, s, key, other, []byte("a"), false)
			swap(t, s, key, value, other, true)
			has(t, s, key, other)
			swap(t, s, key, other, nil, true)
		})
	}
	t.Run("are_not_changed_by_later_ones", func(t *testing.T) {
		swap(t, s, "s/0", nil, []byte("first"), true)
		got, err := s.Get(t.Context(), "s/0")
		if err != nil {
			t.Fatal(err)
		}
		swap(t, s, "s/0", []byte("first"), []byte("other"), true)
		if string(got) != "first" {
			t.Errorf("what Get returned has become %q", got)
		}
	})
}

// testExpiry holds a store to the one thing that matters of what is over: it is there
// for both Get and Swap, or for neither.
func testExpiry(t *testing.T, s gatehouse.Store) {
	const brief = time.Second
	t.Run("of_a_value_goes_with_the_value", func(t *testing.T) {
		if ok, err := s.Swap(t.Context(), "l/0", nil, []byte("a"), time.Now().Add(brief)); !ok || err != nil {
			t.Fatalf("Swap: %v, %v", ok, err)
		}
		swap(t, s, "l/0", []byte("a"), []byte("b"), true)
		<-time.After(2 * brief)
		has(t, s, "l/0", []byte("b"))
	})
	t.Run("hides_a_value_from_all_calls_or_none", func(t *testing.T) {
		if ok, err := s.Swap(t.Context(), "l/1", nil, []byte("a"), time.Now().Add(brief)); !ok || err != nil {
			t.Fatalf("Swap: %v, %v", ok, err)
		}
		<-time.After(2 * brief)
		for range 10 { // it may be forgotten between the two
			old, err := s.Get(t.Context(), "l/1")
			if err != nil && !errors.Is(err, gatehouse.ErrNotFound) {
				t.Fatal(err)
			}
			done, err := s.Swap(t.Context(), "l/1", old, []byte("b"), later())
			if err != nil {
				t.Fatal(err)
			}
			if done {
				has(t, s, "l/1", []byte("b"))
				return
			}
		}
		t.Error("Swap does not take for the value at key what Get says it is")
	})
}

func testKeys(t *testing.T, s gatehouse.Store) {
	keys := func(prefix, after string, limit int) []string {
		t.Helper()
		found, err := s.Keys(t.Context(), prefix, after, limit)
		if err != nil {
			t.Fatalf("Keys(%q, %q, %d): %v", prefix, after, limit, err)
		}
		return found
	}
	if found := keys("u/", "", 10); len(found) > 0 {
		t.Fatalf("of no keys there are %q", found)
	}
	for _, key := range []string{"u/9/1", "u/a/2", "u/a/0", "u/a/1", "u/a", "u/a0/1", "u/b/1", "t/z", "v/0", "u/a/1/x"} {
		swap(t, s, key, nil, []byte("a"), true)
	}
	for _, tc := range []struct {
		name, prefix, after string
		limit               int
		want                []string
	}{
		{"begin_with_the_prefix_and_are_in_order", "u/a/", "", 10, []string{"u/a/0", "u/a/1", "u/a/1/x", "u/a/2"}},
		{"are_as_many_as_wanted", "u/a/", "", 2, []string{"u/a/0", "u/a/1"}},
		{"come_after_another", "u/a/", "u/a/1", 10, []string{"u/a/1/x", "u/a/2"}},
		{"come_after_one_that_is_not_there", "u/a/", "u/a/00", 1, []string{"u/a/1"}},
		{"come_after_one_before_the_prefix", "u/a/", "u/9/1", 1, []string{"u/a/0"}},
		{"end_with_the_prefix", "u/a/", "u/a/2", 10, nil},
		{"may_be_the_prefix_itself", "u/a", "", 2, []string{"u/a", "u/a/0"}},
		{"are_none_where_there_is_none", "u/c/", "", 10, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := keys(tc.prefix, tc.after, tc.limit); !slices.Equal(got, tc.want) {
				t.Errorf("Keys(%q, %q, %d) = %q, want %q", tc.prefix, tc.after, tc.limit, got, tc.want)
			}
		})
	}
	t.Run("forget_what_was_removed", func(t *testing.T) {
		swap(t, s, "u/a/1", []byte("a"), nil, true)
		if got := keys("u/a/", "u/a/0", 1); !slices.Equal(got, []string{"u/a/1/x"}) {
			t.Errorf("Keys = %q", got)
		}
	})
	t.Run("are_all_there_however_many", func(t *testing.T) {
		const many = maxKeys + 100
		var want []string
		for i := range many {
			want = append(want, fmt.Sprintf("c/%04x", i))
		}
		each(20, func(part int) {
			for i := part; i < many; i += 20 {
				if ok, err := s.Swap(t.Context(), want[i], nil, []byte("a"), later()); !ok || err != nil {
					t.Errorf("Swap: %v, %v", ok, err)
				}
			}
		})
		got := keys("c/", "", maxKeys)
		got = append(got, keys("c/", got[len(got)-1], maxKeys)...)
		if !slices.Equal(got, want) {
			t.Errorf("%d keys, and others than those %d", len(got), many)
		}
	})
}

func testRaces(t *testing.T, s gatehouse.Store) {
	t.Run("of_many_that_come_first_one_does", func(t *testing.T) {
		for round := range 20 {
			key := fmt.Sprintf("l/%x", round)
			var won atomic.Int32
			each(16, func(i int) {
				ok, err := s.Swap(t.Context(), key, nil, []byte{byte(i)}, later())
				if err != nil {
					t.Errorf("Swap: %v", err)
				}
				if ok {
					won.Add(1)
				}
			})
			if won.Load() != 1 {
				t.Fatalf("%d of 16 put their value where none was", won.Load())
			}
		}
	})
	t.Run("lose_nothing", func(t *testing.T) {
		const key, parts, times = "s/0", 8, 20
		swap(t, s, key, nil, []byte("0"), true)
		each(parts, func(int) {
			for range times {
				if err := increment(t.Context(), s, key); err != nil {
					t.Error(err)
				}
			}
		})
		has(t, s, key, []byte(strconv.Itoa(parts*times)))
	})
}

// increment adds one to the number at a key.
func increment(ctx context.Context, s gatehouse.Store, key string) error {
	for {
		old, err := s.Get(ctx, key)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(old))
		if err != nil {
			return err
		}
		done, err := s.Swap(ctx, key, old, []byte(strconv.Itoa(n+1)), later())
		if done || err != nil {
			return err
		}
	}
}

// testContexts: an ended context may be an error, and is no absence.
func testContexts(t *testing.T, s gatehouse.Store) {
	swap(t, s, "s/0", nil, []byte("a"), true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if value, err := s.Get(ctx, "s/0"); errors.Is(err, gatehouse.ErrNotFound) || err == nil && string(value) != "a" {
		t.Errorf("Get: %s, %v", brief(value), err)
	}
	if ok, err := s.Swap(ctx, "s/0", []byte("b"), []byte("c"), later()); ok {
		t.Errorf("Swap: %v, %v", ok, err)
	}
	if keys, err := s.Keys(ctx, "s/", "", 10); err == nil && !slices.Equal(keys, []string{"s/0"}) {
		t.Errorf("Keys: %q", keys)
	}
	has(t, s, "s/0", []byte("a"))
}

// each runs f(0) to f(n-1) at once and waits for all.
func each(n int, f func(i int)) {
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() { f(i) })
	}
	running.Wait()
}
