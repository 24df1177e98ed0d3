package backoff_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/backoff"
)

// near reports whether got is want, jittered.
func near(got, want time.Duration) bool { return want-want/4 <= got && got <= want }

func TestBackoff(t *testing.T) {
	b := backoff.New(100*time.Millisecond, 350*time.Millisecond)
	for i, want := range []time.Duration{100, 200, 350, 350} {
		if got := b.Next(); !near(got, want*time.Millisecond) {
			t.Errorf("pause %d is %v, want about %d ms", i+1, got, want)
		}
	}
	b.Reset()
	if got := b.Next(); !near(got, 100*time.Millisecond) {
		t.Errorf("the first pause anew is %v", got)
	}
}

func TestWait(t *testing.T) {
	for name, wait := range map[string]func(context.Context) bool{
		"of_a_backoff": backoff.New(time.Second, time.Minute).Wait,
		"once":         func(ctx context.Context) bool { return backoff.Pause(ctx, time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				if !wait(t.Context()) || !near(time.Since(began), time.Second) {
					t.Errorf("it waited %v", time.Since(began))
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				defer cancel()
				began = time.Now()
				if wait(ctx) || time.Since(began) != time.Millisecond {
					t.Errorf("with a context that ended it waited %v", time.Since(began))
				}
			})
		})
	}
}

func TestJittered(t *testing.T) {
	seen := make(map[time.Duration]bool)
	for range 200 {
		d := backoff.Jittered(time.Second)
		if !near(d, time.Second) {
			t.Fatalf("%v", d)
		}
		seen[d] = true
	}
	if len(seen) < 2 {
		t.Error("it is always the same")
	}
	if backoff.Jittered(0) != 0 {
		t.Error("nothing became something")
	}
}
