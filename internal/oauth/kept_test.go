package oauth_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

func TestIdentity_keeps(t *testing.T) {
	t.Run("what_was_made_last", func(t *testing.T) {
		i := &oauth.Identity{}
		if got := i.Kept("a"); got != nil {
			t.Errorf("%v before anything was kept", got)
		}
		i.Keep("a", 1, 10)
		i.Keep("b", 2, 10)
		i.Keep("a", 3, 10)
		if a, b := i.Kept("a"), i.Kept("b"); a != 3 || b != 2 {
			t.Errorf("a is %v, b %v", a, b)
		}
	})
	t.Run("a_few_things_and_counts_them", func(t *testing.T) {
		bytes := 0
		i := &oauth.Identity{Grown: func(n int) { bytes += n }}
		for n := range 100 {
			i.Keep(fmt.Sprint(n), n, 10)
		}
		left := 0
		for n := range 100 {
			if i.Kept(fmt.Sprint(n)) != nil {
				left++
			}
		}
		if left == 0 || left > 10 || bytes != left*10 || i.Kept("99") == nil {
			t.Errorf("%d are left, %d bytes are counted", left, bytes)
		}
		i.Keep("99", 99, 30)
		if bytes != left*10+20 {
			t.Errorf("%d bytes are counted", bytes)
		}
	})
	t.Run("for_many_at_a_time", func(t *testing.T) {
		var bytes atomic.Int64
		i := &oauth.Identity{Grown: func(n int) { bytes.Add(int64(n)) }}
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				for range 100 {
					i.Keep(fmt.Sprint(n%4), n, 10)
				}
			})
		}
		all.Wait()
		if bytes.Load() != 40 {
			t.Errorf("%d bytes are counted for 4 things of 10", bytes.Load())
		}
	})
}
