package proxy_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// A restart of an upstream ends all connections that it kept, whatever is on its way
// over them. Its port stays open, as a supervisor or SO_REUSEPORT keep it.
func TestRelay_loses_nothing_to_restarts_of_an_upstream(t *testing.T) {
	for _, transport := range transports {
		t.Run(string(transport), func(t *testing.T) {
			const restarts, between = 10, 300
			up := newRestarted(t)
			f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up.url), StandardTransport: transport.standard()})
			var asked atomic.Int64
			var all sync.WaitGroup
			for range clients {
				all.Go(func() {
					c := &client{t: t, address: f.Listener.Addr().String()}
					defer c.leave()
					for n := asked.Add(1); n <= restarts*between; n = asked.Add(1) {
						if n%between == 0 {
							up.restart()
						}
						up.check(c, n)
					}
				})
			}
			all.Wait()
			if up.ended == 0 {
				t.Error("no restart has ended a connection: this shows nothing")
			}
			if t.Failed() {
				t.Logf("what went wrong, POSTs included: %v", errors.Join(f.errs...))
			}
		})
	}
}

// restarted is an upstream that can be restarted, and counts what it is asked.
type restarted struct {
	url *url.URL

	mu    sync.Mutex
	seen  map[nonce]int
	kept  map[net.Conn]bool // those that wait for another request
	ended int               // of them, by restarts
}

func newRestarted(t *testing.T) *restarted {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	u := &restarted{url: parse(t, "http://"+ln.Addr().String()), seen: make(map[nonce]int), kept: make(map[net.Conn]bool)}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go u.serve(conn)
		}
	}()
	return u
}

func (u *restarted) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		u.note(conn, r)
		if _, err := io.WriteString(conn, answerOf("ok")); err != nil {
			return
		}
		u.keep(conn)
	}
}

// note counts a request, be it answered or not.
func (u *restarted) note(conn net.Conn, r *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.seen[nonce(r.Header.Get("X-Nonce"))]++
	delete(u.kept, conn)
}

func (u *restarted) keep(conn net.Conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.kept[conn] = true
}

// restart ends the connections that are kept. Requests may have come over them
// meanwhile: those are lost.
func (u *restarted) restart() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for conn := range u.kept {
		_ = conn.Close()
	}
	u.ended += len(u.kept)
	clear(u.kept)
}

// check asks the n-th request. What may be asked twice is answered; the rest is never
// asked twice.
func (u *restarted) check(c *client, n int64) {
	d := deed{how: honest, framing: length, n: newNonce(), method: http.MethodGet}
	switch n % 6 {
	case 0, 1:
		d.method, d.body = http.MethodPost, 100
	case 2:
		d.method = http.MethodHead
	}
	got := c.exchange(d)
	u.mu.Lock()
	times := u.seen[d.n]
	u.mu.Unlock()
	switch {
	case d.method != http.MethodPost && got.status != http.StatusOK:
		c.t.Errorf("a %s was answered with %d", d.method, got.status)
	case d.method == http.MethodPost && (times > 1 || got.status == http.StatusOK && times != 1):
		c.t.Errorf("a POST was sent %d times and answered with %d", times, got.status)
	}
}
