package server

import (
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/amplify"
	"github.com/gatehouse-auth/gatehouse/internal/assertion"
	"github.com/gatehouse-auth/gatehouse/internal/cognito"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/handlers"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
	"github.com/gatehouse-auth/gatehouse/web"
)

const (
	// expiryNotice is how long before its end a page is told of it.
	expiryNotice = time.Minute
	// lookups is how many event streams look their sessions up at a time.
	lookups = 16
)

// ownHandlers are the handlers of the gateway's own endpoints; [pipeline.endpoints]
// says where each is.
type ownHandlers struct {
	flow    *handlers.Flow
	account *handlers.Account
	events  *handlers.Events
	logout  *handlers.Logout
	public  *handlers.PublicConfig
	health  *handlers.Health
	keySet  *handlers.KeySet
	modules *handlers.Modules
	amplify *amplify.Facade // nil: not enabled
}

func newOwnHandlers(
	cfg *config.Config, ring *secret.Ring, assertions *assertion.Signer, pool *pool, sessions *sessions, edge edge,
	logins *middleware.Rate, metrics *telemetry.Metrics,
) ownHandlers {
	flow, account := newFlow(cfg, pool, sessions, edge, logins, metrics), newAccount(cfg, sessions)
	logout := newLogout(cfg, pool, sessions, edge)
	facade := newFacade(cfg, ring, pool, sessions, edge, flow, logout)
	return ownHandlers{
		flow: flow, account: account,
		events: &handlers.Events{
			Account: account, Open: sessions.streams.Open, Lookups: make(chan struct{}, lookups),
			Lead: min(expiryNotice, cfg.Session.IdleTimeout/4),
		},
		logout: logout,
		public: &handlers.PublicConfig{
			Mount: cfg.Mount, ClientID: cfg.Cognito.ClientID, UserPoolID: cfg.Cognito.UserPoolID,
			Region: cfg.Cognito.Region, Providers: append([]string{}, cfg.Cognito.Providers...),
			CSRFHeader: cfg.CSRFHeader,
		},
		health: &handlers.Health{}, keySet: &handlers.KeySet{Of: assertions.KeySet}, modules: handlers.NewModules(cfg.Mount+sdkPath, web.Modules),
		amplify: facade,
	}
}

func newFlow(
	cfg *config.Config, pool *pool, sessions *sessions, edge edge, logins *middleware.Rate, metrics *telemetry.Metrics,
) *handlers.Flow {
	providers := slices.Clip(cfg.Cognito.Providers)
	if len(providers) > 0 {
		providers = append(providers, cognito.OwnDirectory)
	}
	return &handlers.Flow{
		OAuth: pool.oauth, Sessions: sessions.steps, Cookies: sessions.cookies, ReturnTo: edge.returnTo,
		DefaultReturnTo: cfg.Login.DefaultReturnTo, ErrorURL: cfg.Login.ErrorURL,
		PublicURL: cfg.PublicURL, LoginPath: cfg.Mount + "/login", LogoutPath: cfg.Mount + "/logout", Providers: providers,
		Ends:     map[string]handlers.End{cfg.Mount + popupPath: handlers.PopupEnd},
		Username: cognito.Username, Starts: logins, Metrics: metrics,
	}
}

func newAccount(cfg *config.Config, sessions *sessions) *handlers.Account {
	return &handlers.Account{
		Sessions: sessions.steps, LoginID: cognito.LoginID,
		AccessClaims: cfg.Session.Claims.Access, IDClaims: cfg.Session.Claims.ID,
		LogoutPath: cfg.Mount + "/logout",
	}
}

func newLogout(cfg *config.Config, pool *pool, sessions *sessions, edge edge) *handlers.Logout {
	return &handlers.Logout{
		Sessions: sessions.steps, Cookies: sessions.cookies, ReturnTo: edge.returnTo,
		Trusts: edge.origins.MayUseCookie, GlobalSignOut: pool.api.GlobalSignOut,
		ProviderURL:     pool.logoutURL,
		DefaultReturnTo: cfg.Login.LogoutReturnTo, StartURL: cfg.Login.DefaultReturnTo,
		Path: cfg.Mount + "/logout",
		// Browsers apply form-action to every redirect behind the form (CSP Level 3 §6.4.1).
		FormOrigins: append([]string{origin(cfg.Cognito.Domain), origin(cfg.PublicURL)}, edge.returnTo.Origins...),
	}
}

func newFacade(
	cfg *config.Config, ring *secret.Ring, pool *pool, sessions *sessions, edge edge, flow *handlers.Flow, logout *handlers.Logout,
) *amplify.Facade {
	if !cfg.Amplify.Enabled {
		return nil
	}
	facade := amplify.New(amplify.Options{
		Sessions: sessions.steps, API: pool.api, OAuth: pool.oauth, Flow: flow, Logout: logout, Trusts: edge.origins.MayUseCookie,
		Client:         cognito.Client{ID: cfg.Cognito.ClientID, Secret: cfg.Cognito.ClientSecret},
		PasswordSignIn: cfg.Amplify.PasswordSignIn, Ring: ring, Audience: pool.audience,
		RedirectURIs: cfg.Amplify.RedirectURIs,
		LoginPath:    flow.LoginPath, EndPath: cfg.Mount + facadePath + "/oauth2/return",
		Shadows: amplify.Shadows{
			ClientID: cfg.Cognito.ClientID, AccessClaims: cfg.Session.Claims.Access, IDClaims: cfg.Session.Claims.ID,
		},
	})
	flow.Ends[facade.EndPath] = facade.EndLogin
	return facade
}
