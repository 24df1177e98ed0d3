package proxy

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// roundTrip asks through a transport, and waits for the answer's header no longer than the route
// says, over all tries together. net/http keeps that limit for each of its own
// tries, and over HTTP/2 it makes any number: where an upstream refuses streams
// (RFC 9113 §8.7) it waits longer each time, and begins anew over the next
// connection.
func (t *trip) roundTrip(by *http.Transport, r *http.Request) (*http.Response, error) {
	limit := t.d.Route.Timeout
	if limit == 0 || !t.up.multiplexed {
		return by.RoundTrip(r)
	}
	ctx, cancel := context.WithCancel(r.Context())
	t.release = cancel // the answer's body is read under this context
	clock := headerClock{limit: limit, cancel: cancel}
	res, err := by.RoundTrip(r.WithContext(httptrace.WithClientTrace(ctx, clock.trace())))
	inTime := clock.stop()
	if inTime && err == nil {
		return res, nil
	}
	cancel()
	if err == nil {
		_ = res.Body.Close()
	}
	if !inTime {
		err = context.DeadlineExceeded
	}
	return nil, err
}

// headerClock cancels what has no answer when the limit has passed. It starts with
// the first try of which the last byte was written.
type headerClock struct {
	limit  time.Duration
	cancel context.CancelFunc

	start sync.Once
	timer atomic.Pointer[time.Timer]
}

func (c *headerClock) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{WroteRequest: func(written httptrace.WroteRequestInfo) {
		if written.Err == nil {
			c.start.Do(func() { c.timer.Store(time.AfterFunc(c.limit, c.cancel)) })
		}
	}}
}

// stop reports whether the answer was in time. A transport that still writes when
// the answer has come starts no clock any more.
func (c *headerClock) stop() bool {
	c.start.Do(func() {})
	timer := c.timer.Load()
	return timer == nil || timer.Stop()
}
