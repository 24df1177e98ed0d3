package proxy

import (
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// waysTo returns the ways to an upstream without TLS.
func waysTo(known *Upstreams, r *routing.Route, at *url.URL) *ways {
	w, _ := known.get(keyOf(r, at, false), nil, nil) // there is no file that could be missing
	return w
}

func TestUpstreams_share_what_is_alike(t *testing.T) {
	at := func(host string, timeout, idle time.Duration) *routing.Route {
		return &routing.Route{Upstreams: routing.To(&url.URL{Scheme: "http", Host: host}), Timeout: timeout, UpstreamIdle: idle}
	}
	known := &Upstreams{}
	get := func(r *routing.Route) *ways { return waysTo(known, r, r.Upstreams[0].URL) }
	ways := get(at("a", time.Second, 0))
	kept, fresh := ways.transports().kept, ways.transports().fresh
	if kept.IdleConnTimeout != 4*time.Second || kept.DisableKeepAlives || !fresh.DisableKeepAlives || kept.ResponseHeaderTimeout != time.Second {
		t.Errorf("idle for %v, answers within %v", kept.IdleConnTimeout, kept.ResponseHeaderTimeout)
	}
	if again := get(at("a", time.Second, 4*time.Second)); again != ways {
		t.Error("two routes alike have each their own connections")
	}
	for _, other := range []*routing.Route{at("b", time.Second, 0), at("a", 2*time.Second, 0), at("a", time.Second, time.Minute)} {
		if got := get(other).transports().kept; got == kept || got.IdleConnTimeout != max(other.UpstreamIdle, 4*time.Second) {
			t.Errorf("%+v: idle for %v", other, got.IdleConnTimeout)
		}
	}
	known.put(ways)
	if get(at("a", time.Second, 0)) != ways {
		t.Error("ways that somebody still has were closed")
	}
	known.put(ways)
	known.put(ways)
	if get(at("a", time.Second, 0)) == ways {
		t.Error("ways that nobody had any more were kept")
	}
}

// net/http bounds the age of no connection, and never of one over HTTP/2 that is busy.
func TestWays_keep_no_transport_for_ever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known := &Upstreams{}
		ways := waysTo(known, &routing.Route{}, &url.URL{Scheme: "http", Host: "a"})
		first := ways.transports()
		time.Sleep(maxAge/2 - time.Second)
		if ways.transports() != first {
			t.Error("replaced before its time")
		}
		time.Sleep(maxAge/2 + time.Second)
		second := ways.transports()
		if second == first || ways.transports() != second {
			t.Error("not replaced once when its time had come")
		}
	})
}
