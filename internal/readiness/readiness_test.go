package readiness

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestReadiness is on virtual time: one line is one probe, a second and a bit
// after the one before.
func TestReadiness(t *testing.T) {
	for name, c := range map[string]struct{ checks, want string }{
		"a_good_start_is_ready_at_once":                 {"+", "y"},
		"a_bad_start_is_ready_with_the_first_good":      {"--+", "nny"},
		"one_bad_answer_is_enough":                      {"+-", "yn"},
		"two_good_ones_make_it_ready_again":             {"+--++++", "ynnnyyy"},
		"one_good_one_between_bad_ones_changes_nothing": {"+-+-+-+-++", "ynnnnnnnny"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var well bool
				r := New(slog.New(slog.DiscardHandler), Check{"store", func(context.Context) error {
					if well {
						return nil
					}
					return errors.New("canary")
				}, func(error) string { return "full" }})
				got := ""
				for _, answer := range c.checks {
					well = answer == '+'
					switch reasons := r.Reasons(t.Context()); {
					case len(reasons) == 0:
						got += "y"
					case slices.Equal(reasons, []string{"store: full"}):
						got += "n"
					default:
						t.Errorf("reasons %q", reasons)
					}
					time.Sleep(checkEvery + time.Millisecond)
				}
				if got != c.want {
					t.Errorf("ready %s, want %s", got, c.want)
				}
			})
		})
	}
}

// TestReadinessIsCheap: a storm of probes costs one check a second, and one that
// leaves does not spoil the answer of the others.
func TestReadinessIsCheap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		r := New(slog.New(slog.DiscardHandler), Check{"store", func(ctx context.Context) error {
			asked++
			return ctx.Err()
		}, error.Error})
		gone, leave := context.WithCancel(t.Context())
		leave()
		began := time.Now()
		for range 100 {
			var probes sync.WaitGroup
			for range 20 {
				probes.Go(func() {
					if reasons := r.Reasons(gone); len(reasons) > 0 {
						t.Errorf("not ready: %s", strings.Join(reasons, ", "))
					}
				})
			}
			probes.Wait()
			time.Sleep(50 * time.Millisecond)
		}
		if most := int(time.Since(began)/checkEvery) + 1; asked > most {
			t.Errorf("2000 probes in %v cost %d checks, want %d at most", time.Since(began), asked, most)
		}
	})
}
