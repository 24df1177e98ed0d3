package middleware

import (
	"net/http"
	"time"
)

const (
	// bodyTimeout is how long the gateway's own endpoints wait for a request's body.
	bodyTimeout = 10 * time.Second
	// restTimeout is how long the rest of a body is waited for that nobody reads.
	restTimeout = time.Second
)

// BoundBody bounds how long a body may take that the gateway reads itself. How long one
// takes that is passed on is for its upstream to say.
func BoundBody(next Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		if r.ContentLength != 0 {
			waitForBody(w, bodyTimeout)
		}
		return next(w, r, x)
	}
}

// boundRest bounds what net/http waits for once the handler has returned: it reads what
// is left of a body, up to 256 KiB, before it sends an answer, so that the connection may
// serve another request. A client that never sends it would hold the connection. HTTP/2
// resets the stream instead.
func boundRest(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 && r.ProtoMajor == 1 {
		waitForBody(w, restTimeout)
	}
}

// waitForBody has nobody read the body for longer. net/http takes the limit back before
// the next request.
func waitForBody(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(d)) // a writer that cannot is a test's
}
