package config

import (
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/loopback"
	"github.com/gatehouse-auth/gatehouse/internal/returnto"
	"github.com/gatehouse-auth/gatehouse/internal/storeurl"
	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

// check applies the rules about more than one key. A rule keeps silent about keys
// that have a fault of their own.
func (l *loader) check() {
	l.checkRequired()
	l.checkListeners()
	l.checkHosts()
	l.checkCognito()
	l.checkSession()
	l.checkStore()
	l.checkFiles()
	l.checkCookie()
	l.checkLogin()
	l.checkAmplify()
	l.checkLimits()
	l.checkRequireOfAll()
	l.checkRoutes()
	if len(l.faults) == 0 {
		l.warn()
	}
}

func (l *loader) checkRequired() {
	c := &l.cfg.Cognito
	l.require("public_url", l.cfg.PublicURL != nil)
	issuer, endpoint := l.top.filled("cognito.issuer"), l.top.filled("cognito.api_endpoint")
	l.require("cognito.region", c.Region != "" || issuer && endpoint)
	l.require("cognito.user_pool_id", c.UserPoolID != "" || issuer)
	l.require("cognito.client_id", c.ClientID != "")
	l.require("cognito.domain", c.Domain != nil)
	l.require("session.keys", len(l.cfg.Session.Keys) > 0)
}

func (l *loader) require(path string, there bool) {
	if there || !l.top.sound(path) {
		return
	}
	k := index[path]
	where := "here or as " + k.env()
	if file, ok := index[path+"_file"]; ok {
		where = "here, in the file of " + file.path + ", or as " + k.env()
	}
	l.reject(l.top, path, -1, curef("%s, %s", k.kind.want(), where))
}

func (l *loader) checkListeners() {
	c, t := l.cfg, l.top
	if t.sound("admin_listen", "admin_token", "admin_token_file") && c.AdminToken.Empty() && !loopback.HostPort(c.AdminListen) {
		l.reject(t, "admin_listen", -1, cure("a loopback address such as 127.0.0.1:9090, or admin_token set"))
	}
	l.checkVerify()
	if t.sound("listen", "admin_listen") && samePort(c.Listen, c.AdminListen) {
		l.reject(t, "admin_listen", -1, cure("another port than that of listen"))
	}
	if c.TLS.CertFile == "" && c.TLS.KeyFile != "" && t.sound("tls.cert_file") {
		l.reject(t, "tls.cert_file", -1, cure("the certificate that goes with tls.key_file"))
	}
	if c.TLS.KeyFile == "" && c.TLS.CertFile != "" && t.sound("tls.key_file") {
		l.reject(t, "tls.key_file", -1, cure("the key that goes with tls.cert_file"))
	}
	if u := c.PublicURL; u != nil && u.Scheme == "http" && c.TLS.CertFile != "" && t.sound("public_url") {
		l.reject(t, "public_url", -1, curef("https://%s, as tls is set", u.Host))
	}
}

// checkVerify refuses a listener where another one is, and tokens for everybody.
func (l *loader) checkVerify() {
	c, t := l.cfg, l.top
	for _, other := range []string{"listen", "admin_listen"} {
		address := map[string]string{"listen": c.Listen, "admin_listen": c.AdminListen}[other]
		if c.Verify.Listen != "" && t.sound("verify.listen", other) && samePort(c.Verify.Listen, address) {
			l.reject(t, "verify.listen", -1, curef("another port than that of %s", other))
		}
	}
	if c.Verify.PassToken && c.Verify.Listen == "" && c.Verify.Secret.Empty() &&
		t.sound("verify.pass_token", "verify.listen", "verify.secret", "verify.secret_file") {
		l.reject(t, "verify.pass_token", -1, cure("verify.listen or verify.secret set: without either, a browser could ask for its token through the proxy"))
	}
}

// samePort reports whether two listeners would collide; port 0 never does.
func samePort(a, b string) bool {
	nameA, portA, _ := net.SplitHostPort(a)
	nameB, portB, _ := net.SplitHostPort(b)
	return portA == portB && portA != "0" && (nameA == nameB || isWildcard(nameA) || isWildcard(nameB))
}

func isWildcard(name string) bool { return name == "" || name == "0.0.0.0" || name == "::" }

// checkHosts sees to it that the cookie reaches every host that asks for it.
func (l *loader) checkHosts() {
	c, t := l.cfg, l.top
	usesSession := slices.ContainsFunc(c.Routes, func(r Route) bool { return r.takesCookie() })
	if c.PublicURL == nil || !usesSession || !t.sound("allowed_hosts", "session.cookie.domain") {
		return
	}
	for i, h := range c.AllowedHosts {
		name, _, _ := splitHost(h)
		if name == c.PublicURL.Hostname() || c.Session.Cookie.Domain != "" && within(name, c.Session.Cookie.Domain) {
			continue
		}
		l.reject(t, "allowed_hosts", i, cure("a host under session.cookie.domain, which must be set: routes that use the session need the cookie there"))
	}
}

// within reports whether a host is the domain or under it (RFC 6265 §5.1.3).
func within(host, domain string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain)
}

func (l *loader) checkSession() {
	s, t := &l.cfg.Session, l.top
	if t.sound("session.idle_timeout", "session.absolute_timeout") && s.AbsoluteTimeout < s.IdleTimeout {
		l.reject(t, "session.absolute_timeout", -1, curef("at least session.idle_timeout, %s", FormatDuration(s.IdleTimeout)))
	}
	if s.WaitReplicas > 0 && t.sound("session.wait_replicas", "session.store") &&
		(len(s.Store.Hosts) == 0 || s.Store.Scheme == storeurl.Cluster) {
		l.reject(t, "session.wait_replicas", -1, curef("0: a %s store cannot wait for replicas", s.Store.Scheme))
	}
	if t.sound("session.store") && s.Store.Scheme == storeurl.Cookie {
		l.checkCookieStore()
	}
}

