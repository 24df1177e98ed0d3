// Package server is the composition root: it builds every part from the
// configuration, holds the one route table, listens, drains and stops. What a
// part does is left to the part. The one invariant: New starts nothing, so a
// Server that never runs leaves nothing behind.
package server

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/memlimit"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/readiness"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
)

// Options are what a Server takes besides its configuration.
type Options struct {
	// Version and Commit are the build's, for metrics and the log.
	Version, Commit string
	// Memory is what the process may take. The zero value is no limit.
	Memory memlimit.Settings
	// Stores are the program's own session stores, by the scheme of session.store.
	Stores map[string]sessionstore.OpenEntries
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

	certificate *certificate // nil without TLS

	ring     *secret.Ring // Reload replaces its keys
	pool     *pool
	sessions *sessions
	ready    *readiness.State
	pipeline *pipeline

	// serving is what the contexts of all requests come from, and cut ends it.
	serving context.Context //nolint:containedctx // a server asks for one by a function
	cut     context.CancelCauseFunc

	router  atomic.Pointer[router] // Reload replaces it
	reloads sync.Mutex
}

// New builds a gateway. It reads the certificate files, and asks nothing of the
// network.
func New(cfg *config.Config, o Options) (*Server, error) {
	sig, err := newSignals(cfg.Log, o)
	if err != nil {
		return nil, err
	}
	shown, err := newCertificate(cfg.TLS, o.Certificate, sig.log)
	if err != nil {
		return nil, err
	}
	if shown != nil {
		sig.metrics.OnScrape(shown.figures)
	}
	ring, err := secret.NewRing(cfg.Session.Keys...)
	if err != nil {
		return nil, err
	}
	forward := forwardProxy(cfg.Proxy)
	pool, err := newPool(cfg, ring, oauth.NewHTTPClient(forward), sig)
	if err != nil {
		return nil, err
	}
	sessions, err := newSessions(cfg, o, ring, pool, sig)
	if err != nil {
		return nil, err
	}
	pipeline := newPipeline(cfg, o, ring, pool, sessions, forward, sig)
	first, err := pipeline.router(cfg.Routes)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, opts: o, signals: sig, certificate: shown, ring: ring, pool: pool, sessions: sessions, pipeline: pipeline,
		ready: readiness.New(sig.log,
			readiness.Check{Name: "store unavailable", Ask: sessions.store.Ping, Reason: sessionstore.Reason},
			readiness.Check{Name: "user pool", Ask: pool.keysKnown, Reason: error.Error}),
	}
	s.serving, s.cut = context.WithCancelCause(context.Background())
	s.router.Store(first)
	s.metrics.SetTime(configLoaded, time.Now())
	return s, nil
}

// Handler returns the gateway's public handler, for tests that serve it
// themselves. It serves each request by the routes that hold when it comes.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.router.Load().handler.ServeHTTP(w, r)
	})
}

// frontsHandler is the handler of verify.listen.
func (s *Server) frontsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.router.Load().fronts.ServeHTTP(w, r)
	})
}
