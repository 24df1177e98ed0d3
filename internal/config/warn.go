package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/loopback"
)

// warn notes what is odd but may be meant.
func (l *loader) warn() {
	c := l.cfg
	say := func(format string, args ...any) { c.Warnings = append(c.Warnings, fmt.Sprintf(format, args...)) }
	for _, o := range c.AllowedOrigins {
		if u, err := url.Parse(o); err == nil && c.Session.Cookie.SameSite != "none" && !sameSite(u, c.PublicURL) {
			say("allowed_origins: %s is on another site than public_url: browsers send no %s cookie from there", o, c.Session.Cookie.SameSite)
		}
	}
	if len(c.TrustedProxies) == 0 && !slices.Equal(c.TrustedHeaders, index["trusted_headers"].defaults()) {
		say("trusted_headers: without trusted_proxies there is nobody to believe them of")
	}
	for _, h := range c.AllowedHosts {
		if _, _, err := net.SplitHostPort(h); err != nil && c.PublicURL.Port() != "" {
			say("allowed_hosts: %s is a host without a port, while public_url has one: browsers name that port, so perhaps %s is meant",
				h, net.JoinHostPort(strings.Trim(h, "[]"), c.PublicURL.Port()))
		}
	}
	for _, p := range c.TrustedProxies {
		if p.Bits() == 0 {
			say("trusted_proxies: %s trusts everybody: any client can claim any address", p)
		}
	}
	if d := c.Session.Cookie.Domain; d != "" && c.Session.Cookie.Name == index["session.cookie.name"].def {
		say("session.cookie.domain: the cookie goes to every host under %s, by the name that every gateway gives it: "+
			"where another one there shares session.keys the two cannot be told apart, and users are signed out. "+
			"Set session.cookie.name to a name of this one's own", d)
	}
	l.warnRates(say)
	if len(c.BearerClients) > 0 && !slices.ContainsFunc(c.Routes, func(r Route) bool { return r.takesBearer() }) {
		say("bearer_clients: there is no route with auth bearer or either, so that none of their tokens is taken")
	}
	if c.Require.Asks() && !slices.ContainsFunc(c.Routes, func(r Route) bool { return r.inherits() }) {
		say("require: there is no route that it holds for: it is for those with auth session, bearer or either, without require.default: false")
	}
	l.warnStore(say)
	l.warnAmplify(say)
	l.warnVerify(say)
	if !c.AdminToken.Empty() && len(c.AdminToken.Reveal()) < minAdminToken {
		say("admin_token: fewer than %d characters can be guessed; gateway keygen prints a good one", minAdminToken)
	}
	if len(c.Routes) == 0 {
		say("routes: there is none: everything outside %s is 404", c.Mount)
	}
}

func (l *loader) warnAmplify(say func(format string, args ...any)) {
	c := l.cfg
	if !c.Amplify.Enabled {
		if len(c.Amplify.RedirectURIs) > 0 && !l.top.given["amplify.redirect_uris"].preset {
			say("amplify.redirect_uris: they do nothing without amplify.enabled")
		}
		if c.Amplify.PasswordSignIn && !l.top.given["amplify.password_sign_in"].preset {
			say("amplify.password_sign_in: does nothing without amplify.enabled")
		}
		return
	}
	if len(c.Amplify.RedirectURIs) == 0 && !c.Amplify.PasswordSignIn {
		say("amplify.enabled: without amplify.redirect_uris nobody can sign in by signInWithRedirect: list what the pages have as redirectSignIn")
	}
	if !slices.Contains(c.Cognito.Scopes, userScope) {
		say("amplify.enabled: without %s among cognito.scopes the user pool refuses all that pages ask about the user's account", userScope)
	}
	if c.Amplify.PasswordSignIn && l.addressesHidden() {
		say("amplify.password_sign_in: without trusted_proxies all users have the address of the proxy, and its limit of attempts together")
	}
}

func (l *loader) warnVerify(say func(format string, args ...any)) {
	c := l.cfg
	used := c.Verify != Verify{Headers: index["verify.headers"].def}
	if used && len(c.TrustedProxies) == 0 {
		say("verify: without trusted_proxies nobody may ask %s/verify: list the networks that the proxies ask from", c.Mount)
	}
	if !c.Verify.Secret.Empty() && len(c.Verify.Secret.Reveal()) < minAdminToken {
		say("verify.secret: fewer than %d characters can be guessed; gateway keygen prints a good one", minAdminToken)
	}
	if !c.Verify.Secret.Empty() && !c.Verify.PassToken {
		say("verify.secret: does nothing without verify.pass_token")
	}
}

// warnRates tells of counts by address where all may have the same.
func (l *loader) warnRates(say func(format string, args ...any)) {
	const all = "without trusted_proxies all users behind a proxy have its address, and the limit together"
	if l.cfg.RateLimit.LoginPerMinute > 0 && len(l.cfg.TrustedProxies) == 0 {
		say("rate_limit.login_per_minute: %s", all)
	}
	if !l.addressesHidden() {
		return
	}
	for i, r := range l.cfg.Routes {
		if r.RateLimit.Requests > 0 && r.RateLimit.By == "address" {
			say("routes[%d].rate_limit.by: %s", i, all)
		}
	}
}

// addressesHidden reports whether something stands before the gateway that is not
// believed about addresses: whoever serves https without a certificate has something
// before it that ends TLS, but for development on loopback.
func (l *loader) addressesHidden() bool {
	public := l.cfg.PublicURL
	return public.Scheme == "https" && !loopback.Host(public.Hostname()) && l.cfg.TLS == TLS{} && len(l.cfg.TrustedProxies) == 0
}

// minAdminToken is 96 bits in base64.
const minAdminToken = 16

// sameSite compares scheme and the last two labels, which stand in for the
// registrable domain: good enough for a warning, for nothing else.
func sameSite(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && siteName(a.Hostname()) == siteName(b.Hostname())
}

func siteName(host string) string {
	if net.ParseIP(host) != nil {
		return host
	}
	labels := strings.Split(host, ".")
	return strings.Join(labels[max(0, len(labels)-2):], ".")
}
