package proxy

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/clientconn"
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
	maxAge       = 10 * time.Minute // of kept connections, as the pool has it
	keepAliveGap = 30 * time.Second

	restTime    = 20 * time.Millisecond
	connections = 1024 // at once to an upstream, streams excepted
	waiters     = 1024 // requests that wait for one
	waitTimeout = 5 * time.Second
)

// transportKey is all that the ways to an upstream depend on. Routes of which it is the
// same share its connections, and know its health from each other.
type transportKey struct {
	scheme, host        string
	timeout, idle, rest time.Duration
	connections         int
	standard, proxied   bool
	linkLocal           bool // the upstream may have such an address
	several             bool // it has others of its route beside it
	check               routing.HealthCheck
	protocol            routing.Protocol
	credentials         *credentials     // nil where there is no TLS
	room                *clientconn.Room // for its connections; nil: there is no limit
}

func keyOf(route *routing.Route, target *url.URL, proxied bool) transportKey {
	key := transportKey{
		scheme: target.Scheme, host: target.Host, timeout: route.Timeout,
		idle: cmp.Or(route.UpstreamIdle, idleTimeout), rest: cmp.Or(route.UpstreamRest, restTime),
		connections: cmp.Or(route.UpstreamConnections, connections),
		standard:    route.StandardTransport, proxied: proxied, linkLocal: route.AllowLinkLocal,
		several: len(route.Upstreams) > 1, check: route.HealthCheck, protocol: route.UpstreamProtocol,
	}
	if route.ReuseNever {
		key.idle = 0
	}
	return key
}

// ways are those to ask an upstream: over a pool of our own, or by a transport that
// keeps connections, or by one that keeps none.
type ways struct {
	key     transportKey
	pool    *connpool.Pool // nil where requests never go by it
	http1   atomic.Bool    // the upstream is known to speak HTTP/1.1, which is all that the pool does
	current atomic.Pointer[transports]
	renew   func() *transports
	health  *health
	figures *upstreamFigures

	users int                // relays that have it, under the lock of [Upstreams]
	stop  context.CancelFunc // ends its checks; nil where there are none
}

func newWays(key transportKey, via *url.URL, figures *upstreamFigures) *ways {
	w := &ways{key: key, figures: figures, health: newHealth(key, figures)}
	dial := newDialer(key, w)
	w.renew = func() *transports { return newTransports(key, via, dial) }
	w.current.Store(w.renew())
	w.http1.Store(key.scheme == "http" || key.protocol == routing.HTTP1)
	if key.scheme == "h2c" || key.protocol == routing.HTTP2 || key.standard || via != nil {
		return w
	}
	w.pool = connpool.New(connpool.Options{
		Dial: dial.pooled, Elsewhere: key.several, Idle: key.idle, Rest: key.rest,
		Connections: key.connections, Waiters: waiters, Wait: waitTimeout,
		Counters: &figures.Counters, Excess: figures.excess,
	})
	return w
}

// direct reports whether requests go by the pool, unless they are of a kind that does not.
func (w *ways) direct() bool { return w.pool != nil && w.http1.Load() }

// close closes the connections that nobody uses, and lets no other be kept for long.
// Requests may go on.
func (w *ways) close() {
	if w.stop != nil {
		w.stop()
	}
	w.current.Load().kept.CloseIdleConnections()
	if w.pool != nil {
		w.pool.Close()
	}
}

// transports are two of net/http, for a while: one keeps connections, and one does not.
type transports struct {
	kept, fresh *http.Transport
	born        time.Time
	life        time.Duration
}

func newTransports(key transportKey, via *url.URL, dial *dialer) *transports {
	t := &transports{kept: transport(key, via, dial), fresh: transport(key, via, dial), born: time.Now()}
	t.fresh.DisableKeepAlives = true
	t.life = maxAge/2 + rand.N(maxAge/2) //nolint:gosec // spreads ends, guards nothing
	return t
}

// transports returns those of now. net/http bounds the life of no connection, so others
// take over now and then: what the upstream's name stands for is found out anew, and what
// was kept before ends when it is idle.
func (w *ways) transports() *transports {
	old := w.current.Load()
	if time.Since(old.born) < old.life {
		return old
	}
	if w.current.CompareAndSwap(old, w.renew()) {
		old.kept.CloseIdleConnections()
	}
	return w.current.Load()
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
		t.TLSClientConfig = dial.tlsConfig()
	}
	switch key.scheme {
	case "h2c":
		t.DialContext = dial.plain
		t.Protocols.SetUnencryptedHTTP2(true)
	case "https":
		t.Protocols.SetHTTP1(key.protocol != routing.HTTP2)
		t.Protocols.SetHTTP2(key.protocol != routing.HTTP1)
	default:
		t.Protocols.SetHTTP1(true)
	}
	return t
}
