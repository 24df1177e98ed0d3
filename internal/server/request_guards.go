package server

import (
	"crypto/tls"
	"log/slog"
	"net"

	"github.com/gatehouse-auth/gatehouse/internal/http1"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

var malformedRequests = telemetry.NewCounter("malformed_requests_total",
	"Requests of HTTP/1.x refused with 400 and the end of their connection, because a proxy in front could take them for other ones.")

// requestGuards is a listener that guards what it accepts. HTTP/2 has frames instead.
type requestGuards struct {
	net.Listener
	http2   bool // clients may begin in HTTP/2 without TLS
	log     *slog.Logger
	metrics *telemetry.Metrics
}

// Accept implements [net.Listener].
func (l *requestGuards) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if secured, ok := conn.(*tls.Conn); ok && secured.ConnectionState().NegotiatedProtocol == "h2" {
		return conn, nil
	}
	return http1.NewRequestGuard(conn, l.http2, func(why error) {
		l.metrics.Count(malformedRequests)
		l.log.Debug("malformed request", "peer", conn.RemoteAddr().String(), "why", why)
	}), nil
}
