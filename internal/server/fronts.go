package server

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/forwardauth"
	"github.com/gatehouse-auth/gatehouse/internal/handlers"
	"github.com/gatehouse-auth/gatehouse/internal/headers"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

const (
	// verifyPath is where fronts ask about requests. Some put the path of the request that
	// they ask about behind it, and all may ask for any host and by any method.
	verifyPath = "/verify"
	healthPath = "/healthz"
)

func newVerify(cfg *config.Config, edge edge) handlers.Verify {
	family := map[string]forwardauth.Family{"forwarded": forwardauth.Forwarded, "original": forwardauth.Original}
	return handlers.Verify{
		Family: family[cfg.Verify.Headers], Path: cfg.Mount + verifyPath, Scheme: cfg.PublicURL.Scheme, Problems: edge.problems,
		PassToken: cfg.Verify.PassToken, Secret: cfg.Verify.Secret,
	}
}

// withVerdicts answers fronts first, and leaves all else to next. What next asks of a request
// is asked of the one that a front describes, and not of the front's own: that has another
// host, and none of a browser's meanings; a preflight that it describes is nothing to answer.
func (p *pipeline) withVerdicts(table *routing.Table, next http.Handler) http.Handler {
	verdicts := p.verdicts(table, p.verify)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.asksForVerdict(r) {
			verdicts.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// verdictsOnly is what is served to fronts where browsers cannot reach.
func (p *pipeline) verdictsOnly(table *routing.Table) http.Handler {
	v := p.verify
	v.Unreachable = true
	verdicts, health := p.verdicts(table, v), p.recordAs(p.mount+healthPath, p.own.health.Serve)
	nothing := p.recordAs("none", func(http.ResponseWriter, *http.Request, *middleware.Exchange) error {
		return problem.NoSuch("Only proxies are served here.")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case p.asksForVerdict(r):
			verdicts.ServeHTTP(w, r)
		case r.URL.Path == p.mount+healthPath:
			health.ServeHTTP(w, r)
		default:
			nothing.ServeHTTP(w, r)
		}
	})
}

// verdicts judges the requests that fronts describe by the routes of the table.
func (p *pipeline) verdicts(table *routing.Table, v handlers.Verify) http.Handler {
	v.Identity = append(table.IdentityHeaders(), headers.Identity()...)
	return p.recordAs(p.mount+verifyPath, middleware.Chain(p.admitted(table, v.Allow),
		p.edge.origins.Expose,
		v.Judge,
		p.edge.guard.Middleware,
		middleware.LeavePreflight(table, p.limits.ratesOf(table).BeforeSession(v.Allow)),
		middleware.Match(table),
		v.OfRoute,
		p.edge.origins.SameOrigin,
	))
}

// recordAs makes a server's handler whose requests count as those of one route.
func (p *pipeline) recordAs(route string, h middleware.Handler) http.Handler {
	figures := p.metrics.Route(route)
	return p.edge.record(func(*middleware.Exchange) *telemetry.RouteMetrics { return figures }).Handler(h)
}

func (p *pipeline) asksForVerdict(r *http.Request) bool {
	below, found := strings.CutPrefix(r.URL.Path, p.mount)
	if !found {
		return false
	}
	below, found = strings.CutPrefix(below, verifyPath)
	return found && (below == "" || below[0] == '/')
}
