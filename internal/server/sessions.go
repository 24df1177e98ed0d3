package server

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/storeurl"
)

// buildSessions makes the store, and the manager between it and the user pool.
func (s *Server) buildSessions() (err error) {
	if s.store, err = s.openStore(); err != nil {
		return err
	}
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
		Cache:           sessionCache(s.cfg.Session.Store.Scheme),
		Observe: session.Observer{
			Refresh: s.metrics.Refresh, Revoke: s.metrics.Revoke, Delete: s.metrics.Delete,
			LeaseWait: s.metrics.LeaseWait, Check: s.metrics.RevocationCheck, Beat: s.metrics.ChangesHeard,
		},
		Logger: s.log,
	}
}

func (s *Server) openStore() (session.Store, error) {
	switch s.cfg.Session.Store.Scheme {
	case storeurl.Memory:
		memory := sessionstore.NewMemory(sessionstore.MemoryOptions{IdleTimeout: s.cfg.Session.IdleTimeout})
		s.count = memory.Count
		return memory, nil
	case storeurl.Cookie:
		return opened(sessionstore.NewCookie(sessionstore.CookieOptions{
			Codec: s.portable(), IdleTimeout: s.cfg.Session.IdleTimeout, MaxHandle: s.cookies.Capacity(),
		}))
	default:
		at := s.cfg.Session.Store
		at.Username, at.Password = s.cfg.Session.StoreUsername, s.cfg.Session.StorePassword
		redis, err := sessionstore.NewRedis(sessionstore.RedisOptions{
			Address: at, Ring: s.ring, Audience: s.pool.audience, IdleTimeout: s.cfg.Session.IdleTimeout, Observe: s.askedStore,
			WaitReplicas: s.cfg.Session.WaitReplicas, Logger: s.log,
		})
		if err == nil {
			s.count, s.keepCount = redis.Count, redis.KeepCount
		}
		return opened(redis, err)
	}
}

// portable makes the handles of the store cookie:.
func (s *Server) portable() *session.PortableCodec {
	return session.NewPortableCodec(s.ring, s.pool.audience)
}

// sessionCache bounds the cache of opened sessions; only sessions that lie in a
// store elsewhere, sealed, need one.
func sessionCache(scheme string) session.CacheOptions {
	switch scheme {
	case storeurl.Memory, storeurl.Cookie:
		return session.CacheOptions{}
	case storeurl.Cluster:
		// The sign of life is the word of one node; what the others publish comes to
		// it over the cluster's bus, whose loss does not show. So the age is the bound.
		return session.CacheOptions{Entries: 10_000, Bytes: 128 << 20, Age: 900 * time.Millisecond}
	}
	return session.CacheOptions{Entries: 10_000, Bytes: 128 << 20}
}

// opened keeps a failed constructor's nil pointer from becoming a store that is
// not nil.
func opened[S session.Store](store S, err error) (session.Store, error) {
	if err != nil {
		return nil, err
	}
	return store, nil
}
