package tunnel

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/pieces"
)

// closeTimeout bounds the closing handshake of WebSocket (RFC 6455 §7.1.1) when a
// tunnel is ended. Then both connections are closed as they are.
const closeTimeout = 500 * time.Millisecond

// Closing says in a close frame why a tunnel is ended. A context whose cause is one
// ends its tunnel with it.
type Closing struct {
	Code   uint16 // RFC 6455 §7.4.1
	Reason string // at most 123 bytes
}

// Error makes it a cause for [context.CancelCauseFunc].
func (c Closing) Error() string { return c.Reason }

// goingAway is the one of an endpoint that stops.
var goingAway = Closing{Code: 1001}

// frame is the close frame (RFC 6455 §5.5.1). A server's frames are not masked.
func (c Closing) frame() []byte {
	payload := append(binary.BigEndian.AppendUint16(nil, c.Code), c.Reason...)
	return append([]byte{0x80 | opClose, byte(len(payload))}, payload...)
}

// Carry passes bytes both ways until both sides have ended, one fails, ctx ends, or
// the registry ends the tunnel, which ended reports. It reads from the client through
// ahead, which begins with the bytes that the server has read already. When Carry
// returns, both connections are closed and no goroutine uses them.
func (t *Tunnel) Carry(ctx context.Context, client net.Conn, ahead io.Reader, upstream io.ReadWriteCloser) (ended bool) {
	closeBoth := func() {
		_ = upstream.Close()
		_ = client.Close() // this also ends a write to a client that reads nothing
	}
	defer closeBoth()
	down := &downward{Conn: client}
	halves := make(chan bool, 2)
	go func() { halves <- pump(down, upstream) }()
	go func() { halves <- pump(upstream, ahead) }()
	var limit *time.Timer // of the closing handshake, once that has begun
	closing := func(why Closing) {
		if limit == nil {
			limit = time.AfterFunc(closeTimeout, closeBoth)
			_ = client.SetWriteDeadline(time.Now().Add(closeTimeout))
			down.startClosing(why)
		}
	}
	defer func() {
		if limit != nil {
			limit.Stop()
		}
	}()
	left, ending := ctx.Done(), t.ending
	for open := 2; open > 0; {
		select {
		case <-left:
			left = nil
			if why, ok := errors.AsType[Closing](context.Cause(ctx)); ok {
				closing(why)
			} else {
				closeBoth()
			}
		case <-ending:
			ending, ended = nil, true
			closing(goingAway)
		case goesOn := <-halves:
			if open--; !goesOn {
				closeBoth()
			}
		}
	}
	return ended
}

// pump passes bytes on until src ends, and then tells dst's peer of that end. It
// reports whether the other direction may go on: not after an error, nor where
// dst cannot end one direction alone.
func pump(dst io.Writer, src io.Reader) bool {
	if pass(dst, src) != nil {
		return false
	}
	half, ok := dst.(interface{ CloseWrite() error })
	return ok && half.CloseWrite() == nil
}

// pass passes bytes on until src ends.
func pass(dst io.Writer, src io.Reader) error {
	in := pieces.Take(false)
	defer in.Close()
	for {
		piece, err := in.Next(src)
		if len(piece) > 0 {
			if _, err := dst.Write(piece); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// downward writes to the client what the upstream sends. It can take the
// upstream's place between two frames, to write a close frame.
type downward struct {
	net.Conn
	closing atomic.Pointer[Closing] // the close frame that is due

	mu     sync.Mutex // held while writing
	frames frames
	closed bool // the close frame was written, and nothing may follow it
}

// Write implements [io.Writer].
func (d *downward) Write(p []byte) (int, error) {
	n, err := d.pass(p)
	if why := d.closing.Load(); why != nil {
		d.writeClose(*why)
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
func (d *downward) startClosing(why Closing) {
	d.closing.Store(&why)
	d.writeClose(why)
}

func (d *downward) writeClose(why Closing) {
	if !d.mu.TryLock() {
		return // whoever is writing does it afterwards
	}
	defer d.mu.Unlock()
	if !d.closed && d.frames.between() {
		d.closed = true
		_, _ = d.Conn.Write(why.frame()) // what fails is closed soon
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
