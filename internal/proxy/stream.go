package proxy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
)

// requestBody is the client's body on its way upstream. It remembers how
// reading ended, since a transport's error does not tell whose fault it was.
// The transport may go on reading after the exchange is over, so the two share
// nothing but the error.
type requestBody struct {
	io.ReadCloser
	result atomic.Pointer[error] // io.EOF is the good end
}

func newRequestBody(body io.ReadCloser, limit int64) *requestBody {
	if limit > 0 {
		// Without the ResponseWriter, whose header map it would change while
		// another goroutine may be answering.
		body = http.MaxBytesReader(nil, body, limit)
	}
	return &requestBody{ReadCloser: body}
}

func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.result.CompareAndSwap(nil, &err)
	}
	return n, err
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

// answerBody is the upstream's body on its way to the client. When it is
// closed its trailers are known, and are filtered before anyone copies them.
type answerBody struct {
	io.ReadCloser
	x   *exchange
	res *http.Response
}

func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		b.x.note(err)
	}
	return n, err
}

func (b *answerBody) Close() error {
	err := b.ReadCloser.Close()
	b.x.reverse.headers.filter(b.res.Trailer)
	return err
}

// webSocketUpgrade reports whether the request is a WebSocket handshake that
// may be tunnelled: GET over HTTP/1.1 without a body, and websocket all it asks
// for (RFC 6455 §4.1).
func webSocketUpgrade(r *http.Request) bool {
	upgrade := r.Header["Upgrade"]
	return len(upgrade) == 1 && strings.EqualFold(upgrade[0], "websocket") &&
		r.Method == http.MethodGet && r.ProtoMajor == 1 && r.ProtoMinor == 1 &&
		r.ContentLength == 0 && len(r.TransferEncoding) == 0
}

// webSocketAnswer reports whether the upstream switches to WebSocket.
func webSocketAnswer(res *http.Response) bool {
	upgrade := res.Header["Upgrade"]
	return len(upgrade) == 1 && strings.EqualFold(upgrade[0], "websocket")
}

var errUnasked = errors.New("upstream switched protocols without being asked")

// upgradeWriter notices when the connection leaves the server.
type upgradeWriter struct {
	http.ResponseWriter
	exchange *exchange
}

// Hijack implements [http.Hijacker].
func (w *upgradeWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.exchange.taken = true
		if d := w.exchange.d; d.Event != nil {
			// Written past the server, so no ResponseWriter sees it.
			d.Event.Status = http.StatusSwitchingProtocols
		}
	}
	return conn, rw, err
}

// Unwrap serves [http.ResponseController].
func (w *upgradeWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
