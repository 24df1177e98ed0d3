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

func newSessions(cfg *config.Config, own map[string]sessionstore.OpenEntries, ring *secret.Ring, pool *pool, sig signals) (*sessions, error) {
	o := cookieOptions(cfg, ring)
	store, err := openStore(cfg, sessionstore.Options{
		Own: own, Ring: ring, Audience: pool.audience, MaxHandle: o.Capacity(), Logger: sig.log, Observe: storeObserver(sig.metrics),
	})
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

// openStore opens the store that is configured.
func openStore(cfg *config.Config, o sessionstore.Options) (session.Store, error) {
	o.Address = cfg.Session.Store
	o.Address.Username, o.Address.Password = cfg.Session.StoreUsername, cfg.Session.StorePassword
	o.IdleTimeout, o.WaitReplicas = cfg.Session.IdleTimeout, cfg.Session.WaitReplicas
	return sessionstore.Open(o)
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
