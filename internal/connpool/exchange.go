package connpool

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/http1"
)

const errSwitched = http1.Malformed("it switches protocols without being asked")

// Exchange is a request that was sent, and its answer as far as it was read. It is
// its body's reader, and must be closed.
type Exchange struct {
	http1.Head
	// Retried says that it was asked twice.
	Retried bool

	pool   *Pool
	conn   *conn
	ctx    context.Context
	body   http1.Body
	method string
	rest   bool        // the connection is to rest afterwards
	stop   func() bool // ends the watch over the context; false: the connection is closed
	closed bool

	streams bool  // the connection is out of the bound
	bounded bool  // it has a deadline for reading
	broken  error // what Await has met
	aborted atomic.Bool
}

// Do asks the upstream, and returns the answer when its head has come. The exchange
// ends with the context: the connection is closed then.
//
// A request that met the end of a kept connection, before a byte of an answer, is
// sent once more over a connection of its own if it is idempotent, or if nothing of
// it was sent. POST and PATCH are never sent twice.
//
// Errors: the context's, [ErrBusy], [Unsendable], [http1.Malformed], a timeout
// ([net.Error]), or what the dial or the connection says: as [Unanswered] if nothing at
// all came back.
func (p *Pool) Do(ctx context.Context, r *Request) (*Exchange, error) {
	if err := cmp.Or(r.check(), ctx.Err()); err != nil {
		return nil, err
	}
	x := &Exchange{pool: p, ctx: ctx, method: r.Method, rest: len(r.Body) > 0}
	var deadline, ended time.Time // ended: when the kept connection had
	careful := !Idempotent(r.Method)
	for {
		c, err := p.take(ctx, careful, x.Retried)
		if err != nil {
			return nil, err
		}
		if r.Timeout > 0 && deadline.IsZero() {
			deadline = time.Now().Add(r.Timeout)
		}
		sent, err := x.ask(c, r, deadline)
		if err == nil {
			if x.Retried {
				p.forget(ended)
			}
			return x, nil
		}
		unanswered := !c.reader.Begun() && lost(err)
		again := c.kept && !x.Retried && unanswered && (Idempotent(r.Method) || sent == 0)
		p.drop(c)
		if left := ctx.Err(); left != nil {
			return nil, left
		}
		switch {
		case !unanswered:
			return nil, err
		case !again:
			return nil, &Unanswered{Sent: sent > 0, Err: err}
		}
		x.Retried, ended = true, time.Now()
		p.count.Retried.Add(1)
	}
}

// Unanswered is the error of a request whose connection could not be made, or ended
// before anything came back.
type Unanswered struct {
	// Sent says that the upstream may have got something of the request.
	Sent bool
	Err  error
}

func (u *Unanswered) Error() string { return u.Err.Error() }

// Unwrap lets callers sort the error by its kind.
func (u *Unanswered) Unwrap() error { return u.Err }

// overtaken is how long an answer is waited for whose request could not be written to
// its end.
const overtaken = 10 * time.Millisecond

// lost reports whether the other side has ended the connection. A timeout is none of
// that: it may be at work.
func lost(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// ask sends the request over the connection and reads the head of the answer. It
// returns how many bytes were sent.
func (x *Exchange) ask(c *conn, r *Request, deadline time.Time) (sent int64, err error) {
	c.uses++
	c.reader.Begin()
	stop := context.AfterFunc(x.ctx, c.close)
	defer func() {
		if err != nil {
			stop()
		}
	}()
	if !deadline.IsZero() {
		_ = c.SetDeadline(deadline)
	}
	sent, unsent := r.write(c, x.pool.o.Idle == 0)
	if unsent != nil && sent == 0 {
		return 0, unsent
	}
	if unsent != nil {
		// An upstream may answer before it has read everything, and read no more. Such an
		// answer is there by now.
		_ = c.SetReadDeadline(time.Now().Add(overtaken))
	}
	head, err := c.reader.ReadHead(r.Method)
	switch {
	case err != nil && unsent != nil && !c.reader.Begun():
		return sent, unsent
	case err != nil:
		return sent, err
	case head.Status == http.StatusSwitchingProtocols:
		return sent, errSwitched // RFC 9110 §7.8
	}
	if !deadline.IsZero() || unsent != nil {
		_ = c.SetDeadline(time.Time{})
	}
	x.Head, x.conn, x.stop = head, c, stop
	x.Last = x.Last || unsent != nil
	x.body = c.reader.Body(&x.Head)
	x.pool.lastGood.Store(time.Now().UnixNano())
	if lines, ok := x.Header["Keep-Alive"]; ok {
		c.heed(lines)
	}
	return sent, nil
}

// heed takes over how long the upstream keeps the connection, and for how many
// requests: "timeout=5, max=100".
func (c *conn) heed(lines []string) {
	for item := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		name, value, _ := strings.Cut(strings.Trim(item, " \t"), "=")
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			continue
		}
		switch strings.ToLower(name) {
		case "timeout":
			// A second less: it may have begun to count before the answer came.
			c.idle = min(c.idle, max(0, time.Duration(min(n, 1e6))*time.Second-time.Second))
		case "max":
			c.most = min(c.most, c.uses+n)
		}
	}
}

// Read implements [io.Reader] over the answer's body. An end before its framed one
// is [io.ErrUnexpectedEOF].
func (x *Exchange) Read(p []byte) (int, error) {
	if x.broken != nil {
		return 0, x.broken
	}
	n, err := x.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		if ended := x.ctx.Err(); ended != nil {
			err = ended
		}
	}
	return n, err
}

// Stream takes the connection out of the pool's bound, as from here on it is for others
// to say how long the answer takes. Close takes it back in, where there is room.
func (x *Exchange) Stream() {
	if !x.streams {
		x.streams = true
		x.pool.detach(x.conn)
	}
}

// Detach has the exchange end with its context no more: [Exchange.Abort] ends it. The
// header of the answer is given up.
func (x *Exchange) Detach() {
	if !x.stop() {
		x.Last = true // the connection is closed, or will be in a moment
	}
	x.Header = nil
	x.ctx, x.stop = context.Background(), func() bool { return true }
}

// Abort closes the connection, so that reading from it fails, now and later. It does not
// wait.
func (x *Exchange) Abort() {
	x.aborted.Store(true)
	go x.conn.close() // which under TLS may take a moment
}

// Await waits until more of the body is there, or its end, and mostly holds no buffer
// meanwhile. Nothing that comes within the limit makes the next read fail, by a timeout;
// 0 is no limit.
func (x *Exchange) Await(limit time.Duration) {
	if limit > 0 {
		x.bounded = true
		_ = x.conn.SetReadDeadline(time.Now().Add(limit)) // a connection that is closed says so itself
	}
	if x.body.Ended() || x.conn.reader.Buffered() > 0 {
		return
	}
	x.conn.reader.Release()
	x.broken = x.conn.look.Wait()
}

// Close gives the connection back if the answer was read to its end and the next may
// follow, and closes it otherwise. A second call does nothing.
func (x *Exchange) Close() error {
	if x.closed {
		return nil
	}
	x.closed = true
	watched := x.stop()
	if x.bounded {
		_ = x.conn.SetReadDeadline(time.Time{})
	}
	if x.body.Ended() && x.conn.reader.Buffered() > 0 {
		x.pool.drop(x.conn)
		x.pool.excess()
		return nil
	}
	if !watched || !x.body.Ended() || x.Last || x.aborted.Load() {
		x.pool.drop(x.conn)
		return nil
	}
	x.pool.put(x.conn, x.rest || x.Bodiless())
	return nil
}
