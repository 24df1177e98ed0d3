package server

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cognito"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/handlers"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/returnto"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/storeurl"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// New builds a gateway. It reads the certificate files, and asks nothing of the
// network.
func New(cfg *config.Config, o Options) (*Server, error) {
	s := &Server{
		cfg: cfg, opts: o, mount: cfg.Mount,
		buffer:  telemetry.NewBuffer(o.Logs),
		metrics: telemetry.NewMetrics(o.Version, o.Commit),
		health:  &handlers.Health{},
	}
	var err error
	if s.log, err = telemetry.NewLogger(s.buffer, cfg.Log.Level, cfg.Log.Format); err != nil {
		return nil, err
	}
	if cfg.TLS.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(cfg.TLS.CertFile, cfg.TLS.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("load certificate (tls): %w", err)
		}
		s.opts.Certificate = &cert
	}
	if s.ring, err = secret.NewRing(cfg.Session.Keys...); err != nil {
		return nil, err
	}
	for _, build := range []func(*secret.Ring) error{s.buildCookies, s.buildSessions, s.buildEndpoints} {
		if err := build(s.ring); err != nil {
			return nil, err
		}
	}
	s.buildMiddleware()
	routing, err := s.newRouting(cfg.Routes)
	if err != nil {
		return nil, err
	}
	s.routing.Store(routing)
	s.metrics.Loaded()
	return s, nil
}

// buildSessions makes the provider, the store and the manager between them.
func (s *Server) buildSessions(ring *secret.Ring) error {
	s.proxy = forwardProxy(s.cfg.Proxy)
	s.calls = oauth.NewHTTPClient(s.proxy)
	s.api = cognito.NewAPI(cognito.APIOptions{
		Endpoint: s.cfg.Cognito.APIEndpoint, Region: s.cfg.Cognito.Region, HTTP: s.calls,
		Observe: s.askedUserPool,
	})
	client, err := s.oauthClient(ring)
	if err != nil {
		return err
	}
	if s.store, err = s.openStore(ring); err != nil {
		return err
	}
	s.manager, err = session.NewManager(session.Options{
		Store: s.store, Provider: client,
		IdleTimeout:     s.cfg.Session.IdleTimeout,
		AbsoluteTimeout: s.cfg.Session.AbsoluteTimeout,
		BeforeExpiry:    s.cfg.Refresh.BeforeExpiry,
		RefreshTimeout:  s.cfg.Refresh.Timeout,
		ForcedPerMinute: s.cfg.Refresh.ForcedPerMinute,
		RotationGrace:   s.cfg.Cognito.RotationGrace,
		MaxPerUser:      s.cfg.Session.MaxPerUser,
		RevocationCheck: session.RevocationCheck{Every: s.cfg.RevocationCheck, Ask: s.api.GetUser},
		Cache:           sessionCache(s.cfg.Session.Store.Scheme),
		Observe: session.Observer{
			Refresh: s.metrics.Refresh, Revoke: s.metrics.Revoke, Delete: s.metrics.Delete,
			LeaseWait: s.metrics.LeaseWait, Check: s.metrics.RevocationCheck, Beat: s.metrics.ChangesHeard,
			Change: s.changes.Tell, Heard: s.changes.Miss,
		},
		Logger: s.log,
	})
	if err != nil {
		return err
	}
	s.metrics.Sessions(s.sessionFigures)
	s.readiness.log = s.log
	s.readiness.checks = append(s.readiness.checks,
		check{"store unavailable", s.store.Ping, sessionstore.Reason},
		check{"user pool", s.keysKnown, error.Error})
	s.flow = &handlers.Flow{OAuth: client}
	return nil
}

func (s *Server) oauthClient(ring *secret.Ring) (*oauth.Client, error) {
	at := cognito.NewEndpoints(s.cfg.Cognito.Domain, s.cfg.Cognito.Issuer)
	s.pool = at
	return oauth.New(oauth.Options{
		ClientID: s.cfg.Cognito.ClientID, ClientSecret: s.cfg.Cognito.ClientSecret,
		AuthorizeURL: at.Authorize, SignupURL: at.Signup, TokenURL: at.Token,
		RevokeURL: at.Revoke, JWKSURL: at.JWKS,
		Settings: oauth.Settings{
			Issuer: issuerSetting(s.cfg), Domain: "cognito.domain", Client: "cognito.client_id and cognito.client_secret",
		},
		Issuer: s.cfg.Cognito.Issuer, RedirectURL: s.ownURL("/callback"),
		Scopes: s.cfg.Cognito.Scopes, Ring: ring,
		HTTP: s.calls, Timeout: s.cfg.Refresh.Timeout, Observe: s.askedUserPool,
	})
}

