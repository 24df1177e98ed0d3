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

// send asks the upstream. An upstream may close a kept connection while a request
// is on its way to it. The transport itself then repeats requests without an effect,
// and those of which nothing was written. send repeats PUT and DELETE, which are
// idempotent (RFC 9110 §9.2.2), once and over a new connection: the transport would
// try every kept connection, and each may be as dead as the first. POST and PATCH
// are never sent twice.
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

// lost reports whether the try failed because a kept connection ended before
// anything came back. A timeout is no such failure, for the upstream may be at work;
// nor is a reset of an HTTP/2 stream, which is an answer.
func (a *attempt) lost(err error) bool {
	var late net.Error
	var reset streamError
	return a.reused.Load() && !a.answered.Load() && !(errors.As(err, &late) && late.Timeout()) && !errors.As(err, &reset)
}

// streamError is what [errors.As] makes of net/http's private error about an HTTP/2
// stream: that fills any struct with the fields of golang.org/x/net/http2.StreamError.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return fmt.Sprintf("stream reset with code %d", e.Code) }

// hideKeys writes the names of a client's idempotency keys in small letters, which
// upstreams read alike. net/http repeats a request that has them under their usual
// names, and the upstream may not heed them.
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
