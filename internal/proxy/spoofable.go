package proxy

import "strings"

// spoofable reports whether an upstream may believe a request header of that
// name to come from its proxy: the headers in which proxies, identity-aware
// gateways and TLS front ends of all kinds say who is calling, or where from.
// Names are canonical, as net/http keeps every name that is made of letters,
// digits and hyphens.
func spoofable(name string) bool {
	switch name {
	case "Forwarded", "X-Real-Ip", "True-Client-Ip", "Client-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "Cf-Connecting-Ip",
		"X-Rewrite-Url", "X-Http-Method", "X-Http-Method-Override", "X-Method-Override", "X-Request-Id",
		"X-Userinfo", "X-Endpoint-Api-Userinfo", "X-Apigateway-Api-Userinfo", "X-Arr-Clientcert":
		return true
	case "Proxy": // becomes HTTP_PROXY in CGI (httpoxy)
		return true
	case "Http2-Settings": // belongs to an h2c upgrade, which never passes
		return true
	case "Expect": // answered here: the body is read as it is asked for
		return true
	}
	prefixes := spoofablePrefixes[:]
	if strings.HasPrefix(name, "X-") {
		prefixes = spoofableXPrefixes[:]
	}
	for _, prefix := range prefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

var spoofablePrefixes = [...]string{
	"Remote-",     // User, Groups, Name, Email: Authelia, CGI
	"Ssl-Client-", // ingress-nginx and many configurations
	"Client-Cert", // RFC 9440
	"Cf-Access-",  // Cloudflare Access
	"Tailscale-",  // tailscale serve
	"Oidc-",       // mod_auth_openidc, as far as its names can be sent
}

var spoofableXPrefixes = [...]string{
	"X-Forwarded-", "X-Original-", "X-Auth-", "X-Gatehouse", "X-Remote-", "X-Accel-", "X-Sendfile",
	"X-Webauth-",                   // Grafana's auth.proxy and its like
	"X-Goog-",                      // Identity-Aware Proxy
	"X-Amzn-Oidc-", "X-Amzn-Mtls-", // Application Load Balancer
	"X-Ms-Client-Principal", "X-Ms-Token-", // App Service
	"X-Ssl-", "X-Client-Cert", // TLS front ends
	"X-Authentik-", "X-Pomerium-", "X-Vouch-", // gateways of this kind
	"X-Consumer-", "X-Credential-", "X-Authenticated-", // Kong
	"X-Envoy-", // also says which path there was
}

// plainName reports whether the name is made of letters, digits and hyphens.
// Other names are the oldest trick against proxies: CGI and its heirs read
// X_Auth_Subject, and some X.Auth.Subject, as X-Auth-Subject.
func plainName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i] | 0x20
		if (c < 'a' || c > 'z') && (name[i] < '0' || name[i] > '9') && name[i] != '-' {
			return false
		}
	}
	return name != ""
}
