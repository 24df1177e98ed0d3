package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/clientconn"
	"github.com/gatehouse-auth/gatehouse/internal/cognito"
	"github.com/gatehouse-auth/gatehouse/internal/handlers"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// Buckets for calls over a network, and for waits for a lease.
var (
	networkBuckets = []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10}
	leaseBuckets   = append(slices.Clip(networkBuckets), 30)
)

var userPoolCalls = telemetry.NewHistogram("user_pool_duration_seconds",
	"Calls of the user pool, by what they were for and outcome.", networkBuckets, "call", "outcome")

// poolObserver tells the metrics of each call of a user pool.
func poolObserver(m *telemetry.Metrics) oauth.Observer {
	return func(_ context.Context, call string, took time.Duration, err error) {
		m.Observe(userPoolCalls, took, call, poolOutcome(err))
	}
}

// poolOutcome names what came of a call. A caller that left says nothing about
// the user pool and is told apart.
func poolOutcome(err error) string {
	var (
		busy    *oauth.BusyError
		refusal *cognito.Refusal
	)
	switch {
	case err == nil:
		return session.OutcomeDone
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.As(err, &busy):
		return "busy"
	case errors.As(err, &refusal), errors.Is(err, oauth.ErrGrantRevoked):
		return session.OutcomeRefused
	case errors.Is(err, oauth.ErrMisconfigured):
		return session.OutcomeMisconfigured
	case errors.Is(err, oauth.ErrInvalidToken):
		return "invalid_token"
	}
	return session.OutcomeUnavailable
}

var storeCalls = telemetry.NewHistogram("store_duration_seconds", "Calls of the session store, by operation and outcome.",
	[]float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .1, .5, 2}, "operation", "outcome")

// storeObserver tells the metrics of each call of the session store.
func storeObserver(m *telemetry.Metrics) func(ctx context.Context, operation string, took time.Duration, err error) {
	return func(_ context.Context, operation string, took time.Duration, err error) {
		m.Observe(storeCalls, took, operation, storeOutcome(err))
	}
}

