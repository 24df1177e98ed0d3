package proxy

import (
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"net/url"
	"testing"
	"time"
)

func TestTransportPool_shares_what_is_alike(t *testing.T) {
	at := func(host string, timeout, idle time.Duration) *routing.Route {
		return &routing.Route{Upstreams: routing.To(&url.URL{Scheme: "http", Host: host}), Timeout: timeout, UpstreamIdle: idle}
	}
	pool := transportPool{upstreams: &Upstreams{}}
	ways := pool.get(at("a", time.Second, 0), nil)
	kept, fresh := ways.kept, ways.fresh
	if kept.IdleConnTimeout != 4*time.Second || kept.DisableKeepAlives || !fresh.DisableKeepAlives || kept.ResponseHeaderTimeout != time.Second {
		t.Errorf("idle for %v, answers within %v", kept.IdleConnTimeout, kept.ResponseHeaderTimeout)
	}
	if again := pool.get(at("a", time.Second, 4*time.Second), nil); again != ways {
		t.Error("two routes alike have each their own connections")
	}
	for _, other := range []*routing.Route{at("b", time.Second, 0), at("a", 2*time.Second, 0), at("a", time.Second, time.Minute)} {
		if got := pool.get(other, nil).kept; got == kept || got.IdleConnTimeout != max(other.UpstreamIdle, 4*time.Second) {
			t.Errorf("%+v: idle for %v", other, got.IdleConnTimeout)
		}
	}
}
