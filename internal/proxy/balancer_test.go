package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// among returns a balancer of upstreams of these weights, to which nobody connects.
func among(t *testing.T, check routing.HealthCheck, weights ...int) *balancer {
	t.Helper()
	route := &routing.Route{HealthCheck: check}
	for i, weight := range weights {
		route.Upstreams = append(route.Upstreams, routing.Upstream{URL: &url.URL{Scheme: "http", Host: fmt.Sprintf("upstream-%d", i)}, Weight: weight})
	}
	b, err := (&reverseProxy{known: &Upstreams{}}).newBalancer(route)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// shares counts where n requests go, each of which is over before the next.
func shares(b *balancer, n int) []int {
	counts := make([]int, len(b.all))
	for range n {
		at, _ := b.choose(0)
		counts[at]++
	}
	return counts
}

func TestBalancer_spreads_by_weight(t *testing.T) {
	const n = 70_000
	for i, got := range shares(among(t, routing.HealthCheck{}, 1, 2, 4), n) {
		if want := n / 7 << i; got < want*9/10 || got > want*11/10 { // some ten standard deviations
			t.Errorf("%d: %d of %d requests, want about %d", i, got, n, want)
		}
	}
}

// Of requests that last, each upstream gets as many as its weight says, however slow it is.
func TestBalancer_goes_where_there_is_less_to_do(t *testing.T) {
	b := among(t, routing.HealthCheck{}, 1, 1, 2)
	for range 4000 {
		at, _ := b.choose(0)
		b.all[at].ways.health.pending.Add(1)
	}
	for i, want := range []int64{1000, 1000, 2000} {
		if got := b.all[i].ways.health.pending.Load(); got < want*9/10 || got > want*11/10 {
			t.Errorf("%d: has %d requests, want about %d", i, got, want)
		}
	}
	b = among(t, routing.HealthCheck{}, 1, 1)
	b.all[0].ways.health.pending.Add(1)
	if got := shares(b, 1000); got[0] != 0 {
		t.Errorf("the busier of two got %d of 1000", got[0])
	}
}

func TestBalancer_never_tries_one_twice(t *testing.T) {
	b := among(t, routing.HealthCheck{}, 1, 1, 1)
	strike(b.all[1])
	for range 100 {
		var tried places
		for range b.all {
			at, ok := b.choose(tried)
			if !ok || tried.has(at) {
				t.Fatalf("after %b: %d, %v", tried, at, ok)
			}
			if at == 1 && tried != 0b101 {
				t.Fatal("one that is out is tried before those that are not")
			}
			tried |= 1 << at
		}
		if at, ok := b.choose(tried); ok {
			t.Fatalf("%d is tried twice", at)
		}
	}
}

// strike lets requests to an upstream fail until it is out.
func strike(up *upstream) {
	for range mostStrikes {
		up.ways.health.failed(io.EOF)
	}
}

func TestBalancer_never_takes_the_last_one_out(t *testing.T) {
	b := among(t, routing.HealthCheck{}, 1, 1)
	strike(b.all[0])
	if got := shares(b, 1000); got[0] != 0 {
		t.Errorf("one that is out got %d of 1000", got[0])
	}
	strike(b.all[1])
	if got := shares(b, 1000); got[0] == 0 || got[1] == 0 {
		t.Errorf("with all of them out they got %d of 1000", got)
	}
}

func TestHealth_counts_failures_in_a_row(t *testing.T) {
	h := among(t, routing.HealthCheck{}, 1, 1).all[0].ways.health
	for range 10 {
		for range mostStrikes - 1 {
			h.failed(io.EOF)
		}
		if h.out() {
			t.Fatal("out after fewer failures than it takes")
		}
		h.succeeded()
	}
	for range mostStrikes {
		h.failed(io.EOF)
	}
	if !h.out() {
		t.Error("not out")
	}
}

// An upstream without a check is tried by one request at a time, less and less often.
func TestHealth_tries_what_is_out(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := among(t, routing.HealthCheck{}, 1, 1)
		strike(b.all[0])
		h := b.all[0].ways.health
		out := time.Now()
		for _, most := range []time.Duration{1, 2, 4, 8, 16, 16} {
			most *= time.Second
			for shares(b, 64)[0] == 0 {
				time.Sleep(10 * time.Millisecond)
			}
			if took := time.Since(out); took < most*3/4 || took > most+100*time.Millisecond {
				t.Errorf("tried after %v, want up to %v", took, most)
			}
			if got := shares(b, 64)[0]; got != 0 {
				t.Errorf("%d more requests are on trial", got)
			}
			out = time.Now()
			h.failed(io.EOF)
		}
		for shares(b, 64)[0] == 0 {
			time.Sleep(10 * time.Millisecond)
		}
		h.succeeded()
		if got := shares(b, 1000)[0]; got < 400 {
			t.Errorf("after a trial that went well it got %d of 1000", got)
		}
		strike(b.all[0])
		time.Sleep(firstPause)
		if shares(b, 64)[0] != 1 {
			t.Error("what went well has not shortened the pause")
		}
	})
}

