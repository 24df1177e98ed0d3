package proxy

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// roundTrip asks by a transport, and bounds the wait for the answer's header by the
// route's limit, over all tries together. net/http bounds each of its own tries, and
// makes any number of them over HTTP/2 where an upstream refuses streams (RFC 9113
// §8.7).
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

// headerClock cancels a request that has no answer within the limit. It starts when
// the last byte of the first complete try was written.
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

// stop reports whether the answer was in time. After it, a transport that still
// writes starts no clock.
func (c *headerClock) stop() bool {
	c.start.Do(func() {})
	timer := c.timer.Load()
	return timer == nil || timer.Stop()
}
