// Package config reads one YAML file and the environment into a resolved,
// immutable [Config], and reports everything that is wrong with them at once.
//
// It owns the table of keys, from which parsing, overrides by variable,
// defaults, the printed configuration, the JSON Schema and the operator's
// reference all come. It leaves to others whether what is named exists: no store,
// user pool or certificate is looked at, only the files of *_file keys are read,
// and those of static routes looked for. The one invariant: a Config that [Load] returned needs no
// further check, and nothing [Load] or [Config.Print] says holds a secret.
package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/storeurl"
)

// Config is the resolved configuration: defaults filled in, addresses parsed,
// every value checked. Nothing changes it after [Load] returned it.
type Config struct {
	Listen         string
	AdminListen    string
	AdminToken     secret.Text
	PublicURL      *url.URL // scheme and host only, no trailing slash
	Mount          string   // "/auth"
	TrustedProxies []netip.Prefix
	TrustedHeaders []string
	AllowedOrigins []string // serialised origins, lower case: scheme://host[:port]
	AllowedHosts   []string // lower case host[:port]
	TLS            TLS
	H2C            bool
	Proxy          Proxy
	Cognito        Cognito
	Session        Session
	Refresh        Refresh
	// RevocationCheck is how often the user pool is asked about a session; 0: not at all.
	RevocationCheck time.Duration
	CSRFHeader      string
	RateLimit       RateLimit
	BearerClients   []string // client ids
	Login           Login
	Amplify         Amplify
	Verify          Verify
	Limits          Limits
	Require         Require // as Load has put it into the routes
	Routes          []Route
	Log             Log

	// Overruled are the keys whose values in the file, or in variables, gave way to a
	// [Preset].
	Overruled []string
	// Warnings are what [Load] found odd but not wrong, one sentence each.
	Warnings []string
}

// TLS names the files of the public listener's certificate; both or neither.
type TLS struct{ CertFile, KeyFile string }

// Proxy names forward proxies for calls to the user pool, and to the upstreams of
// routes that say so. Addresses may hold a password; they have a scheme.
type Proxy struct {
	HTTPS, HTTP secret.Text // by the scheme of what is called; empty: none
	No          []string    // what is called without: as NO_PROXY has it
}

// Cognito names the user pool and this gateway's app client.
type Cognito struct {
	Region       string
	UserPoolID   string
	ClientID     string
	ClientSecret secret.Text
	Domain       *url.URL // Hosted UI / managed login: /oauth2/*, /login, /logout
	Issuer       string   // resolved: the configured one, else the regional default
	APIEndpoint  *url.URL // resolved: the configured one, else the regional default
	Scopes       []string
	Providers    []string
	// RotationGrace is how long Cognito takes a rotated refresh token again; 0: not at all.
	RotationGrace time.Duration
}

// Session says how sessions are kept and for how long.
type Session struct {
	Store           storeurl.Address // user and password stand below
	StoreUsername   string
	StorePassword   secret.Text
	Keys            Keys // 32 bytes each; the first seals, all open
	IdleTimeout     time.Duration
	AbsoluteTimeout time.Duration
	Persistent      bool
	Cookie          Cookie
	Claims          Claims
	MaxPerUser      int   // 0: no limit
	CacheBytes      int64 // 0: no cache; [Auto]: by the process's memory limit
	WaitReplicas    int   // 0: none
}

// Keys are sealing keys. Under no verb and no encoder do they show their bytes.
type Keys [][]byte

// Format implements [fmt.Formatter] for every verb and flag.
func (k Keys) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "%d keys", len(k)) }

// MarshalText implements [encoding.TextMarshaler], which also serves JSON, YAML and slog.
func (k Keys) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%v", k), nil }

// Cookie shapes the session cookie.
type Cookie struct {
	Name     string // replaces "gatehouse"
	Domain   string
	SameSite string // lax, strict, none
}

// Claims lists what /auth/session shows of each token; empty shows all.
type Claims struct{ Access, ID []string }

// Refresh says when and how tokens are refreshed.
type Refresh struct {
	BeforeExpiry    time.Duration
	Timeout         time.Duration
	ForcedPerMinute int
}

// RateLimit limits what is not a route's.
type RateLimit struct{ LoginPerMinute int } // 0: no limit

// Login says where browsers are sent around signing in and out.
type Login struct {
	DefaultReturnTo string
	LogoutReturnTo  string
	ReturnOrigins   []string // serialised origins
	ErrorURL        string
}

