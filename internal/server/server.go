// Package server is the composition root: it builds every part from the
// configuration, holds the one route table, listens, drains and stops. What a
// part does is left to the part. The one invariant: New starts nothing, so a
// Server that never runs leaves nothing behind.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/handlers"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/readiness"
	"github.com/gatehouse-auth/gatehouse/internal/returnto"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	// drainRequests is what requests and streams get to end after a stop began;
	// refreshes, revocations and deletions get what is left of that, and drainFlights.
	// Both together stay near the ten seconds that container engines wait.
	drainRequests = 7 * time.Second
	drainFlights  = 3 * time.Second
	logInterval   = 200 * time.Millisecond
	// expiryNotice is how long before its end a page is told of it.
	expiryNotice = time.Minute
)

// Options are what a Server takes besides its configuration.
type Options struct {
	// Version and Commit are the build's, for metrics and the log.
	Version, Commit string
	// Logs gets the log lines.
	Logs io.Writer
	// Certificate, if set, serves TLS where no files are configured.
	Certificate *tls.Certificate
	// Listener and AdminListener, if set, are the public and the admin listener,
	// already open.
	Listener, AdminListener net.Listener
	// DrainNotice is how long a stop is announced by 503 of the probes before the
	// listener closes; 0 closes it at once.
	DrainNotice time.Duration
	// RedirectLoopback sends navigations to another loopback name of the gateway
	// to public_url; for development.
	RedirectLoopback bool
	// Ready is called once the listeners accept, with the public one's address;
	// may be nil.
	Ready func(net.Addr)
}

// Server is a gateway, built and checked.
type Server struct {
	cfg  *config.Config
	opts Options
	signals

	mount    string
	record   *middleware.Record
	guard    *middleware.Guard
	origins  *middleware.Origins
	sessions *middleware.Sessions
	cookies  *cookie.Jar
	returnTo returnto.Policy

	// What [Server.Reload] replaces; the handlers hold the ring and the cookies.
	ring    *secret.Ring
	routing atomic.Pointer[routing]
	reloads sync.Mutex

	flow    *handlers.Flow
	account *handlers.Account
	events  *handlers.Events
	logout  *handlers.Logout
	public  *handlers.PublicConfig
	health  *handlers.Health

	ready *readiness.State

	proxy func(*url.URL) (*url.URL, error)
	pool  *pool
	store session.Store

	manager *session.Manager
}

// Run listens, serves until ctx ends, and drains: not ready, no new
// connections, requests to their end, flights to their end, stores closed. It
// returns nil after a clean stop.
func (s *Server) Run(ctx context.Context) error {
	sessionstore.LogDriver(s.log) // process-wide, so not the business of New
	telemetry.TakeStandardLog(s.log)
	done := make(chan struct{})
	var logging sync.WaitGroup
	logging.Go(func() { s.lines.Run(done, logInterval) })
	defer logging.Wait()
	defer close(done)
	defer func() { _ = s.store.Close() }() // nothing is left to lose by then

	public, admin, err := s.listen()
	if err != nil {
		return err
	}
	defer s.background()()
	errs := make(chan error, 2)
	front, back := s.publicServer(), s.adminServer()
	go func() { errs <- serve(front, public) }()
	go func() { errs <- serve(back, admin) }()
	s.log.Info("listening", "address", public.Addr().String(), "admin", admin.Addr().String(),
		"publicUrl", s.cfg.PublicURL.String(), "version", s.opts.Version, "commit", s.opts.Commit)
	s.logRoutes()
	if s.opts.Ready != nil {
		s.opts.Ready(public.Addr())
	}
	select {
	case err = <-errs:
	case <-ctx.Done():
		s.log.Info("stopping")
	}
	return errors.Join(err, s.drain(front, back))
}

// background hears what other instances do to sessions, and fetches the key set, until stop is called: after the drain, as the last requests
// need it too. With the key set there, it looks once whether logins work: a store
// that takes none is in the log then, whether or not anybody probes.
func (s *Server) background() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = s.manager.Run(ctx) }) // it ends with ctx only
	running.Go(func() {
		if s.pool.fetchKeys(ctx) {
			s.ready.Reasons(ctx)
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// drain stops in order. The admin listener goes last, so that probes and
// metrics see the end.
func (s *Server) drain(front, back *http.Server) error {
	s.health.Draining.Store(true)
	time.Sleep(s.opts.DrainNotice) // probes see it before connections are refused
	flights, cancelFlights := context.WithTimeout(context.Background(), drainRequests+drainFlights)
	defer cancelFlights()
	ctx, cancel := context.WithTimeout(flights, drainRequests)
	defer cancel()
	s.manager.CloseStreams() // a stream of events has no end of its own
	if err := front.Shutdown(ctx); err != nil {
		s.log.Warn("requests cut short by the stop", "error", err)
		_ = front.Close()
	}
	if err := s.manager.Drain(flights); err != nil {
		s.log.Warn("background work cut short by the stop", "error", err)
	}
	_ = back.Close()
	s.log.Info("stopped")
	return nil
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
		TLSConfig:         s.tlsConfig(),
		Protocols:         new(http.Protocols),
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		// "OPTIONS *" is judged like every other request.
		DisableGeneralOptionsHandler: true,
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(srv.TLSConfig != nil)
	srv.Protocols.SetUnencryptedHTTP2(s.cfg.H2C)
	return srv
}

func (s *Server) tlsConfig() *tls.Config {
	if s.opts.Certificate == nil {
		return nil
	}
	return &tls.Config{Certificates: []tls.Certificate{*s.opts.Certificate}, MinVersion: tls.VersionTLS12}
}
