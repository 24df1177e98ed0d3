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
	// for to send a request, to send the rest of one, and to take what was written to the
	// connection, or to a stream of HTTP/2, which has several at once.
	idle, body, writing, stream atomic.Int64
	streams                     atomic.Int64 // that wait

	deadline atomic.Int64 // of writes, as it was set; in Unix nanoseconds, 0 for none
}

// Idle notes that the next request is waited for. A nil Conn is nobody's, here and below.
func (c *Conn) Idle() {
	if c != nil {
		c.idle.Store(time.Now().UnixNano())
	}
}

// AwaitBody notes that more of a request's body is waited for, until BodyCame.
func (c *Conn) AwaitBody() {
	if c != nil {
		c.body.Store(time.Now().UnixNano())
	}
}

// BodyCame notes that it is not any more.
func (c *Conn) BodyCame() {
	if c != nil {
		c.body.Store(0)
	}
}

// AwaitStream notes that a stream of HTTP/2 is written to, until StreamTook.
func (c *Conn) AwaitStream() {
	if c != nil && c.streams.Add(1) == 1 {
		c.stream.Store(time.Now().UnixNano())
	}
}

// StreamTook notes that what was written to it was taken: there is somebody.
func (c *Conn) StreamTook() {
	switch {
	case c == nil:
	case c.streams.Add(-1) == 0:
		c.stream.Store(0)
	default:
		c.stream.Store(time.Now().UnixNano())
	}
}

// waitsSince is since when the client is waited for, whatever for.
func (c *Conn) waitsSince() int64 { return earliest(c.idle.Load(), c.hangsSince()) }

// hangsSince is since when it is waited for in the midst of a request.
func (c *Conn) hangsSince() int64 {
	return earliest(c.body.Load(), earliest(c.writing.Load(), c.stream.Load()))
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
