package headers

import "slices"

// Known is the table of this gateway. What depends on more than a header's name is
// not in it: Authorization, cookies, Tracestate.
var Known = NewTable(rows...)

// KnownAnd is [Known], and no client's header of those names goes upstream.
func KnownAnd(neverUpstream ...string) *Table {
	if len(neverUpstream) == 0 {
		return Known
	}
	all := slices.Clone(rows)
	for _, name := range neverUpstream {
		all = append(all, Row{name, NeverUpstream})
	}
	return NewTable(all...)
}

// Believable returns the headers that a trusted proxy may be believed in, as they are
// spelled in documents. None of them names an identity, because only the gateway
// says who is calling.
func Believable() []string {
	var names []string
	for _, row := range rows {
		if row.Rule.Has(OfProxies) {
			names = append(names, row.Name)
		}
	}
	return names
}

var rows = []Row{
	// Where a request came from, as a proxy in front says it.
	{"X-Forwarded-For", OfProxies | Restated},
	{"X-Forwarded-Proto", OfProxies | Restated},
	{"X-Request-Id", OfProxies | Restated | NeverDownstream},
	{"traceparent", OfProxies | Restated},
	{"X-Forwarded-Host", OfProxies | Restated},
	{"X-Forwarded-Port", OfProxies},
	{"X-Forwarded-Prefix", OfProxies},
	{"X-Forwarded-Server", OfProxies},
	{"Forwarded", OfProxies},
	{"X-Real-IP", OfProxies},
	{"True-Client-IP", OfProxies},

	// The same, of fronts that have names of their own for it.
	{"Client-IP", NeverUpstream},
	{"X-Client-IP", NeverUpstream},
	{"X-Cluster-Client-IP", NeverUpstream},
	{"CF-Connecting-IP", NeverUpstream},
	{"X-Forwarded-*", NeverUpstream},
	{"X-Envoy-*", NeverUpstream}, // also says which path there was

	// Who is calling, as identity-aware gateways and TLS front ends of all kinds say it.
	{"X-Auth-*", NeverUpstream},
	{"X-Gatehouse*", NeverUpstream | NeverDownstream},
	{"X-Remote-*", NeverUpstream},
	{"Remote-*", NeverUpstream},      // User, Groups, Name, Email: Authelia, CGI
	{"X-WebAuth-*", NeverUpstream},   // Grafana's auth.proxy and its like
	{"X-Goog-*", NeverUpstream},      // Identity-Aware Proxy
	{"X-Amzn-Oidc-*", NeverUpstream}, // Application Load Balancer
	{"X-Amzn-Mtls-*", NeverUpstream},
	{"X-MS-Client-Principal*", NeverUpstream}, // App Service
	{"X-MS-Token-*", NeverUpstream},
	{"CF-Access-*", NeverUpstream}, // Cloudflare Access
	{"Tailscale-*", NeverUpstream}, // tailscale serve
	{"OIDC-*", NeverUpstream},      // mod_auth_openidc, as far as its names can be sent
	{"X-Authentik-*", NeverUpstream},
	{"X-Pomerium-*", NeverUpstream},
	{"X-Vouch-*", NeverUpstream},
	{"X-Consumer-*", NeverUpstream}, // Kong
	{"X-Credential-*", NeverUpstream},
	{"X-Authenticated-*", NeverUpstream},
	{"X-Userinfo", NeverUpstream},
	{"X-Endpoint-API-UserInfo", NeverUpstream},
	{"X-Apigateway-Api-Userinfo", NeverUpstream},
	{"SSL-Client-*", NeverUpstream}, // ingress-nginx and many configurations
	{"X-SSL-*", NeverUpstream},
	{"Client-Cert*", NeverUpstream}, // RFC 9440
	{"X-Client-Cert*", NeverUpstream},
	{"X-ARR-ClientCert", NeverUpstream},

	// What the request is: another path or method than the one that was judged.
	{"X-Original-*", NeverUpstream},
	{"X-Rewrite-URL", NeverUpstream},
	{"X-HTTP-Method", NeverUpstream},
	{"X-HTTP-Method-Override", NeverUpstream},
	{"X-Method-Override", NeverUpstream},
	{"Proxy", NeverUpstream},          // becomes HTTP_PROXY in CGI (httpoxy)
	{"HTTP2-Settings", NeverUpstream}, // belongs to an h2c upgrade, which never passes
	{"Expect", NeverUpstream},         // answered here: the body is read as it is asked for

	// One connection (RFC 9110 §7.6.1); those of RFC 2616 §13.5.1 are dropped even
	// where Connection does not name them.
	{"Connection", HopByHop},
	{"Keep-Alive", HopByHop},
	{"Proxy-Authenticate", HopByHop},
	{"Proxy-Authorization", HopByHop},
	{"Proxy-Connection", HopByHop},
	{"TE", HopByHop},
	{"Trailer", HopByHop},
	{"Transfer-Encoding", HopByHop},
	{"Upgrade", HopByHop},

	// Instructions to a front, which are the gateway's to give or nobody's.
	{"X-Accel-*", NeverUpstream | NeverDownstream},
	{"X-Sendfile*", NeverUpstream | NeverDownstream},
	{"X-Lighttpd-Send*", NeverDownstream},
	{"X-LiteSpeed-*", NeverDownstream},

	// Instructions to a browser that hold for the whole site.
	{"Access-Control-*", NeverDownstream},
	{"Clear-Site-Data", NeverDownstream},
	{"Alt-Svc", NeverDownstream},
	{"NEL", NeverDownstream}, // who is told of every error on the site
	{"Report-To", NeverDownstream},
	{"Reporting-Endpoints", NeverDownstream},

	// Who may keep an answer: Cache-Control, and what takes its place at some caches
	// (RFC 9213 §2: CDN-Cache-Control, and what Cloudflare, Akamai, Vercel, Netlify
	// and LiteSpeed name like it).
	{"*Cache-Control", Caching},
	{"Surrogate-Control", Caching}, // Fastly, Varnish
	{"Edge-Control", Caching},      // Akamai

	// What the gateway and the upstream both have a say in.
	{"Vary", Additive | NeverTrailer},
	{"Set-Cookie", Additive | NeverTrailer},
	{"Link", Additive},
	{"Server-Timing", Additive},
	{"Content-Security-Policy", Additive | NeverTrailer},
	{"Content-Security-Policy-Report-Only", Additive | NeverTrailer},

	// A message's transfer, its content, and what may be done with it.
	{"Content-Length", NeverTrailer},
	{"Content-Type", NeverTrailer},
	{"Content-Encoding", NeverTrailer},
	{"Content-Range", NeverTrailer},
	{"Content-Location", NeverTrailer},
	{"Content-Disposition", NeverTrailer},
	{"Expires", NeverTrailer},
	{"Pragma", NeverTrailer},
	{"Age", NeverTrailer},
	{"Date", NeverTrailer},
	{"Location", NeverTrailer},
	{"Refresh", NeverTrailer},
	{"Retry-After", NeverTrailer},
	{"WWW-Authenticate", NeverTrailer},
	{"Strict-Transport-Security", NeverTrailer},
	{"X-Content-Type-Options", NeverTrailer},
	{"X-Frame-Options", NeverTrailer},
	{"Referrer-Policy", NeverTrailer},
	{"Permissions-Policy", NeverTrailer},
	{"Service-Worker-Allowed", NeverTrailer},
	{"Cross-Origin-Opener-Policy", NeverTrailer},
	{"Cross-Origin-Resource-Policy", NeverTrailer},
	{"Cross-Origin-Embedder-Policy", NeverTrailer},
}
