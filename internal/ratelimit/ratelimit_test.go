package ratelimit

import (
	"strconv"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	l, began := New(2), time.Unix(1_795_690_000, 0)
	for _, step := range []struct {
		key   string
		after time.Duration
		wait  time.Duration
	}{
		{"a", 0, 0},
		{"a", 10 * time.Second, 0},
		{"a", 20 * time.Second, 40 * time.Second},
		{"b", 20 * time.Second, 0},
		{"a", 59 * time.Second, time.Second}, // what was refused has not counted
		{"a", 60 * time.Second, 0},
		{"b", 70 * time.Second, 0},
		{"b", 71 * time.Second, 9 * time.Second},
		{"a", 61 * time.Second, 0},
		{"a", 62 * time.Second, 58 * time.Second},
	} {
		if wait := l.Take(step.key, began.Add(step.after)); wait != step.wait {
			t.Errorf("%s after %v has to wait %v, want %v", step.key, step.after, wait, step.wait)
		}
	}
}

func TestLimiterIsBounded(t *testing.T) {
	l, now := New(1), time.Unix(1_795_690_000, 0)
	for i := range maxCounted + 100 {
		if wait := l.Take(strconv.Itoa(i), now); wait != 0 {
			t.Fatalf("key %d has to wait %v", i, wait)
		}
	}
	if n := len(l.since); n != maxCounted {
		t.Errorf("%d keys are kept, want %d", n, maxCounted)
	}
	l.Take("later", now.Add(Window))
	if n := len(l.since); n != 1 {
		t.Errorf("%d keys are kept after their window, want 1", n)
	}
}
