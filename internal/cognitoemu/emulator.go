package cognitoemu

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Emulator is a user pool and its domain as an [http.Handler]. It tells its two
// hosts apart by the Host header, so one listener serves both.
type Emulator struct {
	opts   Options
	seed   Seed
	issuer string
	clock  *clock
	log    *slog.Logger

	keys          *signingKeys
	users         *directory
	grants        *grantTable
	codes         *codeTable
	logins        *loginTable
	forms         *formTokens
	verifications *verifications
	challenges    *challengeTable
	levers        *Levers

	hosts map[string]http.Handler // by canonical host
	bases []string
}

// New checks the options and the seed, reporting every fault at once, and builds
// the pool. It starts nothing and touches no network.
func New(opts Options) (*Emulator, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("check emulator options: %w", err)
	}
	if faults := opts.Seed.check(); len(faults) > 0 {
		return nil, fmt.Errorf("check seed: %w", joinFaults(faults))
	}
	seed := opts.Seed.withDefaults()
	if opts.Keys == nil {
		// Now and not at first need: who asks for them first has a time limit.
		if opts.Keys, err = NewKeys(); err != nil {
			return nil, err
		}
	}
	e := &Emulator{
		opts: opts, seed: seed, issuer: opts.APIURL + "/" + seed.PoolID,
		clock: &clock{base: opts.Now}, log: opts.Logger,
		keys: &signingKeys{keys: opts.Keys}, users: newDirectory(seed, opts.Now()), grants: newGrantTable(),
		codes: newCodeTable(), logins: newLoginTable(), forms: newFormTokens(), verifications: newVerifications(),
		challenges: newChallengeTable(),
		bases:      []string{opts.PagesURL, opts.APIURL},
	}
	e.levers = &Levers{emulator: e, faults: map[Endpoint][]*Fault{}, calls: map[Endpoint]int{}, grants: map[string]int{}}
	e.hosts = e.routes()
	return e, nil
}

// routes maps each base URL's host to what it serves. Where both are the same
// host, it serves both surfaces.
func (e *Emulator) routes() map[string]http.Handler {
	pagesHost, apiHost := baseHost(e.opts.PagesURL), baseHost(e.opts.APIURL)
	pages := http.NewServeMux()
	api := pages
	if apiHost != pagesHost {
		api = http.NewServeMux()
	}
	e.domainRoutes(pages)
	e.idpRoutes(api)
	if apiHost == pagesHost {
		return map[string]http.Handler{pagesHost: named("X-Amz-Cognito-Request-Id", named("X-Amzn-Requestid", pages))}
	}
	return map[string]http.Handler{
		pagesHost: named("X-Amz-Cognito-Request-Id", pages),
		apiHost:   named("X-Amzn-Requestid", api),
	}
}

// named gives each answer an id under the header that its host uses.
func named(header string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(header, newUUID())
		next.ServeHTTP(w, r)
	})
}

// domainRoutes are the paths of the domain host.
func (e *Emulator) domainRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /oauth2/authorize", e.authorize)
	mux.HandleFunc("/oauth2/token", e.token)
	mux.HandleFunc("/oauth2/revoke", e.revoke)
	mux.HandleFunc("/oauth2/userInfo", e.userInfo)
	mux.HandleFunc("GET /login", e.loginPage)
	mux.HandleFunc("POST /login", e.login)
	mux.HandleFunc("GET /signup", e.signUpPage)
	mux.HandleFunc("POST /signup", e.signUp)
	mux.HandleFunc("GET /confirm", e.confirmPage)
	mux.HandleFunc("POST /confirm", e.confirm)
	mux.HandleFunc("GET /forgotPassword", e.forgotPasswordPage)
	mux.HandleFunc("POST /forgotPassword", e.forgotPassword)
	mux.HandleFunc("GET /confirmforgotPassword", e.newPasswordPage)
	mux.HandleFunc("POST /confirmforgotPassword", e.newPassword)
	mux.HandleFunc("GET /mfa", e.secondFactorPage)
	mux.HandleFunc("POST /mfa", e.enterSecondFactor)
	mux.HandleFunc("GET /logout", e.logout)
	mux.HandleFunc("GET /error", e.errorPage)
	mux.HandleFunc("GET /simulated/{provider}", e.providerPage)
	mux.HandleFunc("POST /simulated/{provider}", e.providerAnswer)
	mux.HandleFunc("GET /assets/{name}", e.asset)
	mux.HandleFunc("GET /{$}", e.aboutPage)
}

// idpRoutes are the paths of the IdP host.
func (e *Emulator) idpRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{pool}/.well-known/openid-configuration", e.discovery)
	mux.HandleFunc("GET /{pool}/.well-known/jwks.json", e.jwks)
	mux.HandleFunc("POST /{$}", e.api)
	mux.HandleFunc("OPTIONS /{$}", e.apiPreflight)
}

// ServeHTTP answers for both hosts. A host that is neither is refused, which also
// keeps a page of another site from reaching the emulator by DNS rebinding.
func (e *Emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	handler, ok := e.hosts[canonicalHost(r.Host, scheme)]
	if !ok {
		e.log.Warn("request for a host that is not the emulator's", "host", r.Host, "hosts", e.bases)
		http.Error(w, "This Cognito emulator answers at "+strings.Join(e.bases, " and ")+" only.", http.StatusMisdirectedRequest)
		return
	}
	endpoint := endpointOf(r)
	e.levers.count(endpoint, w, r)
	if fault, ok := e.levers.take(endpoint); ok {
		fault.apply(w, r, handler)
		return
	}
	handler.ServeHTTP(w, r)
}

// Users lists the native users of the pool as it is now, by address, with their
// passwords: for a banner.
func (e *Emulator) Users() []User {
	var list []User
	for _, a := range e.users.native() {
		list = append(list, a.asUser())
	}
	return list
}

// Issuer is the `iss` of every token.
func (e *Emulator) Issuer() string { return e.issuer }

// Levers are what a test can do to the emulator from outside the imitated surface.
func (e *Emulator) Levers() *Levers { return e.levers }

func (e *Emulator) client(id string) (Client, bool) {
	i := slices.IndexFunc(e.seed.Clients, func(c Client) bool { return c.ID == id })
	if i < 0 {
		return Client{}, false
	}
	return e.seed.Clients[i], true
}

func (e *Emulator) provider(name string) (Provider, bool) {
	i := slices.IndexFunc(e.seed.Providers, func(p Provider) bool { return p.Name == name })
	if i < 0 {
		return Provider{}, false
	}
	return e.seed.Providers[i], true
}

func (e *Emulator) tokenTTL(client Client) time.Duration {
	if client.TokenTTL > 0 {
		return client.TokenTTL
	}
	return e.opts.TokenTTL
}

func (e *Emulator) rotationOf(client Client) rotation {
	if client.Rotate {
		return rotation{enabled: true, grace: client.RotationGrace}
	}
	return rotation{enabled: e.opts.Rotate, grace: e.opts.RotationGrace}
}

func baseHost(base string) string {
	u, err := url.Parse(base)
	if err != nil { // checked by New
		return base
	}
	return canonicalHost(u.Host, u.Scheme)
}
