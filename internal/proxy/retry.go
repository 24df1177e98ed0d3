package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/gatehouse-auth/gatehouse/internal/connpool"
	"github.com/gatehouse-auth/gatehouse/internal/http1"
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
	return t.sendOnce(t.transportRequest())
}

// transportRequest makes the request for the transport.
func (t *trip) transportRequest() *http.Request {
	out, address := &t.out, &t.url
	if out.URL != nil { // a transport may still read what it was given for another upstream
		out, address = new(http.Request), new(url.URL)
		t.header = t.header.Clone()
	}
	*address = t.up.url(t.d.Path, t.in.URL)
	*out = *t.in // for its context, which only copying takes along
	out.URL = address
	out.Header = t.header
	if t.upgrade {
		out.Header["Connection"] = t.d.values.one("Upgrade")
		out.Header["Upgrade"] = t.in.Header["Upgrade"]
	}
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = nil // or the transport names itself
	}
	out.Host = t.host()
	out.Close = false // the client's connection ends, not the upstream's
	// Request trailers would bypass every rule for headers; nobody needs them.
	out.Trailer = nil
	out.Body = nil // so the transport may try again over another connection
	if t.body != nil {
		out.Body, out.GetBody = t.body.try, t.body.again
	}
	hideKeys(out)
	if t.upgrade {
		return out.WithContext(context.WithValue(out.Context(), onlyHTTP1{}, true))
	}
	return out
}

// sendOnce lets the transport ask. An upstream may close a kept connection while a request
// is on its way to it. The transport itself then repeats requests without an effect,
// and those of which nothing was written. sendOnce repeats PUT and DELETE, which are
// idempotent (RFC 9110 §9.2.2), once and over a new connection: the transport would
// try every kept connection, and each may be as dead as the first. POST and PATCH
// are never sent twice.
func (t *trip) sendOnce(out *http.Request) (*http.Response, error) {
	repeats := out.Method == http.MethodPut || out.Method == http.MethodDelete
	if !repeats && !t.among.several() {
		return t.roundTrip(t.up.ways.transports().kept, out)
	}
	var first attempt
	res, err := t.roundTrip(t.up.ways.transports().kept, first.traced(out))
	if err == nil || !repeats || !first.reused.Load() || !first.unanswered(err) || t.in.Context().Err() != nil {
		return res, first.told(err)
	}
	if t.body != nil {
		body, spent := t.body.again()
		if spent != nil {
			return nil, first.told(err)
		}
		out.Body = body
	}
	t.askedAgain()
	var second attempt
	res, err = t.roundTrip(t.up.ways.transports().fresh, second.traced(out))
	return res, second.told(err)
}

// attempt is what a transport tells of one try.
type attempt struct{ connected, reused, answered atomic.Bool }

// traced returns the request as the try is to send it.
func (a *attempt) traced(out *http.Request) *http.Request {
	return out.WithContext(httptrace.WithClientTrace(out.Context(), &httptrace.ClientTrace{
		GotConn: func(conn httptrace.GotConnInfo) {
			a.connected.Store(true)
			a.reused.Store(conn.Reused)
			a.answered.Store(false)
		},
		GotFirstResponseByte: func() { a.answered.Store(true) },
	}))
}

// unanswered reports whether the try failed because its connection ended before anything
// came back. A timeout is no such failure, for the upstream may be at work; nor is a reset
// of an HTTP/2 stream, which is an answer, or something that is none.
func (a *attempt) unanswered(err error) bool {
	var (
		late   net.Error
		reset  streamError
		answer http1.Malformed
	)
	return a.connected.Load() && !a.answered.Load() &&
		!(errors.As(err, &late) && late.Timeout()) && !errors.As(err, &reset) && !errors.As(err, &answer)
}

// told returns the try's error as the pool would word it.
func (a *attempt) told(err error) error {
	switch {
	case err == nil:
		return nil
	case !a.connected.Load():
		return &connpool.Unanswered{Err: err}
	case a.unanswered(err):
		return &connpool.Unanswered{Sent: true, Err: err}
	}
	return err
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
func hideKeys(out *http.Request) {
	switch out.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return
	}
	for _, name := range [...]string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, ok := out.Header[name]; ok {
			delete(out.Header, name)
			out.Header[strings.ToLower(name)] = values
		}
	}
}
