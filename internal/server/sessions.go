package server

import (
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
)

// buildSessions makes the manager between the store and the user pool.
func (s *Server) buildSessions() (err error) {
	if s.manager, err = session.NewManager(s.managerOptions()); err != nil {
		return err
	}
	s.metrics.Sessions(s.sessionFigures)
	return nil
}

func (s *Server) managerOptions() session.Options {
	return session.Options{
		Store: s.store, Provider: s.pool.oauth,
		IdleTimeout:     s.cfg.Session.IdleTimeout,
		AbsoluteTimeout: s.cfg.Session.AbsoluteTimeout,
		BeforeExpiry:    s.cfg.Refresh.BeforeExpiry,
		RefreshTimeout:  s.cfg.Refresh.Timeout,
		ForcedPerMinute: s.cfg.Refresh.ForcedPerMinute,
		RotationGrace:   s.cfg.Cognito.RotationGrace,
		MaxPerUser:      s.cfg.Session.MaxPerUser,
		UserCheck:       session.UserCheck{Every: s.cfg.RevocationCheck, Ask: s.pool.api.GetUser},
		Cache:           session.CacheOptions{Entries: 10_000, Bytes: 128 << 20},
		Observe: session.Observer{
			Refresh: s.metrics.Refresh, Revoke: s.metrics.Revoke, Delete: s.metrics.Delete,
			LeaseWait: s.metrics.LeaseWait, Check: s.metrics.RevocationCheck, Beat: s.metrics.ChangesHeard,
		},
		Logger: s.log,
	}
}

// openStore opens the store at the configured address; maxHandle is how long a
// handle may be in bytes, where it is the session itself.
func (s *Server) openStore(maxHandle int) (session.Store, error) {
	at := s.cfg.Session.Store
	at.Username, at.Password = s.cfg.Session.StoreUsername, s.cfg.Session.StorePassword
	return sessionstore.Open(sessionstore.Options{
		Address: at, Ring: s.ring, Audience: s.pool.audience, IdleTimeout: s.cfg.Session.IdleTimeout, MaxHandle: maxHandle,
		WaitReplicas: s.cfg.Session.WaitReplicas, Logger: s.log, Observe: s.askedStore,
	})
}
