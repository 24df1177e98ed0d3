package proxy

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// trip is one request on its way to an upstream, and its answer on the way back.
//
// No part of it is reused for another request. A transport may still read what it
// was given when the answer is over: where that came early, or the caller left.
type trip struct {
	reverse *reverseProxy
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
func (t *trip) run() error {
	if limit := t.reverse.bodyBytes; limit > 0 && t.in.ContentLength > limit {
		return t.closing(tooLarge(nil))
	}
	if t.in.ContentLength != 0 {
		t.body = newRequestBody(t.in.Body, t.in.ContentLength, t.reverse.bodyBytes)
		defer t.body.close() // nobody may read it when the handler has returned
		if t.in.ProtoMajor == 1 {
			// Without it the server reads the body to its end before an answer begins.
			// unfinished says what full duplex takes.
			_ = http.NewResponseController(t.w).EnableFullDuplex()
		}
	}
	t.prepare()
	defer func() {
		if t.release != nil {
			t.release()
		}
	}()
	res, err := t.ask()
	if err != nil {
		return t.closing(t.classify(err))
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		return t.switchProtocols(res)
	}
	t.answer(res)
	return nil
}

// prepare makes the upstream's request. It leaves the client's as it is, because
// the answer to a failure depends on what the client accepts.
func (t *trip) prepare() {
	t.upgrade = t.up.upgrades && webSocketUpgrade(t.in)
	t.url = t.up.url(t.d.Path, t.in.URL)
	t.out = *t.in // for its context, which only copying takes along
	t.out.URL = &t.url
	t.out.Header = t.reverse.headers.request(t.in, t.d)
	if t.upgrade {
		t.out.Header["Connection"] = t.d.values.one("Upgrade")
		t.out.Header["Upgrade"] = t.in.Header["Upgrade"]
	}
	t.out.Host = "" // which means the upstream's own
	if t.d.Route.PreserveHost {
		t.out.Host = t.d.Host
	}
	t.out.Close = false // the client's connection ends, not the upstream's
	// Request trailers would bypass every rule for headers; nobody needs them.
	t.out.Trailer = nil
	t.out.Body = nil // so the transport may try again over another connection
	if t.body != nil {
		t.out.Body, t.out.GetBody = &t.body.first, t.body.again
	}
	t.hideKeys()
}

// ask sends the request and returns the answer when its header has arrived. Interim
// answers are not passed on, because no rule for headers would see them.
func (t *trip) ask() (*http.Response, error) {
	start := time.Now()
	res, err := t.send()
	if err != nil {
		return nil, err
	}
	t.body.answered()
	if t.d.Event != nil {
		t.d.Event.UpstreamTime = time.Since(start)
	}
	switch {
	case res.StatusCode == http.StatusSwitchingProtocols && !(t.upgrade && webSocketAnswer(res, t.in)):
		_ = res.Body.Close()
		return nil, errUnasked
	case res.StatusCode < 100 || res.StatusCode > 999: // which net/http panics to write
		_ = res.Body.Close()
		return nil, fault(fmt.Sprintf("it answers with the status %d", res.StatusCode))
	}
	return res, nil
}

// unfinished reports whether a part of the request's body may still be to come over
// an HTTP/1 connection. Such a connection must end with the answer: in full duplex
// net/http takes the rest for the next request, or panics over two readers.
func (t *trip) unfinished() bool {
	return t.in.ProtoMajor == 1 && t.in.ContentLength != 0 && !t.body.ended()
}

// note records what went wrong after the answer had begun.
func (t *trip) note(err error) {
	if t.d.Event != nil && t.d.Event.Err == nil && t.in.Context().Err() == nil {
		t.d.Event.Err = fmt.Errorf("relay from %s: %w", t.up.name, causeOf(err))
	}
}
