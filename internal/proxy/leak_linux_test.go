package proxy_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// Whatever clients and upstreams do to each other, nothing of it stays.
func TestRelay_leaves_nothing_behind(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		for _, transport := range transports {
			t.Run(scheme+"_"+string(transport), func(t *testing.T) {
				closedPort(t) // the runtime's own descriptors come with the first connection
				before := holdings(t)
				t.Run("storm", func(t *testing.T) {
					up := newWicked(t, scheme)
					f := newFront(t, proxy.Options{}.WithUpstreamTLS(up.clientTLS), routing.Route{Path: "/", Upstreams: routing.To(up.url), StandardTransport: transport.standard()},
						routing.Route{Path: "/silent/", Upstreams: routing.To(up.url), Timeout: 10 * time.Millisecond, StandardTransport: transport.standard()})
					storm := &storm{up: up, address: f.Listener.Addr().String(), draw: func() deed {
						d := draw()
						if d.how != honest {
							d.how, d.leaves = pick(excess, busy, broken, silent), rand.IntN(2) == 0
						}
						return d
					}}
					storm.run(t, 400)
				})
				waitFor(t, "goroutines and descriptors are let go of", func() bool {
					now := holdings(t)
					return now.goroutines <= before.goroutines && now.descriptors <= before.descriptors
				}, func() string {
					var text bytes.Buffer
					_ = pprof.Lookup("goroutine").WriteTo(&text, 1)
					return text.String()
				})
			})
		}
	}
}

// holding is what a process has in use.
type holding struct{ goroutines, descriptors int }

func holdings(t *testing.T) holding {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return holding{runtime.NumGoroutine(), len(open)}
}

// waitFor waits until the condition holds, and fails with what the tale says if it
// never does.
func waitFor(t *testing.T, what string, holds func() bool, tale func() string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("wait until %s: %s", what, tale())
		}
	}
}
