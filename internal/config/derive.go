package config

import (
	"cmp"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/internal/defaultport"
)

// derive fills in what follows from other keys.
func (l *loader) derive() {
	c := &l.cfg.Cognito
	if c.Region != "" {
		if c.Issuer == "" && c.UserPoolID != "" {
			c.Issuer = regionalIssuer(c.Region, c.UserPoolID)
		}
		if u, err := url.Parse(regionalEndpoint(c.Region)); err == nil && c.APIEndpoint == nil {
			c.APIEndpoint = u
		}
	}
	for _, s := range l.routes {
		r := s.target.(*Route)
		if _, given := s.given[routePrefix+"token"]; !given && r.Auth == "none" {
			r.Token = "none" // there is no session to take one from
		}
		if r.Assertion.Audience != "" {
			r.Assertion.Header = cmp.Or(r.Assertion.Header, assertionHeader)
		}
		l.deriveRequire(s, r)
		if r.BodyBytes == Auto {
			r.BodyBytes = l.cfg.Limits.BodyBytes
		}
	}
	if len(l.cfg.TrustedHeaders) == 0 {
		l.cfg.TrustedHeaders = index["trusted_headers"].defaults()
	}
	l.normaliseHosts()
	l.deriveStore()
}

// normaliseHosts writes hosts as browsers do, without the port that goes without
// saying for the scheme of public_url.
func (l *loader) normaliseHosts() {
	u := l.cfg.PublicURL
	if u == nil {
		return
	}
	for i, h := range l.cfg.AllowedHosts {
		l.cfg.AllowedHosts[i] = defaultport.Cut(u.Scheme, h)
	}
	for i := range l.cfg.Routes {
		l.cfg.Routes[i].Host = defaultport.Cut(u.Scheme, l.cfg.Routes[i].Host)
	}
}
