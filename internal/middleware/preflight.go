package middleware

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/fetchmeta"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// LeavePreflight hands a CORS preflight to those who answer it in the upstream's name, where
// the route of the request that it asks about leaves CORS to its upstream. A browser sends
// no credentials with one (Fetch §4.8), so none are asked for; and nothing is known of who
// sent it. It has no body: with one it is no preflight, whatever its headers say.
func LeavePreflight(table *routing.Table, left Handler) Middleware {
	return func(next Handler) Handler {
		return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
			if !fetchmeta.Preflight(r) || r.ContentLength != 0 {
				return next(w, r, x)
			}
			about := routing.TargetOf(r, x.Decision.Host)
			about.Method = r.Header.Get("Access-Control-Request-Method")
			route, path, err := table.Judge(about)
			if err != nil || !route.CORSUpstream {
				return next(w, r, x) // which refuses it, or grants it, in the gateway's own name
			}
			x.Decision.Route, x.Decision.Path = route, path
			x.Event.Route = route.Path
			return left(w, r, x)
		}
	}
}
