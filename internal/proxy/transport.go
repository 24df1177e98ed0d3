package proxy

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	// dialTimeout bounds connecting, which Route.Timeout does not cover.
	dialTimeout  = 5 * time.Second
	tlsTimeout   = 10 * time.Second
	idlePerHost  = 512
	idleTimeout  = 55 * time.Second // below the 60 s after which load balancers close
	headerBytes  = 256 << 10
	bufferBytes  = 32 << 10
	keepAliveGap = 30 * time.Second
)

// transportPool holds one transport for each upstream, and timeout, that the
// routes name, so that routes to one upstream share its connections.
type transportPool struct {
	tls *tls.Config
	all map[transportKey]*http.Transport
}

type transportKey struct {
	scheme, host string
	timeout      time.Duration
	proxied      bool
}

func (p *transportPool) get(target *url.URL, timeout time.Duration, via *url.URL) *http.Transport {
	key := transportKey{target.Scheme, target.Host, timeout, via != nil}
	if t := p.all[key]; t != nil {
		return t
	}
	if p.all == nil {
		p.all = make(map[transportKey]*http.Transport)
	}
	t := p.transport(target.Scheme, timeout)
	if via != nil {
		t.Proxy = http.ProxyURL(via)
	}
	p.all[key] = t
	return t
}

// transport returns a transport that leaves bodies as they are and asks nobody
// for a proxy, which might see the tokens.
func (p *transportPool) transport(scheme string, timeout time.Duration) *http.Transport {
	t := &http.Transport{
		Proxy:                  nil,
		DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAliveGap}).DialContext,
		TLSHandshakeTimeout:    tlsTimeout,
		ResponseHeaderTimeout:  timeout,
		MaxIdleConns:           idlePerHost,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: headerBytes,
		DisableCompression:     true,
		Protocols:              new(http.Protocols),
	}
	if p.tls != nil {
		t.TLSClientConfig = p.tls.Clone()
	}
	switch scheme {
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
	for _, t := range p.all {
		t.CloseIdleConnections()
	}
}
