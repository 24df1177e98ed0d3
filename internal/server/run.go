package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/memlimit"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
	"github.com/gatehouse-auth/gatehouse/internal/tunnel"
)

const (
	// drainRequests is what requests and streams get to end after a stop began;
	// refreshes, revocations and deletions get what is left of that, and drainFlights.
	// Both together stay near the ten seconds that container engines wait.
	drainRequests = 7 * time.Second
	drainFlights  = 3 * time.Second
	// cutTime is what is left for requests that have not ended by then.
	cutTime     = 500 * time.Millisecond
	logInterval = 200 * time.Millisecond
)

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
	defer func() { _ = s.sessions.store.Close() }() // nothing is left to lose by then

	l, err := s.listen()
	if err != nil {
		return err
	}
	defer s.background()()
	errs := make(chan error, listenersAtMost)
	start := func(srv *http.Server, at net.Listener) *http.Server {
		go func() { errs <- serve(srv, at) }()
		return srv
	}
	clients := s.pipeline.room.Listen(l.public)
	front, back := []*http.Server{start(s.publicServer(clients), s.guarded(clients, s.certificate.config()))}, start(s.adminServer(), l.admin)
	s.log.Info("listening", "address", l.public.Addr().String(), "admin", l.admin.Addr().String(),
		"publicUrl", s.cfg.PublicURL.String(), "version", s.opts.Version, "commit", s.opts.Commit,
		"connections", s.pipeline.room.Most())
	if l.fronts != nil {
		front = append(front, start(s.httpServer(s.frontsHandler()), s.guarded(l.fronts, nil)))
		s.log.Info("listening for fronts", "address", l.fronts.Addr().String())
	}
	s.logMemory()
	s.logRoutes()
	if s.opts.Ready != nil {
		s.opts.Ready(l.public.Addr())
	}
	select {
	case err = <-errs:
	case <-ctx.Done():
		s.log.Info("stopping")
	}
	s.drain(front, back)
	return err
}

// logMemory says what the process may take, and why.
func (s *Server) logMemory() {
	m := s.opts.Memory
	if m == (memlimit.Settings{}) {
		return // for development
	}
	s.log.Info("memory", "limit", m.Limit, "limitFrom", m.LimitFrom, "garbageBy", m.CollectBy,
		"cacheBytes", s.sessions.manager.Stats().CacheBudget)
}

// background hears what other instances do to sessions, ends what is open of those that
// end, takes over a new certificate, checks the health of upstreams, and fetches the key
// set, until stop is called: after the drain, as the last requests need it too. With the key set there, it looks once
// whether logins work: a store that takes none is in the log then, whether or not anybody
// probes.
func (s *Server) background() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = s.sessions.manager.Run(ctx) }) // it ends with ctx only
	running.Go(func() { s.sessions.keeper.Run(ctx) })
	running.Go(func() { s.certificate.watch(ctx) })
	running.Go(func() { s.pipeline.relay.Upstreams.Run(ctx) })
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

var errStopped = errors.New("the gateway stops")

// shutDown lets the requests of a server end until ctx does. Those that are left are cut
// short then, and have a moment for their log lines.
func (s *Server) shutDown(ctx context.Context, srv *http.Server) {
	err := srv.Shutdown(ctx)
	if err == nil {
		return
	}
	s.log.Warn("requests cut short by the stop", "error", err)
	s.cut(errStopped)
	last, cancel := context.WithTimeout(context.Background(), cutTime)
	defer cancel()
	_ = srv.Shutdown(last) // what takes longer is closed as it is
	_ = srv.Close()
}

// drain stops in order. The admin listener goes last, so that probes and
// metrics see the end.
func (s *Server) drain(front []*http.Server, back *http.Server) {
	s.pipeline.own.health.Draining.Store(true)
	time.Sleep(s.opts.DrainNotice) // probes see it before connections are refused
	flights, cancelFlights := context.WithTimeout(context.Background(), drainRequests+drainFlights)
	defer cancelFlights()
	ctx, cancel := context.WithTimeout(flights, drainRequests)
	defer cancel()
	left := []*tunnel.Registry{s.pipeline.relay.Tunnels, s.pipeline.relay.Streams}
	s.sessions.manager.CloseStreams() // a stream of events has no end of its own
	for _, connections := range left {
		connections.Close() // nor have these, which their server has lost sight of
	}
	var stopping sync.WaitGroup
	for _, srv := range front {
		stopping.Go(func() { s.shutDown(ctx, srv) })
	}
	stopping.Wait()
	for _, connections := range left {
		if err := connections.Wait(ctx); err != nil {
			s.log.Warn("connections cut short by the stop", "error", err)
		}
	}
	if err := s.sessions.manager.Drain(flights); err != nil {
		s.log.Warn("background work cut short by the stop", "error", err)
	}
	_ = back.Close()
	s.log.Info("stopped")
}
