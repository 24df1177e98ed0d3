// Package peek tells whether a kept connection is open and silent, without waiting.
//
// The one invariant: what it calls quiet had nothing to say at that moment. What is
// still on its way nobody sees.
package peek

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"syscall"
	"time"
)

// Peeker looks at one connection. Nobody may read from that meanwhile.
type Peeker struct {
	conn   net.Conn
	tls    bool
	socket socket
	dirty  bool // a look has taken bytes that belong to no answer
}

// New returns a peeker of the connection, which may be of TLS. One that is not of a
// socket is never quiet.
func New(conn net.Conn) *Peeker {
	p := &Peeker{conn: conn}
	if encrypted, ok := conn.(*tls.Conn); ok {
		p.tls = true
		conn = encrypted.NetConn()
	}
	if c, ok := conn.(syscall.Conn); ok {
		p.socket.raw, _ = c.SyscallConn()
	}
	return p
}

// sight is what a look has found.
type sight int

const (
	nothing   sight = iota // the connection is open, and no byte has come
	something              // bytes have come
	ended                  // the other side has closed it, or it is broken
)

// Quiet reports whether the connection is open and nothing has come on it. It is one
// system call, and allocates nothing.
func (p *Peeker) Quiet() bool {
	if p.dirty || p.tls && !p.quietTLS(longAgo) {
		return false
	}
	switch p.socket.look() {
	case nothing:
		return true
	case something:
		// Under TLS it may be a ticket for the next handshake, and no data.
		return p.tls && p.quietTLS(time.Now().Add(time.Millisecond)) && p.socket.look() == nothing
	}
	return false
}

var longAgo = time.Unix(1, 0)

// quietTLS reports whether TLS has no data, of all that comes until the deadline. One
// in the past has it look only at what it has read already.
func (p *Peeker) quietTLS(deadline time.Time) bool {
	var one [1]byte
	_ = p.conn.SetReadDeadline(deadline)
	n, err := p.conn.Read(one[:])
	_ = p.conn.SetReadDeadline(time.Time{})
	p.dirty = n > 0
	var late net.Error
	return n == 0 && errors.As(err, &late) && late.Timeout()
}

// Excess reports whether a connection that is not quiet has bytes of no answer. It
// takes some. An upstream that says 408 before it closes an idle connection is within
// its rights (RFC 9110 §15.5.9).
func (p *Peeker) Excess() bool {
	if p.dirty {
		return true
	}
	var begin [len("HTTP/1.1 408")]byte
	_ = p.conn.SetReadDeadline(time.Now().Add(time.Millisecond)) // it is there already
	n, _ := p.conn.Read(begin[:])
	said := string(begin[:n])
	return n > 0 && !(strings.HasPrefix(said, "HTTP/1.") && strings.HasSuffix(said, " 408"))
}
