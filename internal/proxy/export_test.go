package proxy

import (
	"crypto/tls"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/headers"
)

// WithUpstreamTLS returns the options for https upstreams that take c.
func (o Options) WithUpstreamTLS(c *tls.Config) Options {
	o.upstreamTLS = c
	return o
}

// WithPatience returns the options with which short bodies are waited for as long as
// it takes, so that they are always sent in one piece.
func (o Options) WithPatience() Options {
	o.gatherTime = time.Hour
	return o
}

// SetHeaders gives a relay that serves nothing yet another table of headers.
func (disp *Dispatcher) SetHeaders(t *headers.Table) { disp.reverse.headers.known = t }

// BodyBytes is how much memory the bodies take that are sent in one piece.
func (disp *Dispatcher) BodyBytes() int64 { return disp.reverse.bodies.used.Load() }

// WatchCredentials takes over what the files of TLS to upstreams have become.
func (u *Upstreams) WatchCredentials() { u.watchCredentials() }
