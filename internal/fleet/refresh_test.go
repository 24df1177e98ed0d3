package fleet

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
)

const grace = 30 * time.Second

// graceful is the gateway's part of a pool with grace.
func graceful() map[string]map[string]any {
	return map[string]map[string]any{"cognito": {"rotation_grace": grace.String()}}
}

// late is graceful, and refreshes no token that is not about to expire: what
// calls come upon is an expired one.
func late(timeout time.Duration) map[string]map[string]any {
	settings := graceful()
	settings["refresh"] = map[string]any{"before_expiry": "100ms", "timeout": timeout.String()}
	return settings
}

// expire waits until the session's token has expired everywhere, unrefreshed.
func expire(t *testing.T, f *Fleet, pool *Pool, b *Browser) {
	t.Helper()
	for before := -1; before != pool.Refreshes(); {
		before = pool.Refreshes()
		waitExpiry(warm(t, f, b))
	}
}

func TestOneRefreshAcrossTheFleet(t *testing.T) {
	t.Parallel()
	pool := StartPool(t, PoolOptions{TokenTTL: 6 * time.Second, Rotate: true, Grace: grace})
	f := Start(t, Options{Pool: pool, Store: at(redistest.Start(t, redistest.Options{}).URL), Settings: late(20 * time.Second)})
	b := f.SignIn(0)
	for _, tt := range []struct {
		name string
		fate func(n int) Fate
		most int
	}{
		{"with_a_token_endpoint_that_answers", func(int) Fate { return Fate{} }, 1},
		{"with_a_token_endpoint_that_takes_four_seconds", func(int) Fate { return Fate{Delay: 4 * time.Second} }, 1},
		{"with_every_second_answer_lost", func(n int) Fate { return Fate{Lose: n%2 == 0} }, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			expire(t, f, pool, b)
			before, calls := pool.Refreshes(), f.API.Calls()
			pool.Decide(func(n int) Fate { return tt.fate(n - before) })
			inParallel(150, func(i int) {
				if a := get(t, b, i%3); a.Status != http.StatusOK {
					t.Errorf("instance %d answers %d: %s", i%3, a.Status, a.Body)
				}
			})
			if n := pool.Refreshes() - before; n < 1 || n > tt.most {
				t.Errorf("%d token calls, want one, %d at most", n, tt.most)
			}
			if n := f.API.Calls() - calls; n != 150 {
				t.Errorf("%d calls reached the API, want 150", n)
			}
		})
	}
	if n := f.API.Expired(); n != 0 {
		t.Errorf("%d calls came to the API with a token past its end", n)
	}
}

// TestOneForcedRefreshAcrossTheFleet: twenty that ask for new tokens at the same time,
// as pages do that hear of a change, get the same ones. Who comes after the answer
// rightly gets others; then nothing was shown, and it is tried again.
func TestOneForcedRefreshAcrossTheFleet(t *testing.T) {
	t.Parallel()
	pool := StartPool(t, PoolOptions{Rotate: true, Grace: grace})
	settings := graceful()
	settings["refresh"] = map[string]any{"forced_per_minute": 1000}
	f := Start(t, Options{Pool: pool, Store: at(redistest.Start(t, redistest.Options{}).URL), Settings: settings})
	b := f.SignIn(0)
	pool.Decide(func(int) Fate { return Fate{Delay: time.Second} })
	for range 20 {
		before := pool.Refreshes()
		seen := forced(t, b, 20)
		calls := pool.Refreshes() - before
		if calls != len(seen) {
			t.Fatalf("%d token calls, and callers got tokens of the generations %v", calls, seen)
		}
		if calls == 1 {
			return
		}
	}
	t.Error("callers at the same time never got the same tokens")
}

