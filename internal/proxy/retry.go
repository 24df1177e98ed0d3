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
func (t *trip) send() (*http.Response, error) {
	if t.out.Method != http.MethodPut && t.out.Method != http.MethodDelete {
		return t.roundTrip(t.up.transport, &t.out)
	}
	var first attempt
	traced := httptrace.WithClientTrace(t.out.Context(), first.trace())
	res, err := t.roundTrip(t.up.transport, t.out.WithContext(traced))
	if err == nil || !first.lost(err) || t.in.Context().Err() != nil {
		return res, err
	}
	if t.body != nil {
		body, spent := t.body.again()
		if spent != nil {
			return nil, err
		}
		t.out.Body = body
	}
	if t.d.Event != nil {
		t.d.Event.AddNote("asked again: a kept connection had ended")
	}
	return t.roundTrip(t.up.fresh, &t.out)
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
func (t *trip) hideKeys() {
	switch t.out.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return
	}
	for _, name := range [...]string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, ok := t.out.Header[name]; ok {
			delete(t.out.Header, name)
			t.out.Header[strings.ToLower(name)] = values
		}
	}
}
