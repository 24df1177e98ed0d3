package server

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/cognito"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/handlers"
	"github.com/gatehouse-auth/gatehouse/internal/loopback"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/readiness"
	"github.com/gatehouse-auth/gatehouse/internal/returnto"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// New builds a gateway. It reads the certificate files, and asks nothing of the
// network.
func New(cfg *config.Config, o Options) (*Server, error) {
	sig, err := newSignals(cfg.Log, o)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, opts: o, signals: sig, mount: cfg.Mount, health: &handlers.Health{}}
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
	s.proxy = forwardProxy(cfg.Proxy)
	if s.pool, err = newPool(cfg, s.ring, oauth.NewHTTPClient(s.proxy), sig); err != nil {
		return nil, err
	}
	if err := s.buildStore(); err != nil {
		return nil, err
	}
	if err := s.buildSessions(); err != nil {
		return nil, err
	}
	s.ready = readiness.New(sig.log,
		readiness.Check{Name: "store unavailable", Ask: s.store.Ping, Reason: sessionstore.Reason},
		readiness.Check{Name: "user pool", Ask: s.pool.keysKnown, Reason: error.Error})
	s.buildEndpoints()
	s.buildMiddleware()
	routing, err := s.newRouting(cfg.Routes)
	if err != nil {
		return nil, err
	}
	s.routing.Store(routing)
	s.metrics.Loaded()
	return s, nil
}

// buildStore opens the session store, and makes the cookies that carry its handles.
func (s *Server) buildStore() (err error) {
	o := cookie.Options{
		Name: s.cfg.Session.Cookie.Name, Domain: s.cfg.Session.Cookie.Domain,
		SameSite: s.cfg.Session.Cookie.SameSite, Secure: s.cfg.PublicURL.Scheme == "https",
		Persistent: s.cfg.Session.Persistent, MaxAge: s.cfg.Session.AbsoluteTimeout, Ring: s.ring,
		Bytes: s.cfg.Limits.CookieBytes,
	}
	if s.store, err = s.openStore(o.Capacity()); err != nil {
		return err
	}
	o.Opens = s.store.Traits().Opens
	s.cookies, err = cookie.New(o)
	return err
}

func routeTable(routes []config.Route) []proxy.Route {
	token := map[string]proxy.Token{"access": proxy.TokenAccess, "id": proxy.TokenID, "none": proxy.TokenNone}
	out := make([]proxy.Route, len(routes))
	for i, r := range routes {
		out[i] = proxy.Route{
			Path: r.Path, Host: r.Host, Access: access(r), Methods: r.Methods,
			Upstream: r.Upstream, StripPrefix: r.StripPrefix, PreserveHost: r.PreserveHost,
			Token: token[r.Token], UseProxy: r.UseProxy, Timeout: r.Timeout,
			UpstreamIdle: r.UpstreamIdleTimeout, CacheUpstream: r.CacheUpstream,
			Static: r.Static, SPAFallback: r.SPAFallback,
			AllowEncodedSlash: r.AllowEncodedSlash,
		}
	}
	return out
}

// access is the access policy of a route of the configuration.
func access(r config.Route) proxy.Access {
	auth := map[string]proxy.Auth{"session": proxy.AuthSession, "optional": proxy.AuthOptional, "none": proxy.AuthNone}
	return proxy.Access{Auth: auth[r.Auth], Navigations: r.Navigations, Touch: r.Touch}
}

// buildEndpoints makes the gateway's own endpoints.
func (s *Server) buildEndpoints() {
	s.sessions = &middleware.Sessions{Manager: s.manager, Cookies: s.cookies}
	s.returnTo = returnto.Policy{
		Own: origin(s.cfg.PublicURL), Origins: slices.Clone(s.cfg.Login.ReturnOrigins),
		Refused: []string{s.mount + "/login", s.mount + "/callback"},
	}
	for _, host := range s.cfg.AllowedHosts {
		s.returnTo.Origins = append(s.returnTo.Origins, s.cfg.PublicURL.Scheme+"://"+host)
	}
	s.flow = &handlers.Flow{
		OAuth: s.pool.oauth, Sessions: s.sessions, Cookies: s.cookies, ReturnTo: s.returnTo,
		DefaultReturnTo: s.cfg.Login.DefaultReturnTo, ErrorURL: s.cfg.Login.ErrorURL,
		PublicURL: s.cfg.PublicURL, LoginPath: s.mount + "/login",
		Username: cognito.Username, Metrics: s.metrics,
	}
	if named := s.cfg.Cognito.Providers; len(named) > 0 {
		s.flow.Providers = append(slices.Clip(named), cognito.OwnDirectory)
	}
	s.account = &handlers.Account{
		Sessions: s.sessions, LoginID: cognito.LoginID,
		AccessClaims: s.cfg.Session.Claims.Access, IDClaims: s.cfg.Session.Claims.ID,
		LogoutPath: s.mount + "/logout",
	}
	s.events = &handlers.Events{
		Account: s.account, Lookups: make(chan struct{}, 16),
		Lead: min(expiryNotice, s.cfg.Session.IdleTimeout/4),
	}
	s.public = &handlers.PublicConfig{
		Mount: s.mount, ClientID: s.cfg.Cognito.ClientID, UserPoolID: s.cfg.Cognito.UserPoolID,
		Region: s.cfg.Cognito.Region, Providers: append([]string{}, s.cfg.Cognito.Providers...),
		CSRFHeader: s.cfg.CSRFHeader,
	}
}

// buildMiddleware makes what every request passes, and the logout, which asks
// the same-origin rule.
func (s *Server) buildMiddleware() {
	s.origins = &middleware.Origins{
		Cookies: s.cookies, Scheme: s.cfg.PublicURL.Scheme,
		Allowed: s.cfg.AllowedOrigins, CSRFHeader: s.cfg.CSRFHeader,
	}
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
		Sessions: s.sessions, Cookies: s.cookies, ReturnTo: s.returnTo,
		Trusts: s.origins.MayUseCookie, GlobalSignOut: s.pool.api.GlobalSignOut,
		ProviderURL:     s.pool.logoutURL,
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
	if s.cfg.PublicURL.Scheme != "https" || loopback.Host(s.cfg.PublicURL.Hostname()) {
		return ""
	}
	return "max-age=31536000"
}

// ownURL is the address of one of the gateway's own endpoints.
func ownURL(cfg *config.Config, path string) string { return cfg.PublicURL.String() + cfg.Mount + path }

// Handler returns the gateway's public handler, for tests that serve it themselves.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serveRouted) }
