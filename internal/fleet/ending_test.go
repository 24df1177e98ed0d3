package fleet

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
)

// staleness is the promise of docs/sessions.md: a session that was ended anywhere
// is served nowhere this long after the answer.
const staleness = time.Second

func TestLogoutRefusesEverywhere(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	f := Start(t, Options{Pool: StartPool(t, PoolOptions{}), Store: at(server.URL)})
	waitFor(t, "caches in use", func() bool { return hear(f) })
	var took []time.Duration
	for n := range logouts {
		b := f.SignIn(n % 3)
		warm(t, f, b)
		for _, r := range refusals(t, f, b, n%3) {
			took = append(took, r.first)
		}
	}
	slices.Sort(took)
	p50, p99, most := took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	t.Logf("%d logouts, refused elsewhere after p50 %v, p99 %v, at most %v", logouts, p50, p99, most)
	if soak && p99 > 100*time.Millisecond {
		t.Errorf("99 of 100 logouts are refused elsewhere after %v, want 100ms at most", p99)
	}
}

// refusal is what came of a cookie at another instance than that of its logout:
// when the last call that was served was sent, and the first refusal had
// arrived, since the logout's answer.
type refusal struct{ served, first time.Duration }

// refusals signs b out at an instance and replays its cookie at all others. A
// call that was sent later than the bound must not be served.
func refusals(t *testing.T, f *Fleet, b *Browser, instance int) (all []refusal) {
	t.Helper()
	replay := f.With(b.Cookie())
	if a, err := b.Post(t.Context(), instance, "/auth/logout", "{}"); err != nil || a.Status != http.StatusOK {
		t.Fatalf("logout: %d %s, %v", a.Status, a.Body, err)
	}
	answered := time.Now()
	var mu sync.Mutex
	inParallel(len(f.Gateways), func(i int) {
		if i == instance {
			if a := get(t, replay, i); a.Status != http.StatusUnauthorized {
				t.Errorf("instance %d answers %d after the logout there", i, a.Status)
			}
			return
		}
		for r := (refusal{}); ; {
			asked := time.Since(answered)
			if a := get(t, replay, i); a.Status != http.StatusOK {
				r.first = time.Since(answered)
				mu.Lock()
				defer mu.Unlock()
				all = append(all, r)
				return
			}
			if r.served = asked; asked > staleness {
				t.Errorf("instance %d serves a call that came %v after the logout", i, asked)
				return
			}
		}
	})
	return all
}

func TestLogoutWithTheSubscriptionCut(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	links := []*Link{NewLink(t, server.Addr), NewLink(t, server.Addr), NewLink(t, server.Addr)}
	f := Start(t, Options{Pool: StartPool(t, PoolOptions{}), Store: func(i int) string { return "redis://" + links[i].Addr }})
	deaf := links[2]
	unsubscribe := func() {
		if err := server.Client().Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub").Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range append(breakagesOf(deaf),
		breakage{"answers_swallowed", deaf.SwallowAnswers, deaf.Mend},
		breakage{"late_by_200ms", func() { deaf.Slow(200) }, deaf.Mend},
		breakage{"late_by_900ms", func() { deaf.Slow(900) }, deaf.Mend},
		breakage{"killed_by_the_server", unsubscribe, func() {}},
	) {
		t.Run(o.name, func(t *testing.T) {
			waitFor(t, "caches in use", func() bool { return hear(f) })
			b := f.SignIn(0)
			warm(t, f, b)
			o.begin()
			defer o.mend()
			for _, r := range refusals(t, f, b, 0) {
				t.Logf("served up to %v after the logout, refused after %v", r.served, r.first)
			}
		})
	}
}
