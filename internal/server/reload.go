package server

import (
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

var (
	reloads      = telemetry.NewCounter("config_reloads_total", "Reloads of the configuration, by outcome.", "outcome")
	configLoaded = telemetry.NewGauge("config_loaded_timestamp_seconds", "When the configuration that holds was loaded, in Unix seconds.")
)

// Reload loads the configuration again and takes over its routes and its
// session.keys while the server runs. No request fails by it: those under way
// end by the routes they began with. A configuration that load refuses changes
// nothing. What else is different takes a restart, and is left as it is. The
// outcome is logged; the error is for the caller who wants to know.
func (s *Server) Reload(load func() (*config.Config, error)) error {
	s.reloads.Lock()
	defer s.reloads.Unlock()
	cfg, err := load()
	if err == nil {
		err = s.adopt(cfg)
	}
	if err != nil {
		s.metrics.Count(reloads, session.OutcomeFailed)
		s.log.Error("configuration not reloaded: the one before stays", "error", err)
		return fmt.Errorf("reload configuration: %w", err)
	}
	s.metrics.Count(reloads, session.OutcomeDone)
	s.metrics.SetTime(configLoaded, time.Now())
	for _, w := range cfg.Warnings {
		s.log.Warn("configuration", "warning", w)
	}
	if keys := restartKeys(s.cfg, cfg); len(keys) > 0 {
		s.log.Warn("these keys have changed, too: they take a restart", "keys", keys)
	}
	s.certificate.look()
	s.log.Info("configuration reloaded", "routes", len(cfg.Routes), "keys", len(cfg.Session.Keys))
	s.logRoutes()
	return nil
}

// adopt takes over the routes and keys of cfg, or changes nothing.
func (s *Server) adopt(cfg *config.Config) error {
	next, err := s.pipeline.router(cfg.Routes)
	if err != nil {
		return err
	}
	if err := s.ring.Replace(cfg.Session.Keys...); err != nil {
		next.relay.Close()
		return err
	}
	s.sessions.cookies.Rekey()
	s.pipeline.assertions.Rekey()
	s.router.Swap(next).relay.Close()
	return nil
}

// restartKeys names what has changed of the keys that hold as long as the process.
func restartKeys(before, after *config.Config) []string {
	taken := func(key string) bool { return key == "session.keys" || key == "limits.body_bytes" }
	return slices.DeleteFunc(config.Changed(before, after), taken)
}
