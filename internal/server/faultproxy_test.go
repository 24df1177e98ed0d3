package server_test

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/freeport"
)

// fault is a way in which a dependency fails.
type fault string

const (
	healthy   fault = ""
	away      fault = "away"      // connections are refused
	slow      fault = "slow"      // connections stand, and nobody answers until it heals
	resetting fault = "resetting" // connections are reset by the first request
	halfOpen  fault = "half_open" // answers begin, never end, and no end of the connection is seen
	garbage   fault = "garbage"   // answers are not of the protocol
)

var faults = []fault{away, slow, resetting, halfOpen, garbage}

// faultProxy passes TCP on, until it is told to fail.
type faultProxy struct {
	t       testing.TB
	address string // host:port
	target  string
	// only, if set, is what a request that is struck begins with. Such a proxy
	// stands before others' endpoints too, so it cannot refuse connections: being
	// away then means to close them without an answer.
	only string
	// begun is how a proper answer would begin.
	begun string

	struck atomic.Bool // a request met the fault

	mu       sync.Mutex
	mode     fault
	healed   chan struct{} // closed at the fault's end
	listener net.Listener
	open     map[net.Conn]struct{}
}

const notAProtocol = "\x15\x03\x00 no answer of any protocol\r\n\r\n"

// proxyTo starts a proxy to host:port, which ends with the test.
func proxyTo(t testing.TB, target, begun string) *faultProxy {
	t.Helper()
	p := &faultProxy{t: t, address: freeport.Addr(t), target: target, begun: begun, healed: make(chan struct{}), open: make(map[net.Conn]struct{})}
	p.listen()
	t.Cleanup(func() {
		p.set(healthy)
		p.mu.Lock()
		defer p.mu.Unlock()
		_ = p.listener.Close()
		p.reset()
	})
	return p
}

func (p *faultProxy) listen() {
	l, err := net.Listen("tcp", p.address)
	if err != nil {
		p.t.Errorf("open the fault proxy: %v", err)
		return
	}
	p.listener = l
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
}

// set begins a fault, or ends it.
func (p *faultProxy) set(mode fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.mode
	if p.mode = mode; mode == healthy {
		if was == away && p.only == "" {
			p.listen()
		}
		if was != healthy {
			close(p.healed)
		}
		return
	}
	p.healed = make(chan struct{})
	if mode == away && p.only == "" {
		_ = p.listener.Close()
		p.reset()
	}
}

// reset drops every connection. Call with mu held.
func (p *faultProxy) reset() {
	for conn := range p.open {
		drop(conn)
	}
}

// drop closes a connection with a RST.
func drop(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// now is the fault that strikes a request, and when it heals.
func (p *faultProxy) now(request []byte) (fault, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.only != "" && !bytes.HasPrefix(request, []byte(p.only)) {
		return healthy, p.healed
	}
	return p.mode, p.healed
}

func (p *faultProxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		drop(client)
		return
	}
	p.mu.Lock()
	p.open[client] = struct{}{}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.open, client)
		p.mu.Unlock()
		_ = client.Close()
		_ = server.Close()
	}()
	go p.answers(client, server)
	p.requests(client, server)
}

// requests passes requests on, and is where faults strike.
func (p *faultProxy) requests(client, server net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		mode, healed := p.now(buf[:n])
		if mode != healthy {
			p.struck.Store(true)
		}
		switch mode {
		case slow:
			<-healed
		case away, resetting:
			drop(client)
			return
		case garbage:
			_, _ = client.Write([]byte(notAProtocol))
			return
		case halfOpen:
			_, _ = client.Write([]byte(p.begun))
			for err == nil { // for good: healing brings no lost connection back
				_, err = client.Read(buf)
			}
			return
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// answers passes answers on; those under way when a fault begins wait for its end.
func (p *faultProxy) answers(client, server net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			_ = client.Close()
			return
		}
		if mode, healed := p.now(nil); mode != healthy {
			<-healed
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}
