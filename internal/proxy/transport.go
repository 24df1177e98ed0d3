package proxy

import (
	"cmp"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

const (
	// dialTimeout bounds connecting, which Route.Timeout does not cover.
	dialTimeout  = 5 * time.Second
	tlsTimeout   = 10 * time.Second
	idlePerHost  = 512
	idleTimeout  = 4 * time.Second // below the 5 s after which Node.js, uvicorn and Apache close
	headerBytes  = 256 << 10
	bufferBytes  = 32 << 10
	keepAliveGap = 30 * time.Second
)

// transportPool holds a pair of transports for each upstream with its limits, so that
// routes to one upstream share its connections.
type transportPool struct {
	tls *tls.Config
	all map[transportKey]transportPair
}

type transportKey struct {
	scheme, host  string
	timeout, idle time.Duration
	proxied       bool
}

// transportPair is a transport that keeps connections, and one that keeps none.
type transportPair struct{ kept, fresh *http.Transport }

// get returns the transports for the route, by the proxy via unless it is nil.
func (p *transportPool) get(route *routing.Route, via *url.URL) (kept, fresh *http.Transport) {
	target := route.Upstream
	key := transportKey{target.Scheme, target.Host, route.Timeout, cmp.Or(route.UpstreamIdle, idleTimeout), via != nil}
	pair, ok := p.all[key]
	if !ok {
		pair = transportPair{p.transport(key, via), p.transport(key, via)}
		pair.fresh.DisableKeepAlives = true
		if p.all == nil {
			p.all = make(map[transportKey]transportPair)
		}
		p.all[key] = pair
	}
	return pair.kept, pair.fresh
}

// transport returns a transport that leaves bodies as they are and asks nobody
// for a proxy, which might see the tokens.
func (p *transportPool) transport(key transportKey, via *url.URL) *http.Transport {
	t := &http.Transport{
		Proxy:                  nil,
		DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAliveGap}).DialContext,
		TLSHandshakeTimeout:    tlsTimeout,
		ResponseHeaderTimeout:  key.timeout,
		MaxIdleConns:           idlePerHost,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        key.idle,
		MaxResponseHeaderBytes: headerBytes,
		DisableCompression:     true,
		Protocols:              new(http.Protocols),
	}
	if via != nil {
		t.Proxy = http.ProxyURL(via)
	}
	if p.tls != nil {
		t.TLSClientConfig = p.tls.Clone()
	}
	switch key.scheme {
	case "h2c":
		t.Protocols.SetUnencryptedHTTP2(true)
	case "https":
		t.Protocols.SetHTTP1(true)
		t.Protocols.SetHTTP2(true)
	default:
		t.Protocols.SetHTTP1(true)
	}
	return t
}

func (p *transportPool) closeIdle() {
	for _, pair := range p.all {
		pair.kept.CloseIdleConnections()
	}
}
