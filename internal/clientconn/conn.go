package clientconn

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is a client's connection.
type Conn struct {
	net.Conn
	room *Room

	// Since when the client is waited for, in Unix nanoseconds; 0: it is not. It is waited
	// for to send a request, and to take what was written to the connection.
	idle, writing atomic.Int64
	// And to send the rest of a request, or to take what was written to a stream: of those
	// HTTP/2 has several at once.
	bodies, streams waits

	deadline atomic.Int64 // of writes, as it was set; in Unix nanoseconds, 0 for none
}

// Idle notes that the next request is waited for. A nil Conn is nobody's, here and below.
func (c *Conn) Idle() {
	if c != nil {
		c.idle.Store(time.Now().UnixNano())
	}
}

// waits are those for the same of one client.
type waits struct{ count, since atomic.Int64 }

func (w *waits) begin() {
	if w.count.Load() == 0 {
		w.since.Store(time.Now().UnixNano())
	}
	w.count.Add(1)
}

// end takes note that one is over. There is somebody, so the others begin anew.
func (w *waits) end() {
	w.since.Store(time.Now().UnixNano())
	w.count.Add(-1)
}

// began is since when nothing has come of any, in Unix nanoseconds; 0: there is none.
func (w *waits) began() int64 {
	if w.count.Load() == 0 {
		return 0
	}
	return w.since.Load()
}

// AwaitBody notes that more of a request's body is waited for, until BodyCame.
func (c *Conn) AwaitBody() {
	if c != nil {
		c.bodies.begin()
	}
}

// BodyCame notes that it is not any more.
func (c *Conn) BodyCame() {
	if c != nil {
		c.bodies.end()
	}
}

// AwaitStream notes that a stream of HTTP/2 is written to, until StreamTook.
func (c *Conn) AwaitStream() {
	if c != nil {
		c.streams.begin()
	}
}

// StreamTook notes that what was written to it was taken.
func (c *Conn) StreamTook() {
	if c != nil {
		c.streams.end()
	}
}

// waitsSince is since when the client is waited for, whatever for.
func (c *Conn) waitsSince() int64 { return earliest(c.idle.Load(), c.hangsSince()) }

// hangsSince is since when it is waited for in the midst of a request.
func (c *Conn) hangsSince() int64 {
	return earliest(c.bodies.began(), earliest(c.writing.Load(), c.streams.began()))
}

// earliest is the earlier of two times, of which 0 is none.
func earliest(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// Write implements [net.Conn]. It fails where the client takes not all of p in time.
func (c *Conn) Write(p []byte) (int, error) {
	now := time.Now()
	c.bound(now.Add(c.room.writeTimeout))
	c.writing.Store(now.UnixNano())
	defer c.writing.Store(0)
	return c.Conn.Write(p)
}

// bound sets the deadline of a write: the limit, or an earlier one that was set, also by
// somebody who sets one meanwhile.
func (c *Conn) bound(limit time.Time) {
	for {
		set := c.deadline.Load()
		if set != 0 && set < limit.UnixNano() {
			limit = time.Unix(0, set)
		}
		_ = c.Conn.SetWriteDeadline(limit) // a connection that is closed says so itself
		if c.deadline.Load() == set {
			return
		}
	}
}

// SetWriteDeadline implements [net.Conn].
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.deadline.Store(nanoseconds(t))
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements [net.Conn].
func (c *Conn) SetDeadline(t time.Time) error {
	c.deadline.Store(nanoseconds(t))
	return c.Conn.SetDeadline(t)
}

func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// Close implements [net.Conn].
func (c *Conn) Close() error {
	c.room.leave(c)
	return c.Conn.Close()
}

// CloseWrite ends this direction alone.
func (c *Conn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// SyscallConn implements [syscall.Conn].
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	raw, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return raw.SyscallConn()
}
