package proxy

import (
	"crypto/tls"

	"github.com/gatehouse-auth/gatehouse/internal/headers"
)

// WithUpstreamTLS returns the options for https upstreams that take c.
func (o Options) WithUpstreamTLS(c *tls.Config) Options {
	o.upstreamTLS = c
	return o
}

// SetHeaders gives a relay that serves nothing yet another table of headers.
func (disp *Dispatcher) SetHeaders(t *headers.Table) { disp.reverse.headers.known = t }
