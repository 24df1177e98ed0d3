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

// transported asks by net/http's transport, which reads while it writes, and speaks
// HTTP/2 and TLS.
func (t *trip) transported() (*http.Response, error) {
	if t.in.ContentLength != 0 {
		if t.body == nil {
			t.takeBody()
		}
		if t.in.ProtoMajor == 1 {
			// Without it the server reads the body to its end before an answer begins.
			// unfinished says what full duplex takes.
			_ = http.NewResponseController(t.w).EnableFullDuplex()
		}
	}
	t.transportRequest()
	return t.sendOnce()
}

// transportRequest makes the request for the transport.
func (t *trip) transportRequest() {
	t.url = t.up.url(t.d.Path, t.in.URL)
	t.out = *t.in // for its context, which only copying takes along
	t.out.URL = &t.url
	t.out.Header = t.header
	if t.upgrade {
		t.out.Header["Connection"] = t.d.values.one("Upgrade")
		t.out.Header["Upgrade"] = t.in.Header["Upgrade"]
	}
	if _, ok := t.out.Header["User-Agent"]; !ok {
		t.out.Header["User-Agent"] = nil // or the transport names itself
	}
	t.out.Host = t.host
	t.out.Close = false // the client's connection ends, not the upstream's
	// Request trailers would bypass every rule for headers; nobody needs them.
	t.out.Trailer = nil
	t.out.Body = nil // so the transport may try again over another connection
	if t.body != nil {
		t.out.Body, t.out.GetBody = &t.body.first, t.body.again
	}
	t.hideKeys()
}

// sendOnce lets the transport ask. An upstream may close a kept connection while a request
// is on its way to it. The transport itself then repeats requests without an effect,
// and those of which nothing was written. sendOnce repeats PUT and DELETE, which are
// idempotent (RFC 9110 §9.2.2), once and over a new connection: the transport would
// try every kept connection, and each may be as dead as the first. POST and PATCH
// are never sent twice.
func (t *trip) sendOnce() (*http.Response, error) {
	if t.out.Method != http.MethodPut && t.out.Method != http.MethodDelete {
		return t.roundTrip(t.up.ways.kept, &t.out)
	}
	var first attempt
	traced := httptrace.WithClientTrace(t.out.Context(), first.trace())
	res, err := t.roundTrip(t.up.ways.kept, t.out.WithContext(traced))
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
	t.askedAgain()
	return t.roundTrip(t.up.ways.fresh, &t.out)
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
