package server

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
)

const (
	adminHeaderTimeout = 10 * time.Second
	adminKeepAlive     = 2 * time.Minute
)

// adminServer serves probes, metrics and the admin API, on a listener of their
// own: nothing of it is ever on the public one.
func (s *Server) adminServer() *http.Server {
	return &http.Server{
		Handler:           admin.New(s.adminOptions()),
		ReadHeaderTimeout: adminHeaderTimeout,
		IdleTimeout:       adminKeepAlive,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

func (s *Server) adminOptions() admin.Options {
	return admin.Options{
		Listen: s.cfg.AdminListen, Token: s.cfg.AdminToken,
		Sessions: s.sessions.manager, Store: s.sessions.store, StoreKind: s.cfg.Session.Store.Scheme,
		SignOut:  s.pool.admin.SignOutUser,
		Draining: s.pipeline.own.health.Draining.Load, Reasons: s.ready.Reasons, Metrics: s.metrics,
		Version: s.opts.Version, Commit: s.opts.Commit, Logger: s.log,
	}
}
