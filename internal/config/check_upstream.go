package config

import (
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/linklocal"
)

// mostUpstreams is how many addresses a route may have.
const mostUpstreams = 64

// checkUpstreams holds the addresses of a route against each other, as a request may go
// to any of them, and against the route's other keys.
func (l *loader) checkUpstreams(s *scope, r *Route) {
	l.checkHealthCheck(s, r)
	l.checkUpstreamTLS(s, r)
	if len(r.Upstreams) == 0 || !s.sound("upstream") {
		return
	}
	if len(r.Upstreams) > mostUpstreams {
		l.reject(s, "upstream", mostUpstreams, curef("no more than %d addresses", mostUpstreams))
		return
	}
	for i := range r.Upstreams {
		if err := misfit(r, i); err != nil {
			l.reject(s, "upstream", i, err)
		}
	}
	if r.UseProxy && r.Upstreams[0].URL.Scheme == "h2c" && s.sound("use_proxy", "upstream") {
		l.reject(s, "use_proxy", -1, cure("false, or an http:// or https:// upstream: forward proxies pass no h2c on"))
	}
}

// misfit is what is wrong with the address at i beside those before it.
func misfit(r *Route, i int) error {
	u, first := r.Upstreams[i].URL, r.Upstreams[0].URL
	base := strings.TrimRight(first.EscapedPath(), "/")
	switch {
	case linklocal.Host(u.Hostname()) && !r.AllowLinkLocal:
		return cure("another address: at link-local ones clouds hand out credentials. If this one is meant, set allow_link_local: true")
	case u.Scheme != first.Scheme:
		return curef("%s:// as the first address has it: those of a route speak one protocol", first.Scheme)
	case strings.TrimRight(u.EscapedPath(), "/") != base && base == "":
		return cure("no path, as the first address has none: those of a route serve the same")
	case strings.TrimRight(u.EscapedPath(), "/") != base:
		return curef("the path of the first address, %s: those of a route serve the same", base)
	}
	for _, other := range r.Upstreams[:i] {
		if other.URL.Host == u.Host {
			return cure("each address once; weight=2 behind one lets it have twice as much")
		}
	}
	return nil
}

// checkHealthCheck refuses what would do nothing.
func (l *loader) checkHealthCheck(s *scope, r *Route) {
	const path = "health_check.path"
	if !s.sound(path) {
		return
	}
	if r.HealthCheck.Path != "" && r.Static != "" && s.sound("static") {
		l.reject(s, path, -1, cure("no health_check on this route: a directory is not asked"))
		return
	}
	for _, k := range children(routePrefix + "health_check.") {
		if _, given := s.given[k.path]; given && r.HealthCheck.Path == "" {
			l.reject(s, path, -1, curef("a path such as /healthz: without it there is no check, and %s does nothing", lastName(k.path)))
			return
		}
	}
}

// checkUpstreamTLS looks into the files of TLS to upstreams, and refuses what would do
// nothing.
func (l *loader) checkUpstreamTLS(s *scope, r *Route) {
	const cert, key, protocol = "upstream_tls.cert_file", "upstream_tls.key_file", "upstream_protocol"
	scheme := ""
	if len(r.Upstreams) > 0 && s.sound("upstream") {
		scheme = r.Upstreams[0].URL.Scheme
	}
	if scheme != "https" && s.sound("upstream") {
		for _, k := range children(routePrefix + "upstream_tls.") {
			if s.filled(k.path) {
				l.rejectKey(s, k, -1, cure("an https:// upstream on this route, or it left out: there is no TLS to others"))
			}
		}
	}
	switch {
	case !s.sound("upstream", protocol):
	case scheme == "http" && r.UpstreamProtocol == "http2":
		l.reject(s, protocol, -1, cure("auto, and an upstream at h2c:// or https://: at http:// HTTP/1.1 is spoken"))
	case scheme == "h2c" && r.UpstreamProtocol == "http1":
		l.reject(s, protocol, -1, cure("auto, and an upstream at http:// or https://: h2c:// is HTTP/2"))
	}
	if scheme != "https" || !s.sound(cert, key, "upstream_tls.ca_file") {
		return
	}
	t := r.UpstreamTLS
	switch {
	case t.CertFile == "" && t.KeyFile != "":
		l.reject(s, cert, -1, cure("the certificate that goes with upstream_tls.key_file"))
	case t.KeyFile == "" && t.CertFile != "":
		l.reject(s, key, -1, cure("the key that goes with upstream_tls.cert_file"))
	}
	l.checkAuthorities(s, "upstream_tls.ca_file", "", t.CAFile)
	l.checkPair(s, cert, "", l.readNamed(s, cert, "", t.CertFile), l.readNamed(s, key, "", t.KeyFile))
}