// What the store cookie: needs of a request's limits: room for a session of
// Cognito's usual size in chunks, and for the login cookie beside it.
const (
	cookieStoreBytes = 12 << 10
	cookieStoreCount = 8
)

// checkCookieStore refuses what takes a store that knows its sessions.
func (l *loader) checkCookieStore() {
	t := l.top
	if l.cfg.Session.MaxPerUser > 0 && t.sound("session.max_per_user") {
		l.reject(t, "session.max_per_user", -1, cure("0: a cookie store does not know how many sessions a user has"))
	}
	if l.cfg.Limits.CookieBytes < cookieStoreBytes && t.sound("limits.cookie_bytes") {
		l.reject(t, "limits.cookie_bytes", -1, curef("at least %s: with a cookie store the session travels in cookies", formatSize(cookieStoreBytes)))
	}
	if l.cfg.Limits.Cookies < cookieStoreCount && t.sound("limits.cookies") {
		l.reject(t, "limits.cookies", -1, curef("at least %d: with a cookie store the session travels in several", cookieStoreCount))
	}
}

// checkCookie refuses what browsers would: they drop such a cookie without a word.
func (l *loader) checkCookie() {
	c, t := &l.cfg.Session.Cookie, l.top
	u := l.cfg.PublicURL
	if u == nil {
		return
	}
	if c.SameSite == "none" && u.Scheme != "https" && t.sound("session.cookie.same_site") {
		l.reject(t, "session.cookie.same_site", -1, cure("lax or strict: browsers take none with Secure only, and public_url is http"))
	}
	if c.Domain == "" || !t.sound("session.cookie.domain") {
		return
	}
	switch {
	case !within(u.Hostname(), c.Domain):
		l.reject(t, "session.cookie.domain", -1, curef("%s or a domain above it", u.Hostname()))
	case u.Scheme != "https":
		l.reject(t, "session.cookie.domain", -1, cure("it empty: on http the cookie stays with its host"))
	}
}

func (l *loader) checkLogin() {
	c, t := &l.cfg.Login, l.top
	l.checkReturnTo("login.default_return_to", &c.DefaultReturnTo)
	l.checkReturnTo("login.logout_return_to", &c.LogoutReturnTo)
	if t.sound("login.default_return_to", "mount") && l.underMount(c.DefaultReturnTo) {
		l.reject(t, "login.default_return_to", -1, curef("a page outside %s: a login that ends there never arrives", l.cfg.Mount))
	}
}

// checkReturnTo judges an address as those that a request names are judged, and
// keeps it as it goes into a Location header.
func (l *loader) checkReturnTo(path string, address *string) {
	if l.cfg.PublicURL == nil || !l.top.sound(path, "login.return_origins", "public_url") {
		return
	}
	may := returnto.Policy{Own: l.cfg.PublicURL.Scheme + "://" + l.cfg.PublicURL.Host, Origins: l.cfg.Login.ReturnOrigins}
	a, err := may.Parse(*address)
	switch {
	case errors.Is(err, returnto.ErrTooLong) || a.Truncated():
		l.reject(l.top, path, -1, curef("an address of at most %d bytes", returnto.MaxLength))
	case err != nil:
		l.reject(l.top, path, -1, cure(index[path].kind.want()))
	default:
		*address = a.String()
	}
}

// underMount judges a normalised address, whose path may still have escapes.
func (l *loader) underMount(address string) bool {
	path, _, _ := strings.Cut(strings.ReplaceAll(address, "#", "?"), "?")
	return urlpath.Covers(urlpath.Fold(l.cfg.Mount), urlpath.Fold(path))
}

// checkAmplify refuses redirect addresses at which the façade's cookie would not
// be, which a login may not lead to, or at which there is no page.
func (l *loader) checkAmplify() {
	if l.cfg.PublicURL == nil || !l.top.sound("public_url", "mount", "allowed_hosts", "login.return_origins", "amplify.redirect_uris") {
		return
	}
	scheme := l.cfg.PublicURL.Scheme + "://"
	origins := append([]string{scheme + l.cfg.PublicURL.Host}, l.cfg.Login.ReturnOrigins...)
	for _, host := range l.cfg.AllowedHosts {
		origins = append(origins, scheme+host)
	}
	for i, uri := range l.cfg.Amplify.RedirectURIs {
		switch u, ok := parseRedirect(uri); {
		case !ok:
		case !slices.Contains(origins, u.Scheme+"://"+u.Host):
			l.reject(l.top, "amplify.redirect_uris", i, curef("an address at %s; %s://%s must be among login.return_origins otherwise", origins[0], u.Scheme, u.Host))
		case l.underMount(u.EscapedPath()) && !slices.Contains(l.cfg.Login.ReturnOrigins, u.Scheme+"://"+u.Host):
			l.reject(l.top, "amplify.redirect_uris", i, curef("the page's own redirectSignIn, outside %s: what the user pool leads back to is not listed here", l.cfg.Mount))
		}
	}
}

func (l *loader) checkLimits() {
	l.checkFits("limits.cookie_bytes", l.cfg.Limits.CookieBytes)
	l.checkFits("limits.url_bytes", l.cfg.Limits.URLBytes)
}

// checkFits refuses a limit that another one makes unreachable.
func (l *loader) checkFits(path string, n int) {
	if all := l.cfg.Limits.HeaderBytes; n > all && l.top.sound(path, "limits.header_bytes") {
		l.reject(l.top, path, -1, curef("no more than limits.header_bytes, %s", formatSize(int64(all))))
	}
}
