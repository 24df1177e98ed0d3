package middleware

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// Match makes the path canonical, once, and finds the route it falls on. All
// that follows judges what Match put into the decision, and nothing else is
// forwarded.
func Match(table *routing.Table) Middleware {
	return func(next Handler) Handler {
		return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
			route, path, err := table.Judge(routing.TargetOf(r, x.Decision.Host))
			if err != nil {
				return err
			}
			x.Decision.Route, x.Decision.Path = route, path
			x.Event.Route = route.Path
			return next(w, r, x)
		}
	}
}
