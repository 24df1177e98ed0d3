package middleware

import (
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/assertion"
)

// Identify returns the middleware that puts the headers that say who is calling into the
// decision, on a route that has such. It comes behind [Sessions.FreshToken], which sees
// to it that what they say is no older than a token may be.
func Identify(signer *assertion.Signer) Middleware {
	return func(next Handler) Handler {
		return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
			if x.Decision.Route.SaysWhoIsCalling() && !x.Caller.Anonymous() {
				if err := x.identify(signer); err != nil {
					return err
				}
			}
			return next(w, r, x)
		}
	}
}

// identify says in the decision who is calling, as the route has it.
func (x *Exchange) identify(signer *assertion.Signer) (err error) {
	route, caller := x.Decision.Route, x.Caller.Identity()
	x.Decision.Identity = route.Identity.Of(caller)
	if route.Assertion != nil {
		x.Decision.Assertion, err = signer.Of(route.Assertion, caller, x.Caller.SessionID(), time.Now())
	}
	return err
}
