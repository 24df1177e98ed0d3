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
	listener *Listener

	// Since when the client is waited for, in Unix nanoseconds; 0: it is not. HTTP/2 reads
	// and writes at once.
	reading, writing atomic.Int64

	deadline atomic.Int64 // of writes, as it was set; in Unix nanoseconds, 0 for none
}

// Wait notes that the connection waits for something of its client, from now on. A nil
// Conn is nobody's.
func (c *Conn) Wait() {
	if c != nil {
		c.reading.Store(time.Now().UnixNano())
	}
}

// Go notes that it does not, or not any more.
func (c *Conn) Go() {
	if c != nil {
		c.reading.Store(0)
	}
}

func (c *Conn) waitsSince() int64 {
	reading, writing := c.reading.Load(), c.writing.Load()
	if reading == 0 || writing != 0 && writing < reading {
		return writing
	}
	return reading
}

// Write implements [net.Conn]. It fails where the client takes not all of p in time.
func (c *Conn) Write(p []byte) (int, error) {
	now := time.Now()
	c.bound(now.Add(c.listener.writeTimeout))
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
	c.listener.leave(c)
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