func TestHealth_heeds_its_check_alone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rise, fall = 3, 2
		b := among(t, routing.HealthCheck{Path: "/healthz", Rise: rise, Fall: fall}, 1, 1)
		h := b.all[0].ways.health
		bad := errors.New("bad")
		pass := func(want bool, step string, errs ...error) {
			t.Helper()
			for _, err := range errs {
				h.checked(err)
			}
			if h.out() == want {
				t.Errorf("%s: in is %v", step, !want)
			}
		}
		pass(true, "many passed", nil, nil, nil, nil)
		pass(true, "one failed", bad)
		pass(true, "two failed, not in a row", nil, bad)
		pass(false, "two failed in a row", bad)
		h.succeeded()
		pass(false, "a request that began before was answered")
		time.Sleep(time.Hour)
		pass(false, "an hour has passed")
		pass(false, "two passed", nil, nil)
		pass(false, "one failed between them", bad, nil, nil)
		pass(true, "three passed", nil)
		strike(b.all[0])
		pass(false, "requests failed")
		pass(false, "what it passed before counts for nothing", nil, nil)
		pass(true, "three passed since", nil)
		if n := h.figures.changes.Load(); n != 4 {
			t.Errorf("changed %d times, want 4", n)
		}
	})
}

// TestWays_heed_their_check: an upstream that is ill is out after as many checks as that
// takes, and back after one interval, whatever it was that ailed it.
func TestWays_heed_their_check(t *testing.T) {
	const interval, timeout, fall = 5 * time.Second, time.Second, 2
	for ill, answer := range map[string]string{
		"refuses connections": "",
		"says nothing":        "nothing",
		"says no HTTP":        "no HTTP\r\n",
		"client's error":      "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
		"its own error":       "HTTP/1.1 599 None\r\nContent-Length: 0\r\n\r\n",
	} {
		for _, well := range []string{"200 OK", "204 No Content", "302 Found\r\nLocation: /elsewhere", "399 Odd"} {
			t.Run(ill+", then "+well[:3], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					known := &Upstreams{}
					route := &routing.Route{HealthCheck: routing.HealthCheck{Path: "/healthz", Interval: interval, Timeout: timeout, Rise: 1, Fall: fall}}
					w := waysTo(known, route, &url.URL{Scheme: "http", Host: "a"})
					var says atomic.Value
					says.Store("HTTP/1.1 " + well + "\r\n\r\n")
					w.transports().fresh.DialContext = func(context.Context, string, string) (net.Conn, error) {
						if says.Load() == "" {
							return nil, syscall.ECONNREFUSED
						}
						return answers(says.Load().(string)), nil
					}
					ctx, stop := context.WithCancel(t.Context())
					done := make(chan struct{})
					go func() { known.Run(ctx); close(done) }()
					time.Sleep(10 * interval)
					if h := w.health; h.out() || h.figures.changes.Load() != 0 {
						t.Error("out while it is well")
					}
					says.Store(answer)
					time.Sleep(fall * (interval + timeout))
					if !w.health.out() {
						t.Error("not out while it is ill")
					}
					says.Store("HTTP/1.1 " + well + "\r\n\r\n")
					time.Sleep(interval + timeout) // that of a check under way
					if w.health.out() {
						t.Error("not back")
					}
					stop()
					<-done
				})
			})
		}
	}
}

// answers returns a connection over which one request is answered so.
func answers(says string) net.Conn {
	ours, theirs := net.Pipe()
	go func() {
		defer func() { _ = theirs.Close() }()
		if _, err := http.ReadRequest(bufio.NewReader(theirs)); err != nil {
			return
		}
		if says == "nothing" {
			_, _ = theirs.Read(make([]byte, 1)) // until the other side leaves
			return
		}
		_, _ = io.WriteString(theirs, says)
	}()
	return ours
}

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &budget{}
		spent := func() (n int) {
			for b.spend(time.Now()) {
				n++
			}
			return n
		}
		count := func(n int) {
			for range n {
				b.count(time.Now())
			}
		}
		want := func(step string, want int) {
			t.Helper()
			if got := spent(); got != want {
				t.Errorf("%s: %d tries, want %d", step, got, want)
			}
		}
		time.Sleep(budgetWindow - time.Duration(time.Now().UnixNano()%int64(budgetWindow)))
		want("without requests", budgetFew)
		count(1000)
		want("a thousand requests", 200)
		time.Sleep(budgetWindow)
		want("a window after a thousand requests", budgetFew+200)
		count(100)
		want("a hundred more", 0)
		time.Sleep(budgetWindow)
		want("a window after a hundred", budgetFew+20)
		time.Sleep(10 * budgetWindow)
		want("long after", budgetFew)
	})
}