// forced has n callers, at two instances by turns, ask for new tokens, and returns the
// generations that they got.
func forced(t *testing.T, b *Browser, n int) map[int]bool {
	t.Helper()
	var mu sync.Mutex
	seen := map[int]bool{}
	inParallel(n, func(i int) {
		a, err := b.Post(t.Context(), i%2, "/auth/refresh", "")
		var session struct{ Generation int }
		if err == nil {
			err = json.Unmarshal([]byte(a.Body), &session)
		}
		if err != nil || a.Status != http.StatusOK {
			t.Errorf("instance %d answers %d %s: %v", i%2, a.Status, a.Body, err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		seen[session.Generation] = true
	})
	return seen
}

// lives are what browsers went through, three tabs each, one at each instance.
type lives struct {
	mu     sync.Mutex
	status map[int]int
	seen   map[string]bool // tokens, by their jti
}

// live lets browsers call until the pool has seen n more refreshes.
func live(t *testing.T, f *Fleet, pool *Pool, browsers []*Browser, n int) *lives {
	t.Helper()
	l := &lives{status: map[int]int{}, seen: map[string]bool{}}
	end := pool.Refreshes() + n
	patience := lastResort + time.Duration(n)*time.Second
	limit := time.Now().Add(patience)
	inParallel(len(browsers)*len(f.Gateways), func(i int) {
		b, instance := browsers[i/len(f.Gateways)], i%len(f.Gateways)
		for pool.Refreshes() < end && time.Now().Before(limit) {
			l.note(get(t, b, instance))
			waitUntil(time.Now().Add(50*time.Millisecond + rand.N(100*time.Millisecond)))
		}
	})
	if pool.Refreshes() < end {
		t.Errorf("%d refreshes less than %d after %v", end-pool.Refreshes(), n, patience)
	}
	return l
}

func (l *lives) note(a Answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status[a.Status]++
	if a.Status == http.StatusOK {
		l.seen[a.Claims().ID] = true
	}
}

func signIns(f *Fleet, n int) (all []*Browser) {
	for i := range n {
		all = append(all, f.SignIn(i%len(f.Gateways)))
	}
	return all
}

func TestCyclesWithoutFaults(t *testing.T) {
	t.Parallel()
	pool := StartPool(t, PoolOptions{TokenTTL: 2 * time.Second, Rotate: true})
	f := Start(t, Options{Pool: pool, Store: at(redistest.Start(t, redistest.Options{}).URL)})
	browsers := signIns(f, 12)
	l := live(t, f, pool, browsers, cycles)
	t.Logf("%d refreshes, answers %v", pool.Refreshes(), l.status)
	if len(l.status) != 1 || l.status[http.StatusOK] == 0 {
		t.Errorf("answers %v, want 200 alone", l.status)
	}
	if pool.Overlaps() != 0 || pool.Repeats() != 0 {
		t.Errorf("%d refreshes began during another of their session, %d tokens were presented again",
			pool.Overlaps(), pool.Repeats())
	}
	// One refresh a cycle: none comes before three eighths of the life of the token
	// of before, the earliest that one is due. A life that ends with a whole second is
	// a second at least.
	last := map[int]time.Time{}
	for _, u := range pool.Uses() {
		if gap := u.Begin.Sub(last[u.SignIn]); gap < 375*time.Millisecond {
			t.Errorf("a refresh %v after another of its session", gap)
		}
		last[u.SignIn] = u.Begin
	}
}

func TestCyclesWithFaultsAndGrace(t *testing.T) {
	t.Parallel()
	pool := StartPool(t, PoolOptions{TokenTTL: 2 * time.Second, Rotate: true, Grace: grace})
	f := Start(t, Options{Pool: pool, Store: at(redistest.Start(t, redistest.Options{}).URL), Settings: graceful()})
	browsers := signIns(f, 12)
	pool.Decide(randomFates(newSeed(t)))
	l := live(t, f, pool, browsers, cycles)
	t.Logf("%d refreshes, answers %v", pool.Refreshes(), l.status)
	for status := range l.status {
		if status != http.StatusOK && status != http.StatusServiceUnavailable {
			t.Errorf("answers %v, want 200 and 503 alone", l.status)
		}
	}
	pool.Decide(nil)
	for i, b := range browsers {
		waitFor(t, "the end of the last fault", func() bool { return get(t, b, i%3).Status == http.StatusOK })
		warm(t, f, b)
	}
	if pool.Overlaps() != 0 || pool.SignIns() != len(browsers) {
		t.Errorf("%d overlaps, %d sign-ins; want 0 and %d", pool.Overlaps(), pool.SignIns(), len(browsers))
	}
}

// randomFates are the same for the same seed, whoever asks first.
func randomFates(seed uint64) func(n int) Fate {
	return func(n int) Fate {
		switch r := rand.New(rand.NewPCG(seed, uint64(n))); r.IntN(12) {
		case 0, 1:
			return Fate{Lose: true}
		case 2:
			return Fate{Drop: true}
		case 3:
			return Fate{Status: http.StatusServiceUnavailable}
		case 4:
			return Fate{Status: http.StatusTooManyRequests}
		case 5:
			return Fate{Delay: time.Duration(r.Int64N(int64(1500 * time.Millisecond)))}
		}
		return Fate{}
	}
}

func TestALostAnswerWithoutGraceTakesOneLogin(t *testing.T) {
	t.Parallel()
	pool := StartPool(t, PoolOptions{TokenTTL: 2 * time.Second, Rotate: true})
	f := Start(t, Options{Pool: pool, Store: at(redistest.Start(t, redistest.Options{}).URL)})
	b := f.SignIn(0)
	pool.Decide(func(n int) Fate { return Fate{Lose: n == 0} })
	waitFor(t, "the session's end", func() bool {
		switch a := get(t, b, pool.Refreshes()%3); a.Status {
		case http.StatusOK, http.StatusServiceUnavailable:
			return false
		case http.StatusUnauthorized:
			if a.Header.Values("Set-Cookie") != nil {
				t.Errorf("Set-Cookie %q with a 401", a.Header.Values("Set-Cookie"))
			}
			return true
		default:
			t.Fatalf("%d %s; want 200 or 503, then 401", a.Status, a.Body)
			return false
		}
	})
	if err := b.SignIn(1, "alice@example.com"); err != nil {
		t.Fatalf("sign in again: %v", err)
	}
	if l := live(t, f, pool, []*Browser{b}, 3); len(l.status) != 1 || l.status[http.StatusOK] == 0 {
		t.Errorf("answers after it %v, want 200 alone", l.status)
	}
	if n := pool.SignIns(); n != 2 {
		t.Errorf("%d sign-ins, want 2", n)
	}
}

// The lease of an instance that dies runs out after its term: the time of one
// token call and of two calls of the store (docs/sessions.md).
func TestTheHolderOfTheLeaseIsKilled(t *testing.T) {
	t.Parallel()
	const timeout, term = 4 * time.Second, 8 * time.Second
	pool := StartPool(t, PoolOptions{TokenTTL: 3 * time.Second, Rotate: true, Grace: grace})
	f := Start(t, Options{Pool: pool, Store: at(redistest.Start(t, redistest.Options{}).URL), Settings: late(timeout)})
	b := f.SignIn(0)
	expire(t, f, pool, b)
	before := pool.Refreshes()
	pool.Decide(func(n int) Fate {
		if n == before { // carried out, for a caller that is gone
			return Fate{Delay: timeout - 500*time.Millisecond}
		}
		return Fate{}
	})
	go func() { _, _ = b.Get(t.Context(), 0, "/api/") }()
	waitFor(t, "a refresh under way", func() bool { return pool.Refreshes() > before })
	f.Gateways[0].Kill()
	began := time.Now()
	inParallel(50, func(i int) {
		if a := get(t, b, 1+i%2); a.Status != http.StatusOK {
			t.Errorf("instance %d answers %d: %s", 1+i%2, a.Status, a.Body)
		}
	})
	took := time.Since(began)
	t.Logf("waiters are served %v after the kill, by refresh number %d", took.Round(time.Millisecond), pool.Refreshes()-before)
	if took > term+recovery {
		t.Errorf("waiters are served %v after the kill, want %v and no more than %v", took, term, recovery)
	}
	// On a slow machine the first instance may have tried once more by then.
	if n := pool.Refreshes() - before; n < 2 || n > 3 {
		t.Errorf("%d refreshes, want the one that was cut off and another", n)
	}
	f.Gateways[0].Restart()
	f.Gateways[0].WaitReady()
	warm(t, f, b)
}
