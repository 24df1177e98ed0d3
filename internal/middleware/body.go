package middleware

import (
	"cmp"
	"io"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/clientconn"
)

// Patience is how long a client is waited for. The zero value is that of
// [config.Limits] by default.
type Patience struct {
	// Body is for the bodies of requests to the gateway's own endpoints; 0 is 10 s.
	Body time.Duration
	// Rest is for the rest of a body that nobody reads; 0 is 1 s.
	Rest time.Duration
	// Write is for what was written to be taken; 0 is a minute.
	Write time.Duration
}

func (p Patience) orDefault() Patience {
	return Patience{cmp.Or(p.Body, 10*time.Second), cmp.Or(p.Rest, time.Second), cmp.Or(p.Write, time.Minute)}
}

// BoundBody bounds how long a body may take that the gateway reads itself. How long one
// takes that is passed on is for its route to say.
func (p Patience) BoundBody(next Handler) Handler {
	limit := p.orDefault().Body
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		if r.ContentLength != 0 {
			waitForBody(w, limit)
			r = r.WithContext(r.Context()) // net/http looks at the body of its own
			r.Body = &awaited{r.Body, clientconn.From(r.Context())}
		}
		return next(w, r, x)
	}
}

// awaited is a body that its client is waited for to send.
type awaited struct {
	io.ReadCloser
	conn *clientconn.Conn
}

func (a *awaited) Read(p []byte) (int, error) {
	a.conn.AwaitBody()
	defer a.conn.BodyCame()
	return a.ReadCloser.Read(p)
}

// LeaveBody is for what never reads the body of a request, such as a file.
func (p Patience) LeaveBody(next Handler) Handler {
	p = p.orDefault()
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		p.boundRest(w, r)
		return next(w, r, x)
	}
}

// boundRest bounds how long net/http waits for a body that nobody reads: up to 256 KiB of
// it, before it sends the beginning of an answer, or once the handler has returned, so that
// the connection may serve another request. A client that never sends it would hold the
// connection. HTTP/2 resets the stream instead.
func (p Patience) boundRest(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 && r.ProtoMajor == 1 {
		waitForBody(w, p.Rest)
		clientconn.From(r.Context()).Idle() // until the next request begins, or the end
	}
}

// waitForBody has nobody read the body for longer. net/http takes the limit back before
// the next request.
func waitForBody(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(d)) // a writer that cannot is a test's
}
