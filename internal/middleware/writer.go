package middleware

import "net/http"

// writer notes status and size of an answer for the log. It saves nothing;
// http.ResponseController reaches what is below through Unwrap.
type writer struct {
	http.ResponseWriter
	status int
	bytes  int64
	// begins, if set, is called once, right before the header is sent.
	begins func(http.Header)
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
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// FlushError serves http.ResponseController. The first flush begins the answer.
func (w *writer) FlushError() error {
	w.begin(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}
