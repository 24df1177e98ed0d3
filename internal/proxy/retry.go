package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
)

// send asks the upstream. A kept connection may have ended at the upstream while
// the request was on its way to it. What has no effect the transport then asks
// again by itself, and so it does with everything of which not a byte was
// written. PUT and DELETE, whose effect is the same twice as once (RFC 9110
// §9.2.2), are asked once more here, over a connection of their own: the transport
// would go through all that are kept, each of them as dead as the first. POST and
// PATCH are never sent twice.
func (x *exchange) send() (*http.Response, error) {
	if x.out.Method != http.MethodPut && x.out.Method != http.MethodDelete {
		return x.roundTrip(x.up.transport, &x.out)
	}
	var first attempt
	traced := httptrace.WithClientTrace(x.out.Context(), first.trace())
	res, err := x.roundTrip(x.up.transport, x.out.WithContext(traced))
	if err == nil || !first.lost(err) || x.in.Context().Err() != nil {
		return res, err
	}
	if x.body != nil {
		body, gone := x.body.again()
		if gone != nil {
			return nil, err
		}
		x.out.Body = body
	}
	if x.d.Event != nil {
		x.d.Event.AddNote("asked again: a kept connection had ended")
	}
	return x.roundTrip(x.up.fresh, &x.out)
}

// attempt is what a transport tells of one try.
type attempt struct{ reused, answered atomic.Bool }

func (a *attempt) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(conn httptrace.GotConnInfo) {
			a.reused.Store(conn.Reused)
			a.answered.Store(false)
		},
		GotFirstResponseByte: func() { a.answered.Store(true) },
	}
}

// lost reports whether the try ended with a kept connection, and before anything
// came back. An upstream that takes its time may be at work, and one that resets
// a stream of HTTP/2 has said something.
func (a *attempt) lost(err error) bool {
	var late net.Error
	var reset streamError
	return a.reused.Load() && !a.answered.Load() && !(errors.As(err, &late) && late.Timeout()) && !errors.As(err, &reset)
}

// streamError is what the private error of net/http about a stream of HTTP/2 turns
// into when asked: anything with these fields, as golang.org/x/net/http2 has it.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return fmt.Sprintf("stream reset with code %d", e.Code) }

// hideKeys writes a client's idempotency keys in small letters, which upstreams
// read alike: net/http takes them for leave to send a request again and again.
// Whether the upstream heeds them nobody here knows.
func (x *exchange) hideKeys() {
	switch x.out.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return
	}
	for _, name := range [...]string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, ok := x.out.Header[name]; ok {
			delete(x.out.Header, name)
			x.out.Header[strings.ToLower(name)] = values
		}
	}
}
