package middleware

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/clientconn"
)

// writer notes status and size of an answer for the log. It saves nothing;
// http.ResponseController reaches what is below through Unwrap.
type writer struct {
	http.ResponseWriter
	status int
	bytes  int64
	// begins, if set, is called once, right before the header is sent.
	begins func(http.Header)

	// patience is how long a client may take to take a piece, where no deadline of the
	// connection sees to that: by HTTP/2 a client may take all that comes over the
	// connection, and nothing of a stream (RFC 9113 §5.2). 0 is as long as it likes.
	patience time.Duration
	conn     *clientconn.Conn // is told that a stream waits for its client; may be nil
	limited  atomic.Bool      // the handler sets the deadlines itself
	last     atomic.Int64     // no deadline is later, in Unix nanoseconds; 0: there is none
}

// Unwrap serves http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter. Interim answers are not the answer.
func (w *writer) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.begin(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) begin(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	if w.begins != nil {
		w.begins(w.Header())
	}
}

// Write implements http.ResponseWriter.
func (w *writer) Write(p []byte) (int, error) {
	w.begin(http.StatusOK)
	if w.patience > 0 && !w.limited.Load() {
		w.setDeadline(time.Now().Add(w.patience))
	}
	w.conn.AwaitStream()
	n, err := w.ResponseWriter.Write(p)
	w.conn.StreamTook()
	w.bytes += int64(n)
	return n, err
}

// setDeadline sets the deadline of a write, which holds for the rest of the answer that
// net/http sends when the handler has returned. It comes after no last one, also where
// that is set meanwhile.
func (w *writer) setDeadline(t time.Time) {
	client := http.NewResponseController(w.ResponseWriter)
	_ = client.SetWriteDeadline(t) // a writer that cannot is a test's
	if last := w.last.Load(); last != 0 {
		_ = client.SetWriteDeadline(time.Unix(0, last))
	}
}

// SetWriteDeadline serves http.ResponseController: whoever uses it sees to deadlines.
func (w *writer) SetWriteDeadline(t time.Time) error {
	w.limited.Store(true)
	return http.NewResponseController(w.ResponseWriter).SetWriteDeadline(t)
}

// FlushError serves http.ResponseController. The first flush begins the answer.
func (w *writer) FlushError() error {
	w.begin(http.StatusOK)
	w.conn.AwaitStream()
	defer w.conn.StreamTook()
	return http.NewResponseController(w.ResponseWriter).Flush()
}
