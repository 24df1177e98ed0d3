package middleware

import "net/http"

// Identify puts the headers that say who is calling into the decision, on a route that
// has such. It comes behind [Sessions.FreshToken], which sees to it that what they say
// is no older than a token may be.
func Identify(next Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		if rule := x.Decision.Route.Identity; rule != nil && !x.Caller.Anonymous() {
			x.Decision.Identity = rule.Of(x.Caller.Identity())
		}
		return next(w, r, x)
	}
}
