package server

import (
	"log/slog"
	"net/url"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/loopback"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/returnto"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// edge is what every request passes first, whatever it asks for, and the rules
// about addresses that hold behind it, too.
type edge struct {
	problems *problem.Renderer
	trust    middleware.Trust
	patience middleware.Patience
	hsts     string
	log      *slog.Logger
	guard    *middleware.Guard
	origins  *middleware.Origins
	returnTo returnto.Policy
}

func newEdge(cfg *config.Config, o Options, cookies *cookie.Jar, sig signals) edge {
	returnTo := returnPolicy(cfg)
	return edge{
		returnTo: returnTo,
		problems: problem.NewRenderer(problem.Options{
			LoginPath: cfg.Mount + "/login", StartURL: cfg.Login.DefaultReturnTo, PublicURL: cfg.PublicURL.String(),
			ReturnTo: returnTo, Metrics: sig.metrics,
		}),
		trust: middleware.Trust{Proxies: cfg.TrustedProxies, Headers: cfg.TrustedHeaders},
		patience: middleware.Patience{
			Body: cfg.Limits.BodyTimeout, Rest: cfg.Limits.RestTimeout, Write: cfg.Limits.WriteTimeout,
		},
		hsts: hsts(cfg.PublicURL), log: sig.log,
		guard: &middleware.Guard{
			PublicURL: cfg.PublicURL, AllowedHosts: cfg.AllowedHosts, AnyHost: []string{cfg.Mount + healthPath, cfg.Mount + keySetPath},
			RedirectLoopback: o.RedirectLoopback,
			URLBytes:         cfg.Limits.URLBytes, CookieBytes: cfg.Limits.CookieBytes, Cookies: cfg.Limits.Cookies,
		},
		origins: &middleware.Origins{
			Cookies: cookies, Scheme: cfg.PublicURL.Scheme,
			Allowed: cfg.AllowedOrigins, CSRFHeader: cfg.CSRFHeader,
		},
	}
}

// record is the outermost handler; figures finds what a request counts in.
func (e *edge) record(figures func(*middleware.Exchange) *telemetry.RouteMetrics) *middleware.Record {
	return &middleware.Record{Problems: e.problems, Logger: e.log, Metrics: figures, Trust: e.trust, Patience: e.patience, HSTS: e.hsts}
}

// hsts is the Strict-Transport-Security header (RFC 6797). A loopback name must
// not have it: it would force https on everything else served there.
func hsts(public *url.URL) string {
	if public.Scheme != "https" || loopback.Host(public.Hostname()) {
		return ""
	}
	return "max-age=31536000"
}

// returnPolicy says which addresses a login and a sign-out may lead to.
func returnPolicy(cfg *config.Config) returnto.Policy {
	p := returnto.Policy{
		Own: origin(cfg.PublicURL), Origins: slices.Clone(cfg.Login.ReturnOrigins),
		// The login would loop; the façade's logout would end the session just made, at
		// the wish of whoever made the link.
		Refused: []string{cfg.Mount + "/login", cfg.Mount + "/callback", cfg.Mount + facadePath + "/logout"},
	}
	for _, host := range cfg.AllowedHosts {
		p.Origins = append(p.Origins, cfg.PublicURL.Scheme+"://"+host)
	}
	return p
}

func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// ownURL is the address of one of the gateway's own endpoints.
func ownURL(cfg *config.Config, path string) string { return cfg.PublicURL.String() + cfg.Mount + path }
