package server

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"syscall"
	"time"
)

const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute

	// maxStreams is how many requests an HTTP/2 connection may have open (RFC 9113 §5.1.2
	// recommends no less).
	maxStreams = 100
	// A connection of HTTP/2 over which nothing came for pingAfter is asked whether anybody
	// is there, and closed without an answer within pingTimeout. One that takes no byte for
	// writeTimeout is closed.
	pingAfter    = time.Minute
	pingTimeout  = 15 * time.Second
	writeTimeout = time.Minute
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

func (s *Server) listen() (public, admin net.Listener, err error) {
	if public = s.opts.Listener; public == nil {
		if public, err = Listen(s.cfg.Listen, "key listen"); err != nil {
			return nil, nil, err
		}
	}
	if admin = s.opts.AdminListener; admin == nil {
		if admin, err = Listen(s.cfg.AdminListen, "key admin_listen"); err != nil {
			_ = public.Close()
			return nil, nil, err
		}
	}
	return public, admin, nil
}

func serve(srv *http.Server, l net.Listener) error {
	var err error
	if srv.TLSConfig != nil {
		err = srv.ServeTLS(l, "", "")
	} else {
		err = srv.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve %s: %w", l.Addr(), err)
}

func (s *Server) publicServer() *http.Server {
	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    s.cfg.Limits.HeaderBytes,
		TLSConfig:         s.certificate.config(),
		Protocols:         new(http.Protocols),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, SendPingTimeout: pingAfter, PingTimeout: pingTimeout, WriteByteTimeout: writeTimeout},
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		// "OPTIONS *" is judged like every other request.
		DisableGeneralOptionsHandler: true,
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(srv.TLSConfig != nil)
	srv.Protocols.SetUnencryptedHTTP2(s.cfg.H2C)
	return srv
}
