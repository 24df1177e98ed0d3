package fleet

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
)

// TestStreamsEndAcrossTheFleet: what is open at one instance ends when its session is
// ended at another.
func TestStreamsEndAcrossTheFleet(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	f := Start(t, Options{Pool: StartPool(t, PoolOptions{}), Store: at(server.URL)})
	waitFor(t, "caches in use", func() bool { return hear(f) })
	const rounds = logouts / 2
	var took []time.Duration
	for n := range rounds {
		if n%4 == 3 { // in the gap that this makes nobody is told anything
			if err := server.Client().Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub").Err(); err != nil {
				t.Fatal(err)
			}
		}
		took = append(took, endsOfStreams(t, f, n%3, (n+1)%3)...)
	}
	slices.Sort(took)
	p50, p99, most := took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	t.Logf("%d logouts, %d streams elsewhere ended after p50 %v, p99 %v, at most %v", rounds, len(took), p50, p99, most)
	if soak && p99 > staleness {
		t.Errorf("99 of 100 streams end after %v, want %v at most", p99, staleness)
	}
}

// endsOfStreams signs in, opens one stream of each kind at an instance, signs out at
// another, and returns how long after that's answer each had ended.
func endsOfStreams(t *testing.T, f *Fleet, open, end int) (took []time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), lastResort)
	defer cancel()
	b := f.SignIn(end)
	var mu sync.Mutex
	var all, opened sync.WaitGroup
	var answered time.Time
	for _, path := range []string{eventsPath, downloadPath, socketPath} {
		s, err := b.Open(ctx, open, path)
		if err != nil {
			t.Fatal(err)
		}
		opened.Add(1)
		all.Go(func() {
			opened.Done()
			rest, err := s.Rest()
			mu.Lock()
			defer mu.Unlock()
			if told := strings.HasSuffix(rest, "\x03\xf0the session has ended"); err != nil || told != (path == socketPath) || ctx.Err() != nil {
				t.Errorf("%s ends with %.100q, %v", path, rest, err)
			}
			took = append(took, max(0, time.Since(answered)))
		})
	}
	opened.Wait()
	mu.Lock()
	if a, err := b.Post(t.Context(), end, "/auth/logout", "{}"); err != nil || a.Status != http.StatusOK {
		t.Errorf("logout: %d %s, %v", a.Status, a.Body, err)
	}
	answered = time.Now()
	mu.Unlock()
	all.Wait()
	return took
}

// TestStreamsOutlastAnOutage: no outage of the store ends a stream, and an end that came
// with it does as soon as the instance can know.
func TestStreamsOutlastAnOutage(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	links := []*Link{NewLink(t, server.Addr), NewLink(t, server.Addr)}
	f := Start(t, Options{
		Instances: 2, Pool: StartPool(t, PoolOptions{}), Store: func(i int) string { return "redis://" + links[i].Addr },
	})
	for _, o := range breakagesOf(links[1]) {
		t.Run(o.name, func(t *testing.T) {
			waitFor(t, "caches in use", func() bool { return hear(f) })
			kept, ended := f.SignIn(0), f.SignIn(0)
			lives, err := kept.Open(t.Context(), 1, eventsPath)
			if err != nil {
				t.Fatal(err)
			}
			ends, err := ended.Open(t.Context(), 1, eventsPath)
			if err != nil {
				t.Fatal(err)
			}
			over := make(chan string, 2)
			go func() { _, _ = lives.Rest(); over <- "kept" }()
			go func() { _, _ = ends.Rest(); over <- "ended" }()
			o.begin()
			if a, err := ended.Post(t.Context(), 0, "/auth/logout", "{}"); err != nil || a.Status != http.StatusOK {
				t.Errorf("logout: %d %s, %v", a.Status, a.Body, err)
			}
			waitUntil(time.Now().Add(3 * time.Second)) // longer than the store may take to answer
			select {
			case which := <-over:
				t.Errorf("the %s stream is over while nobody can say", which)
			default:
			}
			o.mend()
			if which := <-over; which != "ended" {
				t.Errorf("the %s stream is over first", which)
			}
			lives.Close()
			<-over
		})
	}
}
