package proxy

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/connpool"
)

// send asks the upstream, by the way that fits the request: over the gateway's own
// pool of connections, or by net/http's transport.
func (t *trip) send() (*http.Response, error) {
	if t.way == direct && t.in.ContentLength > 0 && t.body == nil {
		whole, err := t.gather()
		switch {
		case err != nil:
			return nil, err
		case !whole:
			t.way = ofPace
		}
	}
	if t.way == direct {
		res, err := t.pooled()
		if err == nil {
			t.giveBack(false) // an answer may last for hours
			return res, nil
		}
		if !errors.Is(err, connpool.ErrHeadBytes) { // of which nothing was sent
			return nil, err
		}
		t.way = ofHead
	}
	t.up.ways.figures.detours[t.way].Add(1)
	return t.transported()
}

// gather reads the body of the request, and reports whether it was all there. So the
// pool sends it in one piece, and a client that sends slowly keeps none of its
// connections busy. What an upstream answers to the beginning of a body reaches the
// client by the other way.
func (t *trip) gather() (whole bool, err error) {
	t.takeBody()
	t.buffer = t.reverse.bodies.get(t.in.ContentLength)
	t.body.kept = t.buffer.bytes[:0]
	t.body.gather(t.reverse.gatherTime)
	switch ended := t.body.outcome(); { // asked once, as a reading may still be under way
	case ended == nil:
		return false, nil
	case !errors.Is(ended, io.EOF):
		return false, fmt.Errorf("read request body: %w", ended)
	}
	return true, nil
}

// giveBack gives the buffer of the body back; unread says that somebody may still read
// it.
func (t *trip) giveBack(unread bool) {
	if t.buffer != nil {
		if !unread {
			t.body.kept = nil // which is the buffer
		}
		t.reverse.bodies.put(t.buffer, unread)
		t.buffer = nil
	}
}

// detour says why the request goes by net/http's transport. The pool is for what is
// sent in one piece and then answered: it does not read while it writes.
func (t *trip) detour() detour {
	h, length := t.in.Header, t.in.ContentLength
	switch {
	case !t.up.ways.direct():
		return ofUpstream
	case t.upgrade:
		return ofUpgrade
	case h["Expect"] != nil:
		return ofExpect
	case h["Te"] != nil && lists(h["Te"], "trailers"):
		return ofTrailers
	case length != 0 && bodiless(t.in.Method):
		return ofMethod // what a body means here nobody agrees on (RFC 9110 §9.3.1)
	case length < 0:
		return ofLength
	case length > wholeBytes:
		return ofSize
	case length > 0 && t.reverse.bodies.full():
		return ofMemory
	}
	return direct
}

// bodiless reports whether requests of that method have no body.
func bodiless(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// pooled asks over the gateway's own connections.
func (t *trip) pooled() (*http.Response, error) {
	var body []byte
	if t.body != nil {
		body = t.body.kept
	}
	x, err := t.up.ways.pool.Do(t.in.Context(), &connpool.Request{
		Method: t.in.Method, Target: t.up.target(t.d.Path, t.in.URL), Host: t.host(), Header: t.header,
		Body: body, Timeout: t.d.Route.Timeout,
	})
	if err != nil {
		return nil, err
	}
	if x.Retried {
		t.askedAgain()
	}
	t.exchange = x
	t.res = http.Response{
		StatusCode: x.Status, Header: x.Header, Trailer: x.Trailer, ContentLength: x.Length, Body: x,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if eventStream(x.Header) {
		x.Stream()
	}
	return &t.res, nil
}

// askedAgain notes that the upstream was asked twice.
func (t *trip) askedAgain() {
	if t.d.Event != nil {
		t.d.Event.AddNote("asked again: a kept connection had ended")
	}
}
