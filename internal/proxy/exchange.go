package proxy

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// exchange is one request on its way.
//
// Nothing of it is used again for another request: a transport may go on
// reading what it was given when its answer is over, if that came early or the
// caller left.
type exchange struct {
	reverse *Reverse
	up      *upstream
	d       *Decision
	in      *http.Request
	w       http.ResponseWriter

	upgrade bool // a WebSocket was asked for
	body    *requestBody
	release context.CancelFunc // ends the context of the answer, where it has one of its own
	out     http.Request
	url     url.URL
}

// run relays the request, and returns why it could not.
func (x *exchange) run() error {
	if limit := x.reverse.bodyBytes; limit > 0 && x.in.ContentLength > limit {
		return x.closing(tooLarge(nil))
	}
	if x.in.ContentLength != 0 {
		x.body = newRequestBody(x.in.Body, x.in.ContentLength, x.reverse.bodyBytes)
		defer x.body.close() // nobody may read it when the handler has returned
		if x.in.ProtoMajor == 1 {
			// The server would otherwise read the body to its end before it lets an
			// answer begin. What this costs is paid in unfinished.
			_ = http.NewResponseController(x.w).EnableFullDuplex()
		}
	}
	x.prepare()
	defer func() {
		if x.release != nil {
			x.release()
		}
	}()
	res, err := x.ask()
	if err != nil {
		return x.closing(x.classify(err))
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		return x.switchProtocols(res)
	}
	x.answer(res)
	return nil
}

// prepare makes the upstream's request out of the client's, which stays as it
// is: whoever words a failure asks it what the client accepts.
func (x *exchange) prepare() {
	x.upgrade = x.up.upgrades && webSocketUpgrade(x.in)
	x.url = x.up.url(x.d.Path, x.in.URL)
	x.out = *x.in // for its context, which only copying takes along
	x.out.URL = &x.url
	x.out.Header = x.reverse.headers.request(x.in, x.d)
	if x.upgrade {
		x.out.Header["Connection"] = x.d.values.one("Upgrade")
		x.out.Header["Upgrade"] = x.in.Header["Upgrade"]
	}
	x.out.Host = "" // which means the upstream's own
	if x.d.Route.PreserveHost {
		x.out.Host = x.d.Host
	}
	x.out.Close = false // the client's connection ends, not the upstream's
	// Request trailers would bypass every rule for headers; nobody needs them.
	x.out.Trailer = nil
	x.out.Body = nil // so the transport may try again over another connection
	if x.body != nil {
		x.out.Body, x.out.GetBody = &x.body.first, x.body.again
	}
	x.hideKeys()
}

// ask sends the request and returns the answer, of which the header has
// arrived. Interim answers are left with the transport: they would go past every
// rule for headers.
func (x *exchange) ask() (*http.Response, error) {
	start := time.Now()
	res, err := x.send()
	if err != nil {
		return nil, err
	}
	x.body.answered()
	if x.d.Event != nil {
		x.d.Event.UpstreamTime = time.Since(start)
	}
	switch {
	case res.StatusCode == http.StatusSwitchingProtocols && !(x.upgrade && webSocketAnswer(res, x.in)):
		_ = res.Body.Close()
		return nil, errUnasked
	case res.StatusCode < 100 || res.StatusCode > 999: // which net/http panics to write
		_ = res.Body.Close()
		return nil, fault(fmt.Sprintf("it answers with the status %d", res.StatusCode))
	}
	return res, nil
}

// unfinished reports whether some of the request's body may still be on its way
// over an HTTP/1 connection. Such a connection must end with the answer: in full
// duplex net/http takes a rest that it cannot read for the next request, or
// panics over two readers.
func (x *exchange) unfinished() bool {
	return x.in.ProtoMajor == 1 && x.in.ContentLength != 0 && !x.body.ended()
}

// note records what went wrong after the answer had begun.
func (x *exchange) note(err error) {
	if x.d.Event != nil && x.d.Event.Err == nil && x.in.Context().Err() == nil {
		x.d.Event.Err = fmt.Errorf("relay from %s: %w", x.up.name, causeOf(err))
	}
}
