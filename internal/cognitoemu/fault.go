package cognitoemu

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"
)

// FaultKind is a way in which an endpoint fails.
type FaultKind int

// The kinds of fault.
const (
	// Slow only waits for Fault.Delay.
	Slow FaultKind = iota
	// RateExceeded is the throttle: 429 with the text "Rate Exceeded" at the OAuth
	// endpoints, TooManyRequestsException with status 400 in the JSON API.
	RateExceeded
	// InternalError is a 500 with an HTML page.
	InternalError
	// Unavailable is a 503 with an HTML page.
	Unavailable
	// ConnectionReset closes the connection before anything is done.
	ConnectionReset
	// TruncatedBody does the work and answers with the first half of the body.
	TruncatedBody
	// LostAnswer does the work and closes the connection instead of answering: the
	// code is spent, the refresh token rotated, and the caller does not know.
	LostAnswer
)

// Fault is one way an endpoint fails, for some requests.
type Fault struct {
	Kind FaultKind
	// Delay is waited first, before any work; it ends early when the client leaves.
	Delay time.Duration
	// Times is how many requests it strikes; 0: all, until healed.
	Times int
}

func (f Fault) apply(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if !wait(r, f.Delay) {
		return
	}
	switch f.Kind {
	case Slow:
		next.ServeHTTP(w, r)
	case RateExceeded:
		if operationOf(r) != "" {
			writeAPIError(w, &apiError{"TooManyRequestsException", "Rate exceeded"})
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = w.Write([]byte("Rate Exceeded"))
	case InternalError:
		writeFaultPage(w, http.StatusInternalServerError)
	case Unavailable:
		writeFaultPage(w, http.StatusServiceUnavailable)
	case ConnectionReset:
		reset(w)
	case TruncatedBody:
		answer := record(r, next)
		maps.Copy(w.Header(), answer.header)
		body := answer.body.Bytes()[:answer.body.Len()/2]
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(answer.status)
		_, _ = w.Write(body)
	case LostAnswer:
		record(r, next)
		reset(w)
	}
}

// wait reports whether the client is still there after d.
func wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func writeFaultPage(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<html><head><title>%d %s</title></head><body><h1>%[2]s</h1></body></html>\n", status, http.StatusText(status))
}

// reset drops the connection without a word; over TCP with a RST.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2: the server resets the stream
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// recording is an answer that was made but not sent.
type recording struct {
	header http.Header
	body   bytes.Buffer
	status int
}

func record(r *http.Request, next http.Handler) *recording {
	answer := &recording{header: http.Header{}, status: http.StatusOK}
	next.ServeHTTP(answer, r)
	return answer
}

// Header is part of [http.ResponseWriter].
func (a *recording) Header() http.Header { return a.header }

// WriteHeader is part of [http.ResponseWriter].
func (a *recording) WriteHeader(status int) { a.status = status }

// Write is part of [http.ResponseWriter].
func (a *recording) Write(p []byte) (int, error) { return a.body.Write(p) }
