package server

import (
	"math"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/streams"
)

// sessions are where sessions lie, the cookies that carry their handles, and who
// gives them their life.
type sessions struct {
	store   session.Store
	cookies *cookie.Jar
	manager *session.Manager
	steps   *middleware.Sessions // a request's way to its session
	streams *middleware.Streams
	keeper  *streams.Keeper
}

func newSessions(cfg *config.Config, o Options, ring *secret.Ring, pool *pool, sig signals) (*sessions, error) {
	jar := cookieOptions(cfg, ring)
	store, err := openStore(cfg, sessionstore.Options{
		Own: o.Stores, Ring: ring, Audience: pool.audience, MaxHandle: jar.Capacity(), Logger: sig.log, Observe: storeObserver(sig.metrics),
	})
	if err != nil {
		return nil, err
	}
	jar.Opens = store.Traits().Opens
	cookies, err := cookie.New(jar)
	if err != nil {
		return nil, err
	}
	manager, err := newManager(cfg, store, pool, cacheBytes(cfg.Session.CacheBytes, o.Memory.Limit), sig)
	if err != nil {
		return nil, err
	}
	s := &sessions{
		store: store, cookies: cookies, manager: manager,
		steps:   &middleware.Sessions{Manager: manager, Cookies: cookies},
		streams: &middleware.Streams{Manager: manager, Open: &streams.Registry{PerSession: cfg.Limits.StreamsPerSession, Most: cfg.Limits.Streams}},
	}
	s.keeper = &streams.Keeper{Registry: s.streams.Open, Sessions: manager}
	manager.Follow(s.keeper.Heard)
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

// cacheBytes is what the cache of opened sessions may take, for what is configured
// and the process's memory limit, 0 for none. A third of that leaves as much for
// garbage, and as much for everything else.
func cacheBytes(configured, limit int64) int {
	switch {
	case configured != config.Auto:
		return int(min(configured, math.MaxInt))
	case limit > 0:
		return int(min(limit/3, math.MaxInt))
	}
	return 128 << 20
}

func newManager(cfg *config.Config, store session.Store, pool *pool, cacheBytes int, sig signals) (*session.Manager, error) {
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
		CacheBytes:      cacheBytes,
		Observe:         sessionObserver(sig.metrics), Logger: sig.log,
	})
}
