// Package routing says which route a request falls on, by its target alone: a
// method, a host and a path made canonical once. It also holds what a route asks
// of a request, its access policy; whether a request meets that is decided by
// package middleware.
//
// The one invariant: all readings of a path fall on one route, or it is refused.
package routing

import (
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/assertion"
	"github.com/gatehouse-auth/gatehouse/internal/identity"
)

// Token says which token the upstream gets.
type Token int

const (
	TokenAccess Token = iota
	TokenID
	TokenNone
)

// Route is one row of the route table.
type Route struct {
	// Path is the prefix in whole segments: "/api/" (which matches "/api" too) or "/".
	Path string
	// Host is a lower-case host[:port]; empty matches every host.
	Host string
	// Access is the route's access policy.
	Access Access
	// Methods that the route takes; empty takes all.
	Methods []string

	// Upstreams are where requests go, each to one of them; none if Static is set.
	Upstreams []Upstream
	// HealthCheck says how each of them is checked.
	HealthCheck HealthCheck
	// UpstreamTLS says what TLS to https upstreams goes by.
	UpstreamTLS UpstreamTLS
	// UpstreamProtocol is what https upstreams are spoken to in.
	UpstreamProtocol Protocol
	// StripPrefix cuts Path off before the rest is joined to the upstream's base
	// path, or looked up in Static.
	StripPrefix bool
	// PreserveHost sends the client's Host; otherwise the upstream's own.
	PreserveHost bool
	Token        Token
	// Identity are the headers that say who is calling; nil is none.
	Identity *identity.Headers
	// Assertion is how the gateway itself vouches for that; nil is not at all.
	Assertion *assertion.Rule
	// Timeout runs from the request's last byte to the response header; 0 is none.
	Timeout time.Duration
	// IdleTimeout is how long no byte of a body may pass, of the request's or the answer's,
	// or on a WebSocket either way; 0 is no limit.
	IdleTimeout time.Duration
	// UseProxy goes to Upstreams by the forward proxy that is configured for it.
	UseProxy bool
	// UpstreamIdle is how long a connection to the upstream is kept unused; 0 is
	// 4 s. It should be less than the upstream keeps it.
	UpstreamIdle time.Duration
	// UpstreamRest is how long a connection to the upstream is left alone where more may
	// come than its answer; 0 is 20 ms.
	UpstreamRest time.Duration
	// UpstreamConnections bounds the requests that wait at once for the upstream to begin
	// its answer, over the pool's connections; 0 is 1024.
	UpstreamConnections int
	// BodyBytes bounds the body of a request; 0 is no limit.
	BodyBytes int64
	// AllowLinkLocal lets the upstream have a link-local address, or that of a cloud's own
	// service.
	AllowLinkLocal bool
	// ReuseNever uses each connection to the upstream for one request.
	ReuseNever bool
	// StandardTransport sends every request by net/http's transport.
	StandardTransport bool
	// CacheUpstream leaves the upstream's Cache-Control alone.
	CacheUpstream bool
	// CORSUpstream leaves CORS to the upstream: its Access-Control-* headers pass, and
	// preflights reach it. The route must not take the cookie.
	CORSUpstream bool

	// Static is a directory to serve files from.
	Static string
	// SPAFallback is the file in Static that answers navigations to unknown paths.
	SPAFallback string

	AllowEncodedSlash bool

	// Rate limits how often the route is used, and Concurrency how many of its requests
	// are under way; 0 is no limit.
	Rate        Rate
	Concurrency int
}

// HealthCheck is how an upstream is asked whether it is well. The zero value does not
// ask.
type HealthCheck struct {
	// Path is asked for by GET; empty does not ask.
	Path string
	// Interval is the time between two checks, Timeout how long one may take.
	Interval, Timeout time.Duration
	// Rise is how many checks in a row bring back an upstream that is out, Fall how many
	// failures take out one that is not.
	Rise, Fall int
}

// UpstreamTLS is what TLS to an upstream goes by.
type UpstreamTLS struct {
	// CAFile has the certificates of those who may vouch for it; empty: the system's.
	CAFile string
	// CertFile and KeyFile are the gateway's certificate there; both or neither.
	CertFile, KeyFile string
	// ServerName is the name that its certificate must be for; empty: its host.
	ServerName string
}

// Protocol is a version of HTTP.
type Protocol int

const (
	AnyProtocol Protocol = iota // HTTP/2 where the upstream speaks it, else HTTP/1.1
	HTTP1                       // HTTP/1.1
	HTTP2
)

// Upstream is an address that requests of a route go to.
type Upstream struct {
	// URL is http, https or h2c (HTTP/2 without TLS), with an optional base path. Those of
	// a route differ in their hosts only.
	URL *url.URL
	// Weight is how many times as much it takes as one of weight 1; 0 is 1.
	Weight int
}

// To returns upstreams at these addresses, of the same weight.
func To(addresses ...*url.URL) []Upstream {
	out := make([]Upstream, len(addresses))
	for i, address := range addresses {
		out[i].URL = address
	}
	return out
}

// SaysWhoIsCalling reports whether the upstream is told who is calling, other than by a
// token.
func (r *Route) SaysWhoIsCalling() bool { return r.Identity != nil || r.Assertion != nil }

// Segments returns the number of segments of Path.
func (r *Route) Segments() int {
	return strings.Count(strings.TrimSuffix(r.Path, "/"), "/")
}

// Name tells the route from all others of its table: in metrics, and wherever it counts.
func (r *Route) Name() string { return r.Host + r.Path }
