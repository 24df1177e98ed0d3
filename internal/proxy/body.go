package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/clientconn"
)

const (
	// replayBytes is how much of a body is kept so that it can be sent again. Once more
	// of it was read it cannot be.
	replayBytes = 64 << 10
)

// requestBody is the client's body on its way upstream. It keeps the error that
// reading ended with, because a transport's error does not say whose fault it was,
// and it keeps what was read of a short body. A transport may still read it when
// the trip is over.
type requestBody struct {
	closed atomic.Bool
	result atomic.Pointer[error] // io.EOF is the good end

	late    atomic.Bool // no more is to be gathered
	silence *silence    // is told what comes; may be nil

	conn *clientconn.Conn // is told that its client is waited for; may be nil

	mu    sync.Mutex // held while reading
	from  io.Reader
	kept  []byte
	spent bool     // it cannot be sent again
	try   *bodyTry // the one that is under way
	first bodyTry
}

// bodyTry is the body as one try to send it reads it.
type bodyTry struct {
	body   *requestBody
	at     int // what of kept it has read
	closed atomic.Bool
}

// newRequestBody takes over a body; limit bounds it, unless it is 0.
func newRequestBody(body io.ReadCloser, limit int64) *requestBody {
	if limit > 0 {
		// It gets no ResponseWriter, because it would change the header map while
		// another goroutine may be answering.
		body = http.MaxBytesReader(nil, body, limit)
	}
	b := &requestBody{from: body}
	b.first.body, b.try = b, &b.first
	return b
}

// gather reads the body for as long as the limit. What came is kept for a try, which
// goes on from there: it waits for a reading that is under way.
func (b *requestBody) gather(limit time.Duration) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b.gatherMore() {
		}
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		b.late.Store(true)
	}
}

// gatherMore reads once, into the room that kept has, and reports whether there may
// be more.
func (b *requestBody) gatherMore() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.late.Load() || b.closed.Load() || len(b.kept) == cap(b.kept) {
		return false
	}
	n, err := b.read(b.kept[len(b.kept):cap(b.kept)])
	b.kept = b.kept[:len(b.kept)+n]
	b.took(err)
	return err == nil
}

var (
	errBodyClosed = fault("request body is closed")
	errBodySpent  = fault("the connection ended before an answer, and the body cannot be sent again")
)

// Read implements [io.Reader].
func (t *bodyTry) Read(p []byte) (int, error) {
	b := t.body
	if t.closed.Load() || b.closed.Load() {
		return 0, errBodyClosed
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case t != b.try:
		return 0, errBodyClosed
	case t.at < len(b.kept):
		n := copy(p, b.kept[t.at:])
		t.at += n
		return n, nil
	case b.outcome() != nil:
		return 0, b.outcome()
	}
	n, err := b.read(p)
	if b.spent = b.spent || len(b.kept)+n > replayBytes; b.spent {
		b.kept = nil
	} else {
		b.kept = append(b.kept, p[:n]...)
		t.at = len(b.kept)
	}
	b.took(err)
	return n, err
}

// read reads from the client. The caller holds the lock.
func (b *requestBody) read(p []byte) (int, error) {
	b.conn.AwaitBody()
	defer b.conn.BodyCame()
	return b.from.Read(p)
}

// took takes note of a reading from the client. The caller holds the lock.
func (b *requestBody) took(err error) {
	if err == nil {
		b.silence.broken()
		return
	}
	b.result.CompareAndSwap(nil, &err)
	b.silence.bodyEnded()
}

// Close ends this try's reading. It leaves the client's own body to the server:
// closing that reads the rest of it, which a client never sends that waits for a
// 100 (Continue).
func (t *bodyTry) Close() error {
	t.closed.Store(true)
	return nil
}

// again returns the body from its beginning, for another try, and ends the reading
// of the try before. It serves as [http.Request.GetBody].
func (b *requestBody) again() (io.ReadCloser, error) {
	// A try that is still reading would take bytes from the next.
	if !b.mu.TryLock() {
		return nil, errBodySpent
	}
	defer b.mu.Unlock()
	if err := b.outcome(); b.spent || err != nil && !errors.Is(err, io.EOF) {
		return nil, errBodySpent
	}
	b.try = &bodyTry{body: b}
	return b.try, nil
}

// answered says that no other try will be made, so that nothing need be kept.
func (b *requestBody) answered() {
	if b == nil || !b.mu.TryLock() {
		return
	}
	defer b.mu.Unlock()
	if b.try.at >= len(b.kept) {
		b.kept, b.spent = nil, true
	}
}

// close ends the reading of all tries.
func (b *requestBody) close() { b.closed.Store(true) }

// outcome returns the error that reading ended with; nil if it goes on, or if
// it never began.
func (b *requestBody) outcome() error {
	if b == nil {
		return nil
	}
	if err := b.result.Load(); err != nil {
		return *err
	}
	return nil
}

// ended reports whether the body was read to its end.
func (b *requestBody) ended() bool { return errors.Is(b.outcome(), io.EOF) }
