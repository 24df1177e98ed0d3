// Package peek tells whether a kept connection is open and silent, without waiting.
//
// The one invariant: what it calls quiet had nothing to say at that moment. What is
// still on its way nobody sees.
package peek

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
)

// Peeker looks at one connection. Nobody may read from that meanwhile.
type Peeker struct {
	socket  socket
	tls     *tls.Conn // nil if there is none
	records *Records  // that it runs over

	begin [len("HTTP/1.1 408")]byte // of what looks have taken, which belongs to no answer
	taken int
}

// New returns a peeker of the connection: a socket, or TLS over [Records]. Any other
// is never quiet.
func New(conn net.Conn) *Peeker {
	p := &Peeker{}
	if encrypted, ok := conn.(*tls.Conn); ok {
		p.tls = encrypted
		p.records, _ = encrypted.NetConn().(*Records)
		return p
	}
	p.socket = socketOf(conn)
	return p
}

// Quiet reports whether the connection is open and nothing has come on it. It is one
// system call, and allocates nothing but under TLS.
func (p *Peeker) Quiet() bool {
	if p.tls == nil {
		return p.taken == 0 && p.socket.look() == nothing
	}
	if p.taken == 0 && p.records != nil {
		// What has come may be a ticket for the next handshake, and no data.
		n, err := p.read(p.begin[:])
		p.taken = n
		return n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && p.records.between()
	}
	return false
}

// Wait waits until something has come, or the connection has ended, and holds no memory
// for it meanwhile. A deadline for reading ends it too: what has happened the next read
// tells. But a broken connection says so once, and looks properly ended afterwards: that
// error is returned. Wait returns at once where it cannot wait, as under TLS something may
// have come that was not read yet.
func (p *Peeker) Wait() error {
	if p.tls != nil {
		return nil
	}
	return p.socket.wait()
}

// Excess reports whether a connection that is not quiet has bytes of no answer. Under
// TLS it takes some. An upstream that says 408 before it closes an idle connection is within
// its rights (RFC 9110 §15.5.9).
func (p *Peeker) Excess() bool {
	if p.taken == 0 {
		p.taken, _ = p.read(p.begin[:])
	}
	said := string(p.begin[:p.taken])
	return p.taken > 0 && !(strings.HasPrefix(said, "HTTP/1.") && strings.HasSuffix(said, " 408"))
}

// read reads what is there: through TLS, or else without taking it.
func (p *Peeker) read(into []byte) (int, error) {
	switch {
	case p.tls == nil:
		return p.socket.peek(into)
	case p.records == nil:
		return 0, errors.ErrUnsupported
	}
	p.records.there = true
	defer func() { p.records.there = false }()
	return p.tls.Read(into)
}

// sight is what a look has found.
type sight int

const (
	nothing   sight = iota // the connection is open, and no byte has come
	something              // bytes have come
	ended                  // the other side has closed it, or it is broken
)

// socketOf returns the socket of the connection. One that has none has ended.
func socketOf(conn net.Conn) (s socket) {
	if c, ok := conn.(syscall.Conn); ok {
		s.raw, _ = c.SyscallConn()
	}
	return s
}
