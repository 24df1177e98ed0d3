package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"syscall"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/clientconn"
	"github.com/gatehouse-auth/gatehouse/internal/config"
)

const (
	// A connection of HTTP/2 over which nothing came for pingAfter is asked whether anybody
	// is there, and closed without an answer within pingTimeout.
	pingAfter   = time.Minute
	pingTimeout = 15 * time.Second
)

// Listen opens a TCP listener. Where that fails, the error tells an operator what
// to change: by is what set the address, such as "key listen" or "flag --listen".
func Listen(address, by string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err == nil {
		return l, nil
	}
	host, port, splitErr := net.SplitHostPort(address)
	switch {
	case splitErr != nil:
		return nil, fmt.Errorf("listen (%s): %w", by, err)
	case PortInUse(err):
		return nil, fmt.Errorf("port %s is in use (%s): choose another, or stop what listens at %s", port, by, address)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("port %s is not this user's to open (%s): choose one from 1024 up", port, by)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s is no address of this machine (%s)", host, by)
	}
	return nil, fmt.Errorf("listen (%s): %w", by, err)
}

// PortInUse reports whether a listener was not opened because another has its
// port.
func PortInUse(err error) bool {
	const wsaInUse = syscall.Errno(10048) // WSAEADDRINUSE, which package syscall has no name for
	return errors.Is(err, syscall.EADDRINUSE) || runtime.GOOS == "windows" && errors.Is(err, wsaInUse)
}

// listeners are what a server listens at; fronts is nil without verify.listen.
type listeners struct{ public, fronts, admin net.Listener }

const listenersAtMost = 3

func (s *Server) listen() (l listeners, err error) {
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.public, err = listenOr(s.opts.Listener, s.cfg.Listen, "key listen"); err != nil {
		return l, err
	}
	if s.cfg.Verify.Listen != "" {
		if l.fronts, err = Listen(s.cfg.Verify.Listen, "key verify.listen"); err != nil {
			return l, err
		}
	}
	l.admin, err = listenOr(s.opts.AdminListener, s.cfg.AdminListen, "key admin_listen")
	return l, err
}

// listenOr is [Listen] where nobody has opened the listener before.
func listenOr(open net.Listener, address, by string) (net.Listener, error) {
	if open != nil {
		return open, nil
	}
	return Listen(address, by)
}

func (l listeners) close() {
	for _, one := range []net.Listener{l.public, l.fronts, l.admin} {
		if one != nil {
			_ = one.Close()
		}
	}
}

// newRoom is the room for clients' connections.
func newRoom(limits config.Limits) *clientconn.Room {
	most := limits.Connections
	if most == config.Auto {
		most = clientconn.Most()
	}
	return clientconn.NewRoom(most, limits.WriteTimeout)
}

func serve(srv *http.Server, l net.Listener) error {
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}

// guarded is a listener whose connections are secured where there is a config, and whose
// requests net/http can be shown.
func (s *Server) guarded(l net.Listener, config *tls.Config) net.Listener {
	if config != nil {
		l = newHandshakes(l, config, s.cfg.Limits.HeaderTimeout, s.log)
	}
	return &requestGuards{Listener: l, http2: s.cfg.H2C, log: s.log, metrics: s.metrics}
}

func (s *Server) publicServer(clients *clientconn.Listener) *http.Server {
	srv := s.httpServer(s.Handler())
	srv.Protocols.SetHTTP2(s.certificate != nil)
	srv.ConnState, srv.ConnContext = clients.State, clients.Context
	return srv
}

// httpServer serves requests of browsers, or about them, without TLS.
func (s *Server) httpServer(h http.Handler) *http.Server {
	limits := s.cfg.Limits
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: limits.HeaderTimeout,
		IdleTimeout:       limits.KeepAlive,
		MaxHeaderBytes:    limits.HeaderBytes,
		Protocols:         new(http.Protocols),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: limits.HTTP2Streams, SendPingTimeout: pingAfter, PingTimeout: pingTimeout,
			WriteByteTimeout: limits.WriteTimeout,
		},
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return s.serving },
		// "OPTIONS *" is judged like every other request.
		DisableGeneralOptionsHandler: true,
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(s.cfg.H2C)
	return srv
}
