package ratelimit

import (
	"strconv"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	for name, c := range map[string]struct {
		limit Limit
		steps []step
	}{
		"all_of_a_minute_at_once": {PerMinute(3), []step{
			{"a", 0, Verdict{Left: 2}}, {"a", 0, Verdict{Left: 1}}, {"a", 0, Verdict{}},
			{"a", 0, Verdict{Wait: 20 * time.Second}},
			{"a", 15 * time.Second, Verdict{Wait: 5 * time.Second}}, // what was refused has not counted
			{"b", 15 * time.Second, Verdict{Left: 2}},
			{"a", 20 * time.Second, Verdict{}},
			{"a", 20 * time.Second, Verdict{Wait: 20 * time.Second}},
			{"a", 80 * time.Second, Verdict{Left: 2}}, // after a rest all may come at once, and no more
			{"a", 500 * time.Second, Verdict{Left: 2}},
		}},
		"less_at_once_than_in_a_minute": {Limit{Requests: 60, Per: time.Minute, Burst: 2}, []step{
			{"a", 0, Verdict{Left: 1}}, {"a", 0, Verdict{}}, {"a", 0, Verdict{Wait: time.Second}},
			{"a", time.Second, Verdict{}}, {"a", 1500 * time.Millisecond, Verdict{Wait: 500 * time.Millisecond}},
			{"a", 4 * time.Second, Verdict{Left: 1}},
		}},
		"more_at_once_than_in_a_second": {Limit{Requests: 1, Per: time.Second, Burst: 3}, []step{
			{"a", 0, Verdict{Left: 2}}, {"a", 0, Verdict{Left: 1}}, {"a", 0, Verdict{}}, {"a", 0, Verdict{Wait: time.Second}},
		}},
		"one": {Limit{Requests: 1, Per: time.Hour}, []step{
			{"", 0, Verdict{}}, {"", 59 * time.Minute, Verdict{Wait: time.Minute}}, {"", time.Hour, Verdict{}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l := New(c.limit)
			for i, s := range c.steps {
				if v := l.Take(s.key, l.began.Add(s.after)); v != s.want {
					t.Errorf("step %d, %q after %v: %+v, want %+v", i, s.key, s.after, v, s.want)
				}
			}
		})
	}
}

type step struct {
	key   string
	after time.Duration
	want  Verdict
}

// A flood of keys takes no memory, and makes nobody's count forgotten who has used up what
// is allowed; its own are pushed out in their place.
func TestLimiter_forgets_whoever_did_least(t *testing.T) {
	l := New(Limit{Requests: 10, Per: time.Minute})
	now := l.began
	for range 10 {
		l.Take("busy", now)
	}
	for i := range 4 * ways * sets {
		if v := l.Take(strconv.Itoa(i), now); v.Wait != 0 {
			t.Fatalf("key %d has to wait %v", i, v.Wait)
		}
	}
	if v := l.Take("busy", now); v.Wait != 6*time.Second {
		t.Errorf("who had used up the limit is let in after a flood of others: %+v", v)
	}
	if len(l.sets) != sets {
		t.Errorf("%d sets, want %d", len(l.sets), sets)
	}
}

// What is over makes room first.
func TestLimiter_keeps_counts_that_are_not_over(t *testing.T) {
	l := New(Limit{Requests: 2, Per: time.Minute})
	s, _ := l.find("new")
	for i := range s.counts {
		s.counts[i] = count{key: uint64(i), over: time.Duration(i+1) * time.Second}
	}
	l.Take("new", l.began.Add(2500*time.Millisecond))
	for i, c := range s.counts {
		if kept := c.key == uint64(i); kept != (i > 0) {
			t.Errorf("place %d holds %+v", i, c)
		}
	}
}

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1":                "192.0.2.1",
		"::ffff:192.0.2.1":         "::ffff:192.0.2.1",
		"2001:db8:1:2:3:4:5:6":     "2001:db8:1:2::/64",
		"2001:db8:1:2::1":          "2001:db8:1:2::/64",
		"fe80::1%eth0":             "fe80::/64",
		"2001:db8:1:3:3:4:5:6":     "2001:db8:1:3::/64",
		"":                         "",
		"example.com":              "example.com",
		"2001:db8:1:2:3:4:5:6:7:8": "2001:db8:1:2:3:4:5:6:7:8",
	} {
		if got := Network(address); got != want {
			t.Errorf("Network(%q) = %q, want %q", address, got, want)
		}
	}
}
