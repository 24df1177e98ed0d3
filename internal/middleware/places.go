package middleware

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

var routeBusy = telemetry.NewCounter("route_busy_total", "Requests refused because as many of their route were under way as may be, by route.", "route")

// busyRetryIn is how soon a request may be tried again that found no place.
const busyRetryIn = time.Second

// Places counts the requests of a route that are under way, in whichever table it stands.
// The zero value is ready.
type Places struct{ taken atomic.Int64 }

// Taken returns how many there are.
func (p *Places) Taken() int64 { return p.taken.Load() }

// Occupied are the places of those routes of a table that have so many only.
type Occupied struct {
	Routes  map[*routing.Route]*Places
	Metrics *telemetry.Metrics
}

// Hold gives each request a place until its answer has ended, which is a WebSocket's end
// too, or refuses it. Nobody waits for one: whoever waited would hold a connection, and
// upstreams that are slow to answer have a queue of their own.
func (o *Occupied) Hold(next Handler) Handler {
	if len(o.Routes) == 0 {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		route := x.Decision.Route
		places := o.Routes[route]
		if places == nil {
			return next(w, r, x)
		}
		defer x.atEnd(func() { places.taken.Add(-1) })
		if places.taken.Add(1) > int64(route.Concurrency) {
			o.Metrics.Count(routeBusy, route.Name())
			return &problem.Error{
				Status: http.StatusServiceUnavailable, Code: "route_busy", RetryAfter: busyRetryIn,
				Public: "As many requests as may be are under way here. Try again shortly.",
			}
		}
		return next(w, r, x)
	}
}
