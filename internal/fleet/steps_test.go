package fleet

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// at gives every instance the same store.
func at(url string) func(int) string { return func(int) string { return url } }

// over gives every instance the same way to a Redis server.
func over(l *Link) func(int) string { return at("redis://" + l.Addr) }

// newSeed is printed, and taken from SEED to see a run again.
func newSeed(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SEED=%d", seed)
	return seed
}

// get fetches the API and fails the test if the connection breaks.
func get(t *testing.T, b *Browser, instance int) Answer {
	t.Helper()
	a, err := b.Get(t.Context(), instance, "/api/")
	if err != nil {
		t.Errorf("instance %d: %v", instance, err)
	}
	return a
}

// warm lets every instance see the session, and returns the token's claims.
func warm(t *testing.T, f *Fleet, b *Browser) (c Claims) {
	t.Helper()
	for i := range f.Gateways {
		a := get(t, b, i)
		if a.Status != http.StatusOK {
			t.Fatalf("instance %d answers %d: %s", i, a.Status, a.Body)
		}
		c = a.Claims()
	}
	return c
}

// waitExpiry waits until a token has ended for the gateway as well: it counts
// from the receipt, and exp is cut to the second before.
func waitExpiry(c Claims) { waitUntil(time.Unix(c.Expires, 0).Add(1200 * time.Millisecond)) }

func waitUntil(at time.Time) { <-time.After(time.Until(at)) }

// inParallel runs n at the same time and waits for all.
func inParallel(n int, do func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() { <-start; do(i) })
	}
	close(start)
	all.Wait()
}

// wantOutage checks that an answer is 503 as the contract words it.
func wantOutage(t *testing.T, a Answer, code string) {
	t.Helper()
	var problem struct{ Code string }
	_ = json.Unmarshal([]byte(a.Body), &problem)
	if a.Status != http.StatusServiceUnavailable || problem.Code != code || a.Header.Get("Retry-After") == "" ||
		a.Header.Values("Set-Cookie") != nil {
		t.Errorf("%d %.200s, Retry-After %q, Set-Cookie %q; want 503 %s", a.Status, a.Body,
			a.Header.Get("Retry-After"), a.Header.Values("Set-Cookie"), code)
	}
}

// wantRecovery asks every instance until it serves all browsers again, and wants
// that soon.
func wantRecovery(t *testing.T, f *Fleet, browsers ...*Browser) {
	t.Helper()
	back := time.Now()
	took := make([]time.Duration, len(browsers)*len(f.Gateways))
	inParallel(len(took), func(i int) {
		b, instance := browsers[i/len(f.Gateways)], i%len(f.Gateways)
		for time.Since(back) < lastResort {
			a := get(t, b, instance)
			if took[i] = time.Since(back); a.Status != http.StatusServiceUnavailable {
				if a.Status != http.StatusOK {
					t.Errorf("instance %d answers %d: %s", instance, a.Status, a.Body)
				}
				return
			}
			waitUntil(time.Now().Add(20 * time.Millisecond))
		}
	})
	slowest := slices.Max(took)
	t.Logf("all instances serve again after %v", slowest.Round(time.Millisecond))
	if slowest > recovery {
		t.Errorf("an instance serves again after %v, want %v at most", slowest, recovery)
	}
}
