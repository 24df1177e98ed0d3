package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	requests = NewCounter("requests_total", "Requests answered, by route and class of status.", "route", "status")
	latency  = NewHistogram("request_duration_seconds", "Time from a request's arrival to the end of its answer, but of streams.",
		[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}, "route")
)

// RouteMetrics are the figures of one route's requests, looked up once so that a
// request pays for no lookup by label.
type RouteMetrics struct {
	latency prometheus.Observer
	status  [6]prometheus.Counter
}

// Route looks up the figures of one route. They show before its first request.
func (m *Metrics) Route(route string) *RouteMetrics {
	rm := &RouteMetrics{latency: m.histograms[latency].WithLabelValues(route)}
	for i, class := range [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"} {
		rm.status[i] = m.counters[requests].WithLabelValues(route, class)
	}
	return rm
}

// Observe counts the answer that e tells of, which ended at end. A status of 0 is a
// client that left before one. A stream counts as a request, and not as a latency.
func (rm *RouteMetrics) Observe(e *Event, end time.Time) {
	class := e.Status / 100
	if class < 0 || class >= len(rm.status) {
		class = 0
	}
	rm.status[class].Inc()
	if !e.Stream {
		rm.latency.Observe(end.Sub(e.Start).Seconds())
	}
}