func (s *Server) openStore(ring *secret.Ring) (session.Store, error) {
	switch s.cfg.Session.Store.Scheme {
	case storeurl.Memory:
		memory := sessionstore.NewMemory(sessionstore.MemoryOptions{IdleTimeout: s.cfg.Session.IdleTimeout})
		s.count = memory.Count
		return memory, nil
	case storeurl.Cookie:
		return opened(sessionstore.NewCookie(sessionstore.CookieOptions{
			Codec: s.portable(ring), IdleTimeout: s.cfg.Session.IdleTimeout, MaxHandle: s.cookies.Capacity(),
		}))
	default:
		at := s.cfg.Session.Store
		at.Username, at.Password = s.cfg.Session.StoreUsername, s.cfg.Session.StorePassword
		redis, err := sessionstore.NewRedis(sessionstore.RedisOptions{
			Address: at, Ring: ring, Audience: s.audience(), IdleTimeout: s.cfg.Session.IdleTimeout, Observe: s.askedStore,
			WaitReplicas: s.cfg.Session.WaitReplicas, Logger: s.log,
		})
		if err == nil {
			s.count, s.keepCount = redis.Count, redis.KeepCount
		}
		return opened(redis, err)
	}
}

// portable makes the handles of the store cookie:.
func (s *Server) portable(ring *secret.Ring) *session.PortableCodec {
	return session.NewPortableCodec(ring, s.audience())
}

// audience is whose sessions these are. Gateways that share keys, and a Redis, may
// still serve other user pools, or other clients of one.
func (s *Server) audience() string { return s.cfg.Cognito.Issuer + " " + s.cfg.Cognito.ClientID }

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

func (s *Server) buildCookies(ring *secret.Ring) error {
	o := cookie.Options{
		Name: s.cfg.Session.Cookie.Name, Domain: s.cfg.Session.Cookie.Domain,
		SameSite: s.cfg.Session.Cookie.SameSite, Secure: s.cfg.PublicURL.Scheme == "https",
		Persistent: s.cfg.Session.Persistent, MaxAge: s.cfg.Session.AbsoluteTimeout, Ring: ring,
		Bytes: s.cfg.Limits.CookieBytes,
	}
	if s.cfg.Session.Store.Scheme == storeurl.Cookie {
		o.Opens = s.portable(ring).Opens
	}
	var err error
	s.cookies, err = cookie.New(o)
	return err
}

func routeTable(routes []config.Route) []proxy.Route {
	auth := map[string]proxy.Auth{"session": proxy.AuthSession, "optional": proxy.AuthOptional, "none": proxy.AuthNone}
	token := map[string]proxy.Token{"access": proxy.TokenAccess, "id": proxy.TokenID, "none": proxy.TokenNone}
	out := make([]proxy.Route, len(routes))
	for i, r := range routes {
		out[i] = proxy.Route{
			Path: r.Path, Host: r.Host, Auth: auth[r.Auth], Methods: r.Methods,
			Upstream: r.Upstream, StripPrefix: r.StripPrefix, PreserveHost: r.PreserveHost,
			Token: token[r.Token], UseProxy: r.UseProxy, Timeout: r.Timeout,
			UpstreamIdle: r.UpstreamIdleTimeout, CacheUpstream: r.CacheUpstream,
			Static: r.Static, SPAFallback: r.SPAFallback,
			AllowEncodedSlash: r.AllowEncodedSlash, RefuseNavigations: !r.Navigations, NoTouch: !r.Touch,
		}
	}
	return out
}

