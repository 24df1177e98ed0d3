package tunnel

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// closeTimeout bounds the closing handshake of WebSocket (RFC 6455 §7.1.1) when a
// tunnel is ended. Then both connections are closed as they are.
const closeTimeout = time.Second

// Carry passes bytes both ways until both sides have ended, one fails, ctx ends, or
// the registry ends the tunnel, which ended reports. It reads from the client through
// ahead, which begins with the bytes that the server has read already. When Carry
// returns, both connections are closed and no goroutine uses them.
func (t *Tunnel) Carry(ctx context.Context, client net.Conn, ahead io.Reader, upstream io.ReadWriteCloser) (ended bool) {
	closeBoth := func() {
		_ = upstream.Close()
		_ = client.Close() // this also ends a write to a client that reads nothing
	}
	defer context.AfterFunc(ctx, closeBoth)()
	down := &downward{Conn: client}
	halves := make(chan bool, 2)
	go func() { halves <- pump(down, upstream) }()
	go func() { halves <- pump(upstream, ahead) }()
	ending := t.ending
	for open := 2; open > 0; {
		select {
		case <-ending:
			ending, ended = nil, true
			defer time.AfterFunc(closeTimeout, closeBoth).Stop()
			_ = client.SetWriteDeadline(time.Now().Add(closeTimeout))
			down.startClosing()
		case goesOn := <-halves:
			if open--; !goesOn {
				closeBoth()
			}
		}
	}
	closeBoth()
	return ended
}

// pump passes bytes on until src ends, and then tells dst's peer of that end. It
// reports whether the other direction may go on: not after an error, nor where
// dst cannot end one direction alone.
func pump(dst io.Writer, src io.Reader) bool {
	if _, err := io.Copy(dst, src); err != nil {
		return false
	}
	half, ok := dst.(interface{ CloseWrite() error })
	return ok && half.CloseWrite() == nil
}

// goingAway is the close frame of an endpoint that stops (RFC 6455 §5.5.1, §7.4.1:
// status 1001). A server's frames are not masked.
var goingAway = []byte{0x80 | opClose, 2, 1001 >> 8, 1001 & 0xff}

// downward writes to the client what the upstream sends. It can take the
// upstream's place between two frames, to write a close frame.
type downward struct {
	net.Conn
	closing atomic.Bool // the close frame is due

	mu     sync.Mutex // held while writing
	frames frames
	closed bool // the close frame was written, and nothing may follow it
}

// Write implements [io.Writer].
func (d *downward) Write(p []byte) (int, error) {
	n, err := d.pass(p)
	if d.closing.Load() {
		d.writeClose()
	}
	return n, err
}

func (d *downward) pass(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return len(p), nil
	}
	n, err := d.Conn.Write(p)
	d.frames.pass(p[:n])
	return n, err
}

// startClosing sends the close frame, now or when the frame under way has passed.
// The client's answer goes on to the upstream and ends the tunnel there, too.
func (d *downward) startClosing() {
	d.closing.Store(true)
	d.writeClose()
}

func (d *downward) writeClose() {
	if !d.mu.TryLock() {
		return // whoever is writing does it afterwards
	}
	defer d.mu.Unlock()
	if !d.closed && d.frames.between() {
		d.closed = true
		_, _ = d.Conn.Write(goingAway) // what fails is closed soon
	}
}

// CloseWrite ends this direction alone.
func (d *downward) CloseWrite() error {
	half, ok := d.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}
