package connpool

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/http1"
	"github.com/gatehouse-auth/gatehouse/internal/peek"
)

// conn is a connection to the upstream. Whoever has taken it is the only one to
// touch it; only close may come from elsewhere.
type conn struct {
	net.Conn
	reader *http1.Reader
	look   *peek.Peeker

	born       time.Time
	life       time.Duration
	idle       time.Duration // how long it may be unused
	uses, most int
	usedAt     time.Time
	restsUntil time.Time
	kept       bool // it was given back, and may have ended since
	stream     bool // it is out of the pool's bound, under the pool's lock

	open   *atomic.Int64 // counts the connections that are
	closed atomic.Bool
}

// newConn takes over a connection.
func newConn(nc net.Conn, idle time.Duration, open *atomic.Int64) *conn {
	now := time.Now().Round(0)
	c := &conn{
		Conn: nc, open: open, reader: http1.NewReader(nc), look: peek.New(nc), born: now, usedAt: now, idle: idle, most: maxUses,
		life: maxAge/2 + rand.N(maxAge/2), //nolint:gosec // spreads ends, guards nothing
	}
	open.Add(1)
	return c
}

// close closes it, for a second time too.
func (c *conn) close() {
	if c.closed.CompareAndSwap(false, true) {
		c.open.Add(-1)
		_ = c.Conn.Close()
	}
}

// spent reports whether it has served, or waited, for long enough. Time is that of
// the wall clock, as of a machine that slept its peers know nothing any more.
func (c *conn) spent(now time.Time) bool {
	now = now.Round(0)
	return c.uses >= c.most || now.Sub(c.born) >= c.life || now.Sub(c.usedAt) >= c.idle
}

// quiet reports whether the connection is open and nothing has come on it: whether it
// may carry the next request.
func (c *conn) quiet() bool {
	return !c.closed.Load() && c.reader.Buffered() == 0 && c.look.Quiet()
}

// excess reports whether a connection that is not quiet has bytes that belong to no
// answer.
func (c *conn) excess() bool {
	return !c.closed.Load() && (c.reader.Buffered() > 0 || c.look.Excess())
}

// parting returns what a connection that has ended says about it. Under TLS that may be an
// alert: with version 1.3 it is only behind the handshake that a client's certificate is
// refused (RFC 8446 §4.4.2).
func (c *conn) parting() error {
	_ = c.SetReadDeadline(time.Now().Add(overtaken)) // it is there, unless it never comes
	var alert *net.OpError
	if _, err := c.Read(make([]byte, 1)); errors.As(err, &alert) && alert.Op == "remote error" {
		return err
	}
	return io.EOF
}

// connect makes a connection. An upstream that has answered lately and refuses
// connections now is likely being restarted, and is waited for a moment.
func (p *Pool) connect() (*conn, error) {
	for wait := restartFirst; ; wait *= 2 {
		nc, err := p.o.Dial(context.Background())
		if err == nil {
			p.count.Dialed.Add(1)
			return newConn(nc, p.o.Idle, &p.count.Open), nil
		}
		lately := time.Since(time.Unix(0, p.lastGood.Load())) < restartLately
		if !errors.Is(err, syscall.ECONNREFUSED) || !lately || p.o.Elsewhere || wait > restartLast {
			p.count.Failed.Add(1)
			return nil, &Unanswered{Err: err}
		}
		time.Sleep(wait)
	}
}

// A restart that is bridged: four more tries within 750 ms.
const (
	restartFirst  = 50 * time.Millisecond
	restartLast   = 400 * time.Millisecond
	restartLately = 10 * time.Second
)
