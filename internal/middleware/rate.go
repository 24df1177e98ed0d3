package middleware

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/ratelimit"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

var (
	rateLimited = telemetry.NewCounter("rate_limited_total", "Requests refused by a rate limit, by the limit.", "limit")
	rateAlone   = telemetry.NewCounter("rate_limit_store_failures_total",
		"Counts of a rate limit that the store did not take, so that the instance counted by itself, by the limit.", "limit")
)

// Rate is a limit of how often something is done. A nil Rate limits nothing.
type Rate struct {
	name    string
	rate    routing.Rate
	policy  string
	counts  *ratelimit.Shared
	metrics *telemetry.Metrics
}

// NewRate returns a limit. It has that name in metrics, and among all that count in the
// store, which may be nil.
func NewRate(name string, rate routing.Rate, store ratelimit.Store, m *telemetry.Metrics) *Rate {
	return &Rate{
		name: name, rate: rate, metrics: m,
		policy: fmt.Sprintf("%q;q=%d;w=%d", rate.By, rate.Requests, rate.Per/time.Second),
		counts: ratelimit.NewShared(rate.Limit, store, name+"\x00"+string(rate.By), func(error) { m.Count(rateAlone, name) }),
	}
}

// Take counts one more for whoever makes the request, or is its refusal.
func (l *Rate) Take(ctx context.Context, x *Exchange) error {
	if l == nil {
		return nil
	}
	v := l.counts.Take(ctx, l.key(x))
	if v.Wait == 0 {
		return nil
	}
	l.metrics.Count(rateLimited, l.name)
	seconds := (v.Wait + time.Second - 1) / time.Second // as Retry-After has them
	return &problem.Error{
		Status: http.StatusTooManyRequests, Code: "rate_limited", RetryAfter: v.Wait,
		Public: "Too many requests came within a short time. Wait a moment, then try again.",
		// Of the structured fields' kind (draft-ietf-httpapi-ratelimit-headers-11).
		Header: http.Header{
			"Ratelimit-Policy": {l.policy},
			"Ratelimit":        {fmt.Sprintf("%q;r=0;t=%d", l.rate.By, seconds)},
		},
	}
}

// key is who is counted.
func (l *Rate) key(x *Exchange) string {
	switch {
	case l.rate.By == routing.ByRoute:
		return ""
	case l.rate.By == routing.ByUser && x.Caller.Subject != "":
		return "user " + x.Caller.Subject
	}
	return "address " + ratelimit.Network(x.Decision.Client)
}

// Rates are the limits of a table's routes.
type Rates map[*routing.Route]*Rate

// BeforeSession refuses what is too much by address or for the route: before anything is
// asked about the session, so that a flood costs the store nothing.
func (l Rates) BeforeSession(next Handler) Handler { return l.limit(next, false) }

// OfUser refuses what is too much of one user, who must be known by now.
func (l Rates) OfUser(next Handler) Handler { return l.limit(next, true) }

func (l Rates) limit(next Handler, ofUser bool) Handler {
	limits := make(Rates)
	for route, limit := range l {
		if (limit.rate.By == routing.ByUser) == ofUser {
			limits[route] = limit
		}
	}
	if len(limits) == 0 {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		if err := limits[x.Decision.Route].Take(r.Context(), x); err != nil {
			return err
		}
		return next(w, r, x)
	}
}
