package proxy

import (
	"cmp"
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/connpool"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

const (
	// dialTimeout bounds connecting, which Route.Timeout does not cover.
	dialTimeout  = 5 * time.Second
	tlsTimeout   = 10 * time.Second
	idlePerHost  = 512
	idleTimeout  = 4 * time.Second // below the 5 s after which Node.js, uvicorn and Apache close
	headerBytes  = 256 << 10
	keepAliveGap = 30 * time.Second

	restTime    = 20 * time.Millisecond
	connections = 1024 // at once to an upstream, streams excepted
	waiters     = 1024 // requests that wait for one
	waitTimeout = 5 * time.Second
)

// transportPool holds the ways to each upstream with its limits, so that routes to
// one upstream share its connections.
type transportPool struct {
	tls       *tls.Config
	upstreams *Upstreams
	all       map[transportKey]*ways
}

type transportKey struct {
	scheme, host        string
	timeout, idle, rest time.Duration
	connections         int
	standard, proxied   bool
	linkLocal           bool // the upstream may have such an address
}

// ways are those to ask an upstream: over a pool of our own, or by a transport that
// keeps connections, or by one that keeps none.
type ways struct {
	pool        *connpool.Pool // nil where requests never go by it
	http1       atomic.Bool    // the upstream is known to speak HTTP/1.1, which is all that the pool does
	kept, fresh *http.Transport
	figures     *upstreamFigures
}

// get returns the ways for the route, by the proxy via unless it is nil.
func (p *transportPool) get(route *routing.Route, via *url.URL) *ways {
	target := route.Upstreams[0].URL
	key := transportKey{
		scheme: target.Scheme, host: target.Host, timeout: route.Timeout,
		idle: cmp.Or(route.UpstreamIdle, idleTimeout), rest: cmp.Or(route.UpstreamRest, restTime),
		connections: cmp.Or(route.UpstreamConnections, connections),
		standard:    route.StandardTransport, proxied: via != nil, linkLocal: route.AllowLinkLocal,
	}
	if route.ReuseNever {
		key.idle = 0
	}
	w, ok := p.all[key]
	if !ok {
		w = p.ways(key, via)
		if p.all == nil {
			p.all = make(map[transportKey]*ways)
		}
		p.all[key] = w
	}
	return w
}

func (p *transportPool) ways(key transportKey, via *url.URL) *ways {
	w := &ways{figures: p.upstreams.of(key.scheme + "://" + key.host)}
	dial := p.dialer(key, w)
	w.kept, w.fresh = transport(key, via, dial), transport(key, via, dial)
	w.fresh.DisableKeepAlives = true
	w.http1.Store(key.scheme == "http")
	if key.scheme == "h2c" || key.standard || via != nil {
		return w
	}
	w.pool = connpool.New(connpool.Options{
		Dial: dial.pooled, Idle: key.idle, Rest: key.rest,
		Connections: key.connections, Waiters: waiters, Wait: waitTimeout,
		Counters: &w.figures.Counters, Excess: w.figures.excess,
	})
	return w
}

// transport returns a transport that leaves bodies as they are and asks nobody for a
// proxy, which might see the tokens. Its connections over HTTP/1.1 are guarded. Where
// they cannot be, as a proxy hands bytes through, each serves one request.
func transport(key transportKey, via *url.URL, dial *dialer) *http.Transport {
	t := &http.Transport{
		Proxy:                  nil,
		DialContext:            dial.guarded,
		DialTLSContext:         dial.guardedTLS,
		TLSHandshakeTimeout:    tlsTimeout,
		ResponseHeaderTimeout:  key.timeout,
		MaxIdleConns:           idlePerHost,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        key.idle,
		MaxResponseHeaderBytes: headerBytes,
		DisableCompression:     true,
		DisableKeepAlives:      key.idle == 0,
		Protocols:              new(http.Protocols),
	}
	if via != nil {
		t.Proxy = http.ProxyURL(via)
	}
	if via != nil && (key.scheme == "https" || !strings.HasPrefix(via.Scheme, "http")) {
		t.DialContext, t.DialTLSContext, t.DisableKeepAlives = dial.plain, nil, true
		t.TLSClientConfig = dial.tls
	}
	switch key.scheme {
	case "h2c":
		t.DialContext = dial.plain
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
	for _, w := range p.all {
		w.kept.CloseIdleConnections()
		if w.pool != nil {
			w.pool.Close()
		}
	}
}
