package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

// requestBody is the client's body on its way upstream. It remembers how
// reading ended, since a transport's error does not tell whose fault it was.
// The transport may go on reading after the exchange is over, so the two share
// nothing but the error.
type requestBody struct {
	from   io.Reader
	closed atomic.Bool
	result atomic.Pointer[error] // io.EOF is the good end
}

func newRequestBody(body io.ReadCloser, limit int64) *requestBody {
	if limit > 0 {
		// Without the ResponseWriter, whose header map it would change while
		// another goroutine may be answering.
		body = http.MaxBytesReader(nil, body, limit)
	}
	return &requestBody{from: body}
}

var errBodyClosed = errors.New("request body is closed")

func (b *requestBody) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, errBodyClosed
	}
	n, err := b.from.Read(p)
	if err != nil {
		b.result.CompareAndSwap(nil, &err)
	}
	return n, err
}

// Close ends reading. The client's own body is the server's to close: that
// reads its rest, which a client that waits for leave to send never gives.
func (b *requestBody) Close() error {
	b.closed.Store(true)
	return nil
}

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