// Amplify is the façade for aws-amplify.
type Amplify struct {
	Enabled bool
	// RedirectURIs are compared to the letter, so they stand here as they were written.
	RedirectURIs   []string
	PasswordSignIn bool
}

// Verify is forward-auth, for fronts that ask about requests.
type Verify struct {
	Listen    string // empty: no listener of its own
	Secret    secret.Text
	PassToken bool
	Headers   string // forwarded, original
}

// Limits bounds what a request may carry, in bytes except Cookies, how long clients are
// waited for, and how many there are.
type Limits struct {
	HeaderBytes int
	CookieBytes int
	Cookies     int
	URLBytes    int
	BodyBytes   int64 // 0: no limit

	HeaderTimeout time.Duration
	BodyTimeout   time.Duration // of requests to the gateway's own endpoints
	RestTimeout   time.Duration // of bodies that nobody reads
	WriteTimeout  time.Duration
	KeepAlive     time.Duration

	Connections  int // [Auto]: by the process's limit of descriptors
	HTTP2Streams int // of a connection

	Streams           int // of an instance; 0: no limit
	StreamsPerSession int // 0: no limit
}

// Route maps a path prefix to an upstream or a directory.
type Route struct {
	Path                string
	Host                string     // empty: every host of ours
	Upstreams           []Upstream // none if Static is set
	HealthCheck         HealthCheck
	UpstreamTLS         UpstreamTLS
	UpstreamProtocol    string // auto, http1, http2
	BodyBytes           int64  // as limits.body_bytes, where the route has none of its own; 0: no limit
	Static              string
	SPAFallback         string
	StripPrefix         bool
	Auth                string // session, bearer, either, optional, none
	Token               string // access, id, none
	IdentityHeaders     bool
	Headers             Mapping // claims by the header that carries them
	Assertion           Assertion
	Require             Require
	Methods             []string
	Timeout             time.Duration
	Transport           string // auto, standard
	Reuse               string // auto, never
	IdleTimeout         time.Duration
	UpstreamIdleTimeout time.Duration
	UpstreamRest        time.Duration
	UpstreamConnections int
	PreserveHost        bool
	AllowEncodedSlash   bool
	Navigations         bool // false: navigations are refused
	Touch               bool // false: requests do not slide the idle limit
	CacheUpstream       bool // cache: upstream
	CORSUpstream        bool // cors: upstream
	UseProxy            bool
	AllowLinkLocal      bool
	RateLimit           RouteRate
	Concurrency         int // 0: no limit
}

// RouteRate limits how often a route is used.
type RouteRate struct {
	Requests int // 0: no limit
	Per      time.Duration
	Burst    int    // 0: as many as Requests
	By       string // address, user, route
}

// Assertion is the gateway's own statement to an upstream of who is calling.
type Assertion struct {
	Audience string // whom it is for; empty: none is sent
	Header   string
}

// UpstreamTLS is what TLS to a route's upstreams goes by: the files of those who vouch for
// them, and of the gateway's own certificate. Empty ones stand for the system's, and none.
type UpstreamTLS struct{ CAFile, CertFile, KeyFile, ServerName string }

// HealthCheck is how the upstreams of a route are asked whether they are well; without
// a path they are not.
type HealthCheck struct {
	Path              string
	Interval, Timeout time.Duration
	Rise, Fall        int
}

// Target is the upstreams, or the directory.
func (r *Route) Target() string {
	if len(r.Upstreams) > 0 {
		return strings.Join(upstream{}.format(&r.Upstreams), ", ")
	}
	return r.Static
}

// Upstream is one address of a route, and its share of the requests beside the others'.
type Upstream struct {
	URL    *url.URL
	Weight int // at least 1
}

// Require is what a caller must have besides being known.
type Require struct {
	Groups     []string // one of them
	Scopes     []string // all of them
	Claims     Mapping  // each with one of its values
	MaxAuthAge time.Duration
	Detail     bool // the answer names what is lacking
	Default    bool // of a route: what it does not say itself is as for all routes
}

// Asks reports whether anything is required.
func (r *Require) Asks() bool {
	return len(r.Groups) > 0 || len(r.Scopes) > 0 || len(r.Claims) > 0 || r.MaxAuthAge > 0
}

// takesCookie reports whether the route looks at the session cookie.
func (r *Route) takesCookie() bool { return r.Auth != "none" && r.Auth != "bearer" }

// takesBearer reports whether the route looks at bearers.
func (r *Route) takesBearer() bool { return r.Auth == "bearer" || r.Auth == "either" }

// Log says how much is logged, and in which form.
type Log struct {
	Level  string // debug, info, warn, error
	Format string // json, text
}
