package redistest

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy passes connections on to a server without TLS. It can let the
// subscriptions among them go deaf without closing them, as a firewall does, and
// lose an answer.
type Proxy struct {
	// URL is the server's, with the proxy's address.
	URL string

	to   string
	deaf atomic.Bool

	mu    sync.Mutex
	conns []net.Conn
	lose  string // what the command says whose answer is lost; empty: none
	count string // what is counted in commands; empty: nothing
	seen  int
}

// StartProxy starts a proxy that ends with the test.
func StartProxy(t testing.TB, server *Server) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen for a proxy: %v", err)
	}
	p := &Proxy{URL: strings.Replace(server.URL, server.Addr, l.Addr().String(), 1), to: server.Addr}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { p.pass(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.closeAll()
		running.Wait()
	})
	return p
}

// Deafen lets every subscription, also one that is yet to come, hear nothing any
// more; with false those that come from now on hear again.
func (p *Proxy) Deafen(deaf bool) { p.deaf.Store(deaf) }

// LoseAnswer lets the server carry out the next command that says text, and
// closes the connection in the place of its answer.
func (p *Proxy) LoseAnswer(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose = text
}

func (p *Proxy) loses(command []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	lost := p.lose != "" && bytes.Contains(command, []byte(p.lose))
	if lost {
		p.lose = ""
	}
	return lost
}

// Count has the proxy count how often commands say text, from now on.
func (p *Proxy) Count(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count, p.seen = text, 0
}

// Counted is how often they did.
func (p *Proxy) Counted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

// note counts in what went to the server, and returns the end of it, in which a
// text may have begun that what follows completes.
func (p *Proxy) note(sent []byte) (end []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count == "" {
		return nil
	}
	p.seen += bytes.Count(sent, []byte(p.count))
	return bytes.Clone(sent[max(0, len(sent)-len(p.count)+1):])
}

func (p *Proxy) pass(client net.Conn) {
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.conns = append(p.conns, client, server)
	p.mu.Unlock()
	var subscribed, deaf, lost atomic.Bool
	var running sync.WaitGroup
	running.Go(func() {
		var end []byte
		relay(server, client, func(b []byte) bool {
			end = p.note(append(end, b...))
			if bytes.Contains(b, []byte("subscribe\r\n")) {
				subscribed.Store(true)
			}
			if p.loses(b) {
				lost.Store(true)
			}
			return true
		})
	})
	relay(client, server, func([]byte) bool {
		if subscribed.Load() && p.deaf.Load() {
			deaf.Store(true)
		}
		if lost.Load() {
			_ = client.Close()
			_ = server.Close()
			return false
		}
		return !deaf.Load()
	})
	running.Wait()
}

// relay copies what may pass, until one side closes, and closes the other.
func relay(to, from net.Conn, passes func([]byte) bool) {
	defer func() { _ = to.Close() }()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 && passes(b[:n]) {
			if _, err := to.Write(b[:n]); err != nil {
				_, _ = io.Copy(io.Discard, from)
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *Proxy) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
}