// storeOutcome names what came of a call. That a session is not there, or has
// changed, is an answer.
func storeOutcome(err error) string {
	switch {
	case err == nil, errors.Is(err, session.ErrNotFound), errors.Is(err, session.ErrConflict):
		return session.OutcomeDone
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return session.OutcomeFailed
}

var (
	refreshes   = telemetry.NewHistogram("refresh_duration_seconds", "Token refreshes, by outcome.", networkBuckets, "outcome")
	leaseWaits  = telemetry.NewHistogram("lease_wait_seconds", "Refreshes that waited for another instance's, by how the wait ended.", leaseBuckets, "outcome")
	revocations = telemetry.NewCounter("revocations_total", "Refresh tokens revoked at the user pool after a session's end, by outcome.", "outcome")
	deletions   = telemetry.NewCounter("deferred_deletions_total", "Sessions ended while the store was away, by outcome of the deletion.", "outcome")
	userChecks  = telemetry.NewCounter("revocation_checks_total", "Questions whether a session's user is still in, by outcome.", "outcome")
	changeGaps  = telemetry.NewHistogram("session_changes_gap_seconds", "From one sign that changes of sessions arrive to the next.",
		[]float64{.1, .25, .3, .4, .5, .75, 1, 2.5, 5, 10, 30, 60})
)

// sessionObserver tells the metrics of what happens to sessions.
func sessionObserver(m *telemetry.Metrics) session.Observer {
	timed := func(h *telemetry.Histogram) session.OutcomeFunc {
		return func(_ context.Context, outcome string, took time.Duration) { m.Observe(h, took, outcome) }
	}
	counted := func(c *telemetry.Counter) session.OutcomeFunc {
		return func(_ context.Context, outcome string, _ time.Duration) { m.Count(c, outcome) }
	}
	return session.Observer{
		Refresh: timed(refreshes), LeaseWait: timed(leaseWaits),
		Revoke: counted(revocations), Delete: counted(deletions), Check: counted(userChecks),
		Beat: func(_ context.Context, gap time.Duration) { m.Observe(changeGaps, gap) },
	}
}

// managerReadings are what a scrape shows of the session manager.
var managerReadings = []struct {
	figure *telemetry.Reading
	of     func(session.Stats) float64
}{
	{telemetry.NewReading("session_cache_entries", "Opened sessions that are kept in memory."),
		func(s session.Stats) float64 { return float64(s.CacheEntries) }},
	{telemetry.NewReading("session_cache_bytes", "What the opened sessions in memory take, in bytes."),
		func(s session.Stats) float64 { return float64(s.CacheBytes) }},
	{telemetry.NewReading("session_cache_budget_bytes", "What opened sessions in memory may take at most, in bytes; 0 where none is kept."),
		func(s session.Stats) float64 { return float64(s.CacheBudget) }},
	{telemetry.NewReading("session_cache_evictions_total", "Sessions that left memory because it was full."),
		func(s session.Stats) float64 { return float64(s.CacheEvictions) }},
	{telemetry.NewReading("session_cache_hits_total", "Sessions served from memory without asking the store."),
		func(s session.Stats) float64 { return float64(s.CacheHits) }},
	{telemetry.NewReading("session_cache_misses_total", "Sessions that were not in memory, so that the store was asked."),
		func(s session.Stats) float64 { return float64(s.CacheMisses) }},
	{telemetry.NewReading("session_cache_bypasses_total", "Sessions that the store was asked for because changes were not heard."),
		func(s session.Stats) float64 { return float64(s.CacheBypasses) }},
	{telemetry.NewReading("session_cache_staleness_seconds", "How long ago sessions in memory were known to be as the store has them; 0 while none is served."),
		func(s session.Stats) float64 { return s.CacheStaleness.Seconds() }},
	{telemetry.NewReading("session_changes_heard", "1 while changes of sessions arrive from the store, 0 while each request asks it."),
		func(s session.Stats) float64 { return oneIf(s.Listening) }},
	{telemetry.NewReading("token_breaker_open", "1 while the token endpoint is not asked, as it did not answer lately."),
		func(s session.Stats) float64 { return oneIf(s.BreakerOpen) }},
	{telemetry.NewReading("token_calls_refused_total", "Calls of the token endpoint that were not made because the breaker was open."),
		func(s session.Stats) float64 { return float64(s.BreakerRefusals) }},
	{telemetry.NewReading("event_streams", "Streams of session events that are open."),
		func(s session.Stats) float64 { return float64(s.Streams[handlers.EventStreams.Name]) }},
}

var (
	sessionsAlive   = telemetry.NewReading("sessions", "Sessions alive when they were last counted; absent where nobody knows.")
	sessionsCounted = telemetry.NewReading("sessions_counted_timestamp_seconds", "When sessions were last counted, in Unix seconds.")
)

// upstreamReadings are what a scrape shows of each upstream.
var upstreamReadings = []struct {
	figure *telemetry.Reading
	of     func(proxy.UpstreamFigures) float64
}{
	{telemetry.NewReading("upstream_connections", "Connections to the upstream that are open, of the gateway's own pool.", "upstream"),
		func(up proxy.UpstreamFigures) float64 { return float64(up.Open.Load()) }},
	{telemetry.NewReading("upstream_dialed_total", "Connections made to the upstream.", "upstream"),
		func(up proxy.UpstreamFigures) float64 { return float64(up.Dialed.Load()) }},
	{telemetry.NewReading("upstream_dial_failures_total", "Connections to the upstream that could not be made.", "upstream"),
		func(up proxy.UpstreamFigures) float64 { return float64(up.Failed.Load()) }},
	{telemetry.NewReading("upstream_reused_total", "Requests over a kept connection.", "upstream"),
		func(up proxy.UpstreamFigures) float64 { return float64(up.Reused.Load()) }},
	{telemetry.NewReading("upstream_stale_total", "Kept connections that the upstream had closed.", "upstream"),
		func(up proxy.UpstreamFigures) float64 { return float64(up.Stale.Load()) }},
	{telemetry.NewReading("upstream_retried_total", "Requests sent again, as a kept connection ended under them.", "upstream"),
		func(up proxy.UpstreamFigures) float64 { return float64(up.Retried.Load()) }},
	{telemetry.NewReading("upstream_excess_total", "Connections closed over bytes that belong to no answer.", "upstream"),
		func(up proxy.UpstreamFigures) float64 { return float64(up.Excess.Load()) }},
	{telemetry.NewReading("upstream_refused_total", "Requests that got no connection, as all were taken.", "upstream"),
		func(up proxy.UpstreamFigures) float64 { return float64(up.Refused.Load()) }},
}

// healthReadings are what a scrape shows besides of upstreams whose health is known.
var healthReadings = []struct {
	figure *telemetry.Reading
	of     func(proxy.UpstreamFigures) float64
}{
	{telemetry.NewReading("upstream_healthy", "1 while requests go to the upstream, 0 while it is out.", "upstream"),
		func(up proxy.UpstreamFigures) float64 { return oneIf(up.Healthy) }},
	{telemetry.NewReading("upstream_health_changes_total", "How often the upstream went out or came back.", "upstream"),
		func(up proxy.UpstreamFigures) float64 { return float64(up.Changed) }},
	{telemetry.NewReading("upstream_pending", "Requests that the upstream has now, streams among them.", "upstream"),
		func(up proxy.UpstreamFigures) float64 { return float64(up.Pending) }},
	{telemetry.NewReading("upstream_moved_total", "Requests sent to another upstream of the route, as this one did not answer.", "upstream"),
		func(up proxy.UpstreamFigures) float64 { return float64(up.Moved) }},
	{telemetry.NewReading("upstream_moves_refused_total", "Requests not sent to another upstream of the route, as too many were.", "upstream"),
		func(up proxy.UpstreamFigures) float64 { return float64(up.Unmoved) }},
}

var upstreamDetours = telemetry.NewReading("upstream_detours_total",
	"Requests by net/http's transport instead of the gateway's own pool, by reason.", "upstream", "reason")

// upstreamFigures shows what a scrape reads of upstreams.
func upstreamFigures(u *proxy.Upstreams, show telemetry.Show) {
	for _, up := range u.Figures() {
		for _, r := range upstreamReadings {
			show(r.figure, r.of(up), up.Name)
		}
		if up.Watched {
			for _, r := range healthReadings {
				show(r.figure, r.of(up), up.Name)
			}
		}
		for reason, n := range up.Detours {
			show(upstreamDetours, float64(n), up.Name, reason)
		}
	}
}

var (
	exchangesOpen  = telemetry.NewReading("session_exchanges", "Requests and streams that are open on the strength of a session.")
	exchangesEnded = telemetry.NewReading("session_exchanges_ended_total", "Requests and streams that were ended because their session was.")
)

var routeRequests = telemetry.NewReading("route_requests", "Requests under way on a route that has a limit of them, by route.", "route")

// figures shows what a scrape reads of the routes that have so many places only.
func (l *limits) figures(show telemetry.Show) {
	for name, places := range *l.places.Load() {
		show(routeRequests, float64(places.Taken()), name)
	}
}

var (
	connectionsOpen      = telemetry.NewReading("client_connections", "Connections of clients that are open, WebSockets among them.")
	connectionsDisplaced = telemetry.NewReading("client_connections_displaced_total", "Connections closed while they waited for their client, to make room for others.")
	descriptorsTaken     = telemetry.NewReading("request_descriptors", "Connections to upstreams and files that are open on behalf of clients.")
	descriptorsDenied    = telemetry.NewReading("request_descriptors_denied_total", "Requests that got no connection to their upstream, or no file, as there was no room for one more.")
	connectionsRefused   = telemetry.NewReading("client_connections_refused_total", "Connections closed at once, as there was no room.")
)

// connectionFigures shows what a scrape reads of the connections of clients, and of what
// is open on their behalf.
func connectionFigures(room *clientconn.Room, show telemetry.Show) {
	f := room.Figures()
	show(connectionsOpen, float64(f.Clients))
	show(descriptorsTaken, float64(f.Taken))
	show(descriptorsDenied, float64(f.Denied))
	show(connectionsDisplaced, float64(f.Displaced))
	show(connectionsRefused, float64(f.Refused))
}

var (
	tunnelsOpen      = telemetry.NewReading("tunnels", "WebSockets that are open.")
	eventStreamsOpen = telemetry.NewReading("upstream_event_streams", "Event streams of upstreams to clients of HTTP/1.1 that are open.")
)

// countTimeout is how long a scrape waits for the number of sessions.
const countTimeout = time.Second

// figures shows what a scrape reads of sessions.
func (s *sessions) figures(show telemetry.Show) {
	stats := s.manager.Stats()
	for _, r := range managerReadings {
		show(r.figure, r.of(stats))
	}
	show(exchangesOpen, float64(s.streams.Open.Len()))
	show(exchangesEnded, float64(s.keeper.Ended()))
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	if count, err := s.store.Count(ctx); err == nil && !count.At.IsZero() {
		show(sessionsAlive, float64(count.Sessions))
		show(sessionsCounted, telemetry.Seconds(count.At))
	}
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// requestMetrics looks up once the figures of each route and of each endpoint of the
// gateway's own, and returns how a request finds its own. Requests that fell on no
// route are counted together.
func (p *pipeline) requestMetrics(table *routing.Table) func(*middleware.Exchange) *telemetry.RouteMetrics {
	none := p.metrics.Route("none")
	routes := make(map[*routing.Route]*telemetry.RouteMetrics)
	for _, r := range table.Routes() {
		routes[r] = p.metrics.Route(r.Name())
	}
	endpoints := make(map[string]*telemetry.RouteMetrics)
	for _, e := range p.endpoints() {
		endpoints[p.mount+e.path] = p.metrics.Route(p.mount + e.path)
	}
	return func(x *middleware.Exchange) *telemetry.RouteMetrics {
		route := x.Decision.Route
		if route != nil && route.Access.Auth == routing.AuthOwn {
			if m, ok := endpoints[x.Event.Route]; ok {
				return m
			}
		}
		if m, ok := routes[route]; ok {
			return m
		}
		return none
	}
}
