package server

import (
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
)

// sessions are where sessions lie, the cookies that carry their handles, and who
// gives them their life.
type sessions struct {
	store   session.Store
	cookies *cookie.Jar
	manager *session.Manager
	steps   *middleware.Sessions // a request's way to its session
}

func newSessions(cfg *config.Config, ring *secret.Ring, pool *pool, sig signals) (*sessions, error) {
	o := cookieOptions(cfg, ring)
	store, err := openStore(cfg, ring, pool.audience, o.Capacity(), sig)
	if err != nil {
		return nil, err
	}
	o.Opens = store.Traits().Opens
	cookies, err := cookie.New(o)
	if err != nil {
		return nil, err
	}
	manager, err := newManager(cfg, store, pool, sig)
	if err != nil {
		return nil, err
	}
	s := &sessions{store, cookies, manager, &middleware.Sessions{Manager: manager, Cookies: cookies}}
	sig.metrics.OnScrape(s.figures)
	return s, nil
}

func cookieOptions(cfg *config.Config, ring *secret.Ring) cookie.Options {
	c := cfg.Session
	return cookie.Options{
		Name: c.Cookie.Name, Domain: c.Cookie.Domain,
		SameSite: c.Cookie.SameSite, Secure: cfg.PublicURL.Scheme == "https",
		Persistent: c.Persistent, MaxAge: c.AbsoluteTimeout, Ring: ring,
		Bytes: cfg.Limits.CookieBytes,
	}
}

// openStore opens the store at the configured address; maxHandle is how long a
// handle may be in bytes, where it is the session itself.
func openStore(cfg *config.Config, ring *secret.Ring, audience session.Audience, maxHandle int, sig signals) (session.Store, error) {
	at := cfg.Session.Store
	at.Username, at.Password = cfg.Session.StoreUsername, cfg.Session.StorePassword
	return sessionstore.Open(sessionstore.Options{
		Address: at, Ring: ring, Audience: audience, IdleTimeout: cfg.Session.IdleTimeout, MaxHandle: maxHandle,
		WaitReplicas: cfg.Session.WaitReplicas, Logger: sig.log, Observe: storeObserver(sig.metrics),
	})
}

func newManager(cfg *config.Config, store session.Store, pool *pool, sig signals) (*session.Manager, error) {
	return session.NewManager(session.Options{
		Store: store, Provider: pool.oauth,
		IdleTimeout:     cfg.Session.IdleTimeout,
		AbsoluteTimeout: cfg.Session.AbsoluteTimeout,
		BeforeExpiry:    cfg.Refresh.BeforeExpiry,
		RefreshTimeout:  cfg.Refresh.Timeout,
		ForcedPerMinute: cfg.Refresh.ForcedPerMinute,
		RotationGrace:   cfg.Cognito.RotationGrace,
		MaxPerUser:      cfg.Session.MaxPerUser,
		UserCheck:       session.UserCheck{Every: cfg.RevocationCheck, Ask: pool.stillIn},
		Cache:           session.CacheOptions{Entries: 10_000, Bytes: 128 << 20},
		Observe:         sessionObserver(sig.metrics), Logger: sig.log,
	})
}
