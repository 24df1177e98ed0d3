package fleet

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
)

// impatient keeps a call of the token endpoint short, so that tests are.
func impatient() map[string]map[string]any {
	return map[string]map[string]any{
		"cognito": {"rotation_grace": grace.String()},
		"refresh": {"timeout": "3s"},
	}
}

// breakage is one way for a dependency to be away, and back.
type breakage struct {
	name        string
	begin, mend func()
}

func breakagesOf(l *Link) []breakage {
	return []breakage{
		{"cut", l.Cut, l.Mend},
		{"swallowed", l.Swallow, l.Mend},
		{"reset", l.Reset, l.Mend},
	}
}

func TestUserPoolStopped(t *testing.T) {
	t.Parallel()
	pool := StartEmulator(t, 3*time.Second)
	f := Start(t, Options{Pool: pool, Store: at(redistest.Start(t, redistest.Options{}).URL), Settings: impatient()})
	crowd := signIns(f, 12)
	b := f.SignIn(0)
	endures(t, f, b, breakage{"stopped", pool.Pause, func() {
		var asking sync.WaitGroup
		defer asking.Wait()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		asking.Go(func() { stay(ctx, t, f, crowd) })
		gaveUp(t, f)
		stop()
		asking.Wait()
		pool.Continue()
	}})
	wantRecovery(t, f, crowd...)
}

// stay lets a crowd whose tokens have expired ask for the rest of an outage, and
// until ctx ends: an instance gives up on calls that failed, however long they took.
func stay(ctx context.Context, t *testing.T, f *Fleet, crowd []*Browser) {
	t.Helper()
	end := time.Now().Add(outage)
	inParallel(len(crowd), func(i int) {
		for ctx.Err() == nil || time.Now().Before(end) {
			wantOutage(t, get(t, crowd[i], i%len(f.Gateways)), "idp_unavailable")
			waitUntil(time.Now().Add(100 * time.Millisecond))
		}
	})
}

// gaveUp waits until every instance has stopped asking the user pool.
func gaveUp(t *testing.T, f *Fleet) {
	t.Helper()
	for i, g := range f.Gateways {
		waitFor(t, fmt.Sprintf("instance %d to give up on the user pool", i), func() bool {
			return g.Metric("gatehouse_token_breaker_open") == 1
		})
	}
}

func TestUserPoolOutOfReach(t *testing.T) {
	t.Parallel()
	pool := StartPool(t, PoolOptions{TokenTTL: 2 * time.Second, Rotate: true, Grace: grace})
	f := Start(t, Options{Pool: pool, Store: at(redistest.Start(t, redistest.Options{}).URL), Settings: impatient()})
	b := f.SignIn(0)
	for _, o := range breakagesOf(pool.Link) {
		t.Run(o.name, func(t *testing.T) { endures(t, f, b, o) })
	}
	t.Run("slow", func(t *testing.T) {
		pool.Link.Slow(300)
		waitExpiry(warm(t, f, b))
		warm(t, f, b)
	})
}

// endures lets the user pool be away: calls go on until the token has truly
// expired, then they are told so, and nothing is needed after its return.
func endures(t *testing.T, f *Fleet, b *Browser, o breakage) {
	t.Helper()
	wantRecovery(t, f, b) // from the fault before, or none
	token := warm(t, f, b)
	o.begin()
	for i := 0; ; i++ {
		a := get(t, b, i%len(f.Gateways))
		if a.Status != http.StatusOK {
			// Its end counts from the receipt, and is cut to the second before.
			if left := time.Until(time.Unix(token.Expires, 0)); left > 1200*time.Millisecond {
				t.Errorf("instance %d answers %d %v before the token's end", i%len(f.Gateways), a.Status, left)
			}
			wantOutage(t, a, "idp_unavailable")
			break
		}
		token = a.Claims() // one more, perhaps, that was on its way
		waitUntil(time.Now().Add(50 * time.Millisecond))
	}
	waitExpiry(token)
	inParallel(30, func(i int) { wantOutage(t, get(t, b, i%3), "idp_unavailable") })
	o.mend()
	wantRecovery(t, f, b)
}

func TestStoreOutOfReach(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	link := NewLink(t, server.Addr)
	f := Start(t, Options{Pool: StartPool(t, PoolOptions{}), Store: over(link)})
	b := f.SignIn(0)
	cookie := b.Cookie()
	faults := append(breakagesOf(link),
		breakage{"stopped", server.Pause, server.Continue},
		breakage{"killed", server.Kill, server.Restart})
	for _, o := range faults {
		t.Run(o.name, func(t *testing.T) {
			waitFor(t, "warm caches", func() bool { return hear(f) })
			warm(t, f, b)
			o.begin()
			inParallel(len(f.Gateways), func(i int) { wantStoreOutage(t, b, i) })
			o.mend()
			wantRecovery(t, f, b)
			if b.Cookie() != cookie {
				t.Error("the cookie was touched")
			}
		})
	}
	t.Run("slow", func(t *testing.T) {
		link.Slow(300)
		inParallel(30, func(i int) {
			if a := get(t, b, i%3); a.Status != http.StatusOK {
				t.Errorf("instance %d answers %d: %s", i%3, a.Status, a.Body)
			}
		})
	})
}

// hear reports whether every instance hears of changes, and so uses its cache.
func hear(f *Fleet) bool {
	for _, g := range f.Gateways {
		if g.Metric("gatehouse_session_changes_heard") != 1 {
			return false
		}
	}
	return true
}

// wantStoreOutage wants an instance to serve from its cache, no later than a
// second from now, and then to say that it cannot know.
func wantStoreOutage(t *testing.T, b *Browser, instance int) {
	began := time.Now()
	for {
		asked := time.Now()
		a := get(t, b, instance)
		if a.Status != http.StatusOK {
			wantOutage(t, a, "store_unavailable")
			return
		}
		if age := asked.Sub(began); age > time.Second {
			t.Errorf("instance %d served a call that came %v into the outage", instance, age)
			return
		}
	}
}