// buildEndpoints makes the gateway's own endpoints.
func (s *Server) buildEndpoints(*secret.Ring) error {
	s.returnTo = returnto.Policy{
		Own: origin(s.cfg.PublicURL), Origins: slices.Clone(s.cfg.Login.ReturnOrigins),
		Refused: []string{s.mount + "/login", s.mount + "/callback"},
	}
	for _, host := range s.cfg.AllowedHosts {
		s.returnTo.Origins = append(s.returnTo.Origins, s.cfg.PublicURL.Scheme+"://"+host)
	}
	s.flow.Sessions, s.flow.Cookies, s.flow.ReturnTo = s.manager, s.cookies, s.returnTo
	s.flow.DefaultReturnTo, s.flow.ErrorURL = s.cfg.Login.DefaultReturnTo, s.cfg.Login.ErrorURL
	s.flow.PublicURL, s.flow.LoginPath = s.cfg.PublicURL, s.mount+"/login"
	s.flow.Username, s.flow.Metrics = cognito.Username, s.metrics
	if named := s.cfg.Cognito.Providers; len(named) > 0 {
		s.flow.Providers = append(slices.Clip(named), cognito.OwnDirectory)
	}
	s.account = &handlers.Account{
		Sessions: s.manager, Cookies: s.cookies, LoginID: cognito.LoginID,
		AccessClaims: s.cfg.Session.Claims.Access, IDClaims: s.cfg.Session.Claims.ID,
		LogoutPath: s.mount + "/logout",
	}
	s.events = &handlers.Events{
		Account: s.account, Changes: &s.changes, Lookups: make(chan struct{}, 16),
		Lead: min(expiryNotice, s.cfg.Session.IdleTimeout/4),
	}
	s.public = &handlers.PublicConfig{
		Mount: s.mount, ClientID: s.cfg.Cognito.ClientID, UserPoolID: s.cfg.Cognito.UserPoolID,
		Region: s.cfg.Cognito.Region, Providers: append([]string{}, s.cfg.Cognito.Providers...),
		CSRFHeader: s.cfg.CSRFHeader,
	}
	return nil
}

// buildMiddleware makes what every request passes, and the logout, which asks
// the same-origin rule.
func (s *Server) buildMiddleware() {
	s.origins = &middleware.Origins{
		Cookies: s.cookies, Scheme: s.cfg.PublicURL.Scheme,
		Allowed: s.cfg.AllowedOrigins, CSRFHeader: s.cfg.CSRFHeader,
	}
	s.sessions = &middleware.Sessions{Manager: s.manager, Cookies: s.cookies}
	s.guard = &middleware.Guard{
		PublicURL: s.cfg.PublicURL, AllowedHosts: s.cfg.AllowedHosts, HealthPath: s.mount + "/healthz",
		RedirectLoopback: s.opts.RedirectLoopback,
		URLBytes:         s.cfg.Limits.URLBytes, CookieBytes: s.cfg.Limits.CookieBytes, Cookies: s.cfg.Limits.Cookies,
	}
	s.record = &middleware.Record{
		Problems: problem.NewRenderer(problem.Options{
			LoginPath: s.mount + "/login", StartURL: s.cfg.Login.DefaultReturnTo, PublicURL: s.cfg.PublicURL.String(),
			ReturnTo: s.returnTo, Metrics: s.metrics,
		}),
		Logger: s.log, Trust: middleware.Trust{Proxies: s.cfg.TrustedProxies, Headers: s.cfg.TrustedHeaders}, HSTS: s.hsts(),
	}
	s.logout = &handlers.Logout{
		Sessions: s.manager, Cookies: s.cookies, ReturnTo: s.returnTo,
		Trusts: s.origins.MayUseCookie, GlobalSignOut: s.api.GlobalSignOut,
		ProviderURL:     cognito.LogoutURL(s.cfg.Cognito.Domain, s.cfg.Cognito.ClientID, s.ownURL("/signed-out")),
		DefaultReturnTo: s.cfg.Login.LogoutReturnTo, StartURL: s.cfg.Login.DefaultReturnTo,
		Path: s.mount + "/logout", FormOrigins: s.formOrigins(),
	}
}

// formOrigins are where the form of the logout page may lead: browsers apply
// form-action to every redirect behind it (CSP Level 3 §6.4.1).
func (s *Server) formOrigins() []string {
	return append([]string{origin(s.cfg.Cognito.Domain), origin(s.cfg.PublicURL)}, s.returnTo.Origins...)
}

func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// routeMetrics resolves each route's metrics once.
func (s *Server) routeMetrics(table *proxy.Table) func(*proxy.Route) *telemetry.RouteMetrics {
	none := s.metrics.Route("none")
	byRoute := make(map[*proxy.Route]*telemetry.RouteMetrics)
	for _, r := range table.Routes() {
		byRoute[r] = s.metrics.Route(r.Host + r.Path)
	}
	return func(r *proxy.Route) *telemetry.RouteMetrics {
		if m, ok := byRoute[r]; ok {
			return m
		}
		return none
	}
}

// hsts is the Strict-Transport-Security header (RFC 6797). A loopback name must
// not have it: it would force https on everything else served there.
func (s *Server) hsts() string {
	if s.cfg.PublicURL.Scheme != "https" || loopbackAddress(s.cfg.PublicURL.Host) {
		return ""
	}
	return "max-age=31536000"
}

func (s *Server) ownURL(path string) string { return s.cfg.PublicURL.String() + s.mount + path }

// Handler returns the gateway's public handler, for tests that serve it themselves.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serveRouted) }
