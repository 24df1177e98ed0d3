package middleware

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
)

// Match makes the path canonical, once, and finds the route it falls on. All
// that follows judges what Match put into the decision, and nothing else is
// forwarded.
func Match(table *proxy.Table) Middleware {
	return func(next Handler) Handler {
		return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
			path, err := proxy.Canonical(r)
			if err != nil {
				return err
			}
			route, err := table.Match(x.Decision.Host, path, r.Method)
			if err != nil {
				return err
			}
			x.Decision.Path, x.Decision.Route = path, route
			x.Event.Route = route.Path
			return next(w, r, x)
		}
	}
}
