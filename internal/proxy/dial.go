package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"

	"github.com/gatehouse-auth/gatehouse/internal/clientconn"
	"github.com/gatehouse-auth/gatehouse/internal/http1"
	"github.com/gatehouse-auth/gatehouse/internal/linklocal"
	"github.com/gatehouse-auth/gatehouse/internal/peek"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"golang.org/x/net/http/httpguts"
)

// dialer connects to one upstream, or to the proxy on the way there.
type dialer struct {
	net         *net.Dialer
	room        *clientconn.Room // for its connections; may be nil
	credentials *credentials
	protocol    routing.Protocol
	ways        *ways
	// scheme and address are the upstream's.
	scheme, address string
}

func newDialer(key transportKey, w *ways) *dialer {
	address, _ := httpguts.PunycodeHostPort(key.host) // which was checked
	d := &dialer{
		net:  &net.Dialer{Timeout: dialTimeout, KeepAlive: keepAliveGap, Control: refuseLinkLocal},
		room: key.room, credentials: key.credentials, protocol: key.protocol, ways: w, scheme: key.scheme, address: address,
	}
	if key.linkLocal {
		d.net.Control = nil
	}
	if _, _, err := net.SplitHostPort(d.address); err != nil {
		port := map[string]string{"http": "80", "https": "443"}[key.scheme]
		d.address = net.JoinHostPort(strings.Trim(d.address, "[]"), port)
	}
	return d
}

const errLinkLocal = fault("connect: the upstream's name stands for a link-local address, or that of a cloud's own service: where it is meant, set allow_link_local for the route")

// refuseLinkLocal looks at the address itself, as a name may stand for another by the time
// of the connection than when somebody looked it up.
func refuseLinkLocal(_, address string, _ syscall.RawConn) error {
	if to, err := netip.ParseAddrPort(address); err == nil && linklocal.Addr(to.Addr()) {
		return errLinkLocal
	}
	return nil
}

const errCrowded = fault("connect: as many connections and files are open as the process can have")

// connect opens a connection, if there is room for it.
func (d *dialer) connect(ctx context.Context, network, address string) (net.Conn, error) {
	if !d.room.Take() {
		return nil, errCrowded
	}
	conn, err := d.net.DialContext(ctx, network, address)
	if err != nil {
		d.room.GiveBack()
		return nil, err
	}
	return &counted{TCPConn: conn.(*net.TCPConn), leave: sync.OnceFunc(d.room.GiveBack)}, nil // to no other kind is dialled
}

// counted is a connection that gives up its place.
type counted struct {
	*net.TCPConn
	leave func()
}

func (c *counted) Close() error {
	c.leave()
	return c.TCPConn.Close()
}

// plain connects without a guard.
func (d *dialer) plain(ctx context.Context, network, address string) (net.Conn, error) {
	return d.connect(ctx, network, address)
}

// guarded connects to an http upstream, for net/http's transport.
func (d *dialer) guarded(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.connect(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return http1.NewGuard(conn, d.ways.figures.unsolicited), nil
}

// guardedTLS connects to an https upstream, for net/http's transport, which takes a
// connection of HTTP/2 as it is. It notes what the upstream speaks.
func (d *dialer) guardedTLS(ctx context.Context, network, address string) (net.Conn, error) {
	offered := alpn[d.protocol]
	upgrade := ctx.Value(onlyHTTP1{}) != nil
	if upgrade {
		offered = alpn[routing.HTTP1]
	}
	conn, err := d.handshake(ctx, network, address, offered...)
	if err != nil {
		return nil, err
	}
	if conn.ConnectionState().NegotiatedProtocol == "h2" {
		d.ways.http1.Store(false)
		return conn, nil
	}
	if d.protocol == routing.HTTP2 {
		_ = conn.Close()
		return nil, errNoHTTP2
	}
	if !upgrade { // which says nothing about what else it speaks
		d.ways.http1.Store(true)
	}
	return http1.NewGuard(conn, d.ways.figures.unsolicited), nil
}

// pooled connects for the pool, which reads HTTP/1.1 itself.
func (d *dialer) pooled(ctx context.Context) (net.Conn, error) {
	if d.scheme != "https" {
		return d.connect(ctx, "tcp", d.address)
	}
	conn, err := d.handshake(ctx, "tcp", d.address, "http/1.1")
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// alpn is what is offered (RFC 7301).
var alpn = map[routing.Protocol][]string{routing.AnyProtocol: {"h2", "http/1.1"}, routing.HTTP1: {"http/1.1"}, routing.HTTP2: {"h2"}}

// onlyHTTP1 is the key of a context under which only HTTP/1.1 is offered: net/http keeps
// connections for upgrades apart, but does not tell a dialer of ours what it wants of one.
type onlyHTTP1 struct{}

const errNoHTTP2 = fault("TLS: the upstream does not speak HTTP/2, which upstream_protocol asks for")

// tlsConfig is what a handshake of now goes by.
func (d *dialer) tlsConfig() *tls.Config {
	if d.credentials == nil {
		return &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return d.credentials.current.Load().Clone()
}

func (d *dialer) handshake(ctx context.Context, network, address string, protocols ...string) (*tls.Conn, error) {
	raw, err := d.connect(ctx, network, address)
	if err != nil {
		return nil, err
	}
	config := d.tlsConfig()
	config.NextProtos = protocols
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	ctx, cancel := context.WithTimeout(ctx, tlsTimeout)
	defer cancel()
	conn := tls.Client(peek.NewRecords(raw), config)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		// The upstream may speak HTTP/2 alone by now. The transport finds out, with the next
		// request.
		d.ways.http1.Store(d.protocol == routing.HTTP1)
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return conn, nil
}
