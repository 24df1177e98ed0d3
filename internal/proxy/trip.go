package proxy

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/clientconn"
	"github.com/gatehouse-auth/gatehouse/internal/connpool"
)

// trip is one request on its way to an upstream, and its answer on the way back.
//
// No part of it is reused for another request, but what only the pool has seen: that
// reads nothing any more when it has answered. A transport may still read what it was
// given when the answer is over: where that came early, or the caller left.
type trip struct {
	reverse *reverseProxy
	among   *balancer
	up      *upstream // the one that is asked
	tried   places    // of those among which it is, where there are several
	d       *Decision
	in      *http.Request
	w       http.ResponseWriter

	upgrade bool        // a WebSocket was asked for
	way     detour      // why it goes by net/http's transport, if it does
	header  http.Header // for the upstream
	body    *requestBody
	silence *silence    // nil where the route has no limit for it
	buffer  *bodyBuffer // of the body, until it was sent; nil where it is not read whole

	// What one of the two ways to ask needs.
	exchange *connpool.Exchange
	res      http.Response      // of the exchange
	release  context.CancelFunc // ends the context of the answer, where it has one of its own
	out      http.Request
	url      url.URL
}

// run relays the request, and returns why it could not.
func (t *trip) run() error {
	defer t.end()
	t.choose()
	if limit := t.d.Route.BodyBytes; limit > 0 && t.in.ContentLength > limit {
		return t.closing(tooLarge(nil))
	}
	t.watchSilence()
	t.prepare()
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

// headerMaps are maps for what the pool sends.
var headerMaps = sync.Pool{New: func() any { return make(http.Header, 32) }}

// end gives back what the trip has, however it ended.
func (t *trip) end() {
	t.noteSilence()
	t.silence.stop()
	if t.body != nil {
		t.body.close() // nobody may read it when the handler has returned
	}
	if t.way == direct && t.header != nil {
		clear(t.header)
		headerMaps.Put(t.header)
	}
	t.giveBack(t.way != direct) // a transport may still read it
	if t.d.Stream != nil {
		return // which has the rest
	}
	if t.exchange != nil {
		_ = t.exchange.Close()
	}
	if t.release != nil {
		t.release()
	}
	t.leave()
}

// prepare makes what the upstream gets. It leaves the client's request as it is,
// because the answer to a failure depends on what the client accepts.
func (t *trip) prepare() {
	t.upgrade = t.up.upgrades && webSocketUpgrade(t.in)
	if t.way = t.detour(); t.way == direct {
		t.header = headerMaps.Get().(http.Header)
	} else {
		t.header = make(http.Header, len(t.in.Header)+added)
	}
	t.reverse.headers.fill(t.header, t.in, t.d)
}

// host is what the upstream is called in Host.
func (t *trip) host() string {
	if t.d.Route.PreserveHost && t.d.Host != "" {
		return t.d.Host
	}
	return t.up.hostHeader
}

// takeBody takes over the body of the client's request.
func (t *trip) takeBody() {
	t.body = newRequestBody(t.in.Body, t.d.Route.BodyBytes)
	t.body.silence, t.body.conn = t.silence, clientconn.From(t.in.Context())
}

// ask sends the request and returns the answer when its header has arrived. Interim
// answers are not passed on, because no rule for headers would see them.
func (t *trip) ask() (*http.Response, error) {
	start := time.Now()
	res, err := t.sendAmong()
	if err != nil {
		return nil, err
	}
	if broken := t.body.outcome(); broken != nil && !t.body.ended() {
		// It has answered what is no request, and knows no better than that its end is missing.
		_ = res.Body.Close()
		return nil, fmt.Errorf("read request body: %w", broken)
	}
	t.body.answered()
	t.silence.answerBegins()
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
		t.d.Event.Err = relayed(t.up.name, err)
	}
}

// relayed is an error of an upstream that had begun to answer, in words fit for the log.
func relayed(upstream string, err error) error {
	return fmt.Errorf("relay from %s: %w", upstream, causeOf(err))
}
