package server

import (
	"maps"
	"sync/atomic"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/ratelimit"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// limits keeps what the limits of routes have counted, so that a reload forgets nothing
// of it.
type limits struct {
	store   ratelimit.Store // nil: each instance counts by itself
	metrics *telemetry.Metrics
	rates   map[routeRate]*middleware.Rate
	places  atomic.Pointer[map[string]*middleware.Places] // by the route's name
}

// routeRate is a limit of one route. Another rate is another limit.
type routeRate struct {
	name string
	rate routing.Rate
}

func newLimits(store session.Store, m *telemetry.Metrics) *limits {
	shared, _ := store.(ratelimit.Store)
	l := &limits{store: shared, metrics: m, rates: make(map[routeRate]*middleware.Rate)}
	l.places.Store(&map[string]*middleware.Places{})
	return l
}

// ratesOf are the rate limits of a table's routes. Those of routes that are in no table any
// more stay: they are few, and may come back.
func (l *limits) ratesOf(table *routing.Table) middleware.Rates {
	rates := make(middleware.Rates)
	for _, r := range table.Routes() {
		if r.Rate.Requests == 0 {
			continue
		}
		of := routeRate{r.Name(), r.Rate}
		if l.rates[of] == nil {
			l.rates[of] = middleware.NewRate(of.name, of.rate, l.store, l.metrics)
		}
		rates[r] = l.rates[of]
	}
	return rates
}

// placesOf are the places of those of a table's routes that have so many only.
func (l *limits) placesOf(table *routing.Table) *middleware.Occupied {
	occupied := &middleware.Occupied{Routes: make(map[*routing.Route]*middleware.Places), Metrics: l.metrics}
	places := maps.Clone(*l.places.Load()) // a scrape may be reading
	for _, r := range table.Routes() {
		if r.Concurrency == 0 {
			continue
		}
		if places[r.Name()] == nil {
			places[r.Name()] = &middleware.Places{}
		}
		occupied.Routes[r] = places[r.Name()]
	}
	l.places.Store(&places)
	return occupied
}

// loginRate is the limit of logins; nil for none.
func (l *limits) loginRate(perMinute int) *middleware.Rate {
	if perMinute == 0 {
		return nil
	}
	rate := routing.Rate{Limit: ratelimit.PerMinute(perMinute), By: routing.ByAddress}
	return middleware.NewRate("login", rate, l.store, l.metrics)
}

// rateOf is the rate limit of a route of the configuration.
func rateOf(r config.Route) routing.Rate {
	c := r.RateLimit
	if c.Requests == 0 {
		return routing.Rate{}
	}
	by := map[string]routing.RateBy{"address": routing.ByAddress, "user": routing.ByUser, "route": routing.ByRoute}
	return routing.Rate{Limit: ratelimit.Limit{Requests: c.Requests, Per: c.Per, Burst: c.Burst}, By: by[c.By]}
}
