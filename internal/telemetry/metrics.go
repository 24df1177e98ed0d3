package telemetry

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the gateway's own figures and Go's, on a registry of their own.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	problems *prometheus.CounterVec
	logins   *prometheus.CounterVec
	refresh  *prometheus.HistogramVec
	revoke   *prometheus.CounterVec
	deletion *prometheus.CounterVec
	store    *prometheus.HistogramVec
	alarms   *prometheus.CounterVec
	pool     *prometheus.HistogramVec
	lease    *prometheus.HistogramVec
	check    *prometheus.CounterVec
	heard    *prometheus.HistogramVec
	reloads  *prometheus.CounterVec
	loaded   prometheus.Gauge
}

// The buckets of what takes as long as a network, a token endpoint or a lease.
var (
	networkBuckets = []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10}
	leaseBuckets   = append(networkBuckets[:len(networkBuckets):len(networkBuckets)], 30)
	requestBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	storeBuckets   = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .1, .5, 2}
	heardBuckets   = []float64{.1, .25, .3, .4, .5, .75, 1, 2.5, 5, 10, 30, 60}
)

// NewMetrics registers everything. Version and commit are the build's.
// docs/metrics.md explains each.
func NewMetrics(version, commit string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: counter("requests_total", "Requests answered, by route and class of status.", "route", "status"),
		latency:  histogram("request_duration_seconds", "Time from a request's arrival to the end of its answer.", requestBuckets, "route"),
		problems: counter("problems_total", "Answers that were a problem, by its code.", "code"),
		logins:   counter("logins_total", "Returns from the user pool, by outcome.", "outcome"),
		refresh:  histogram("refresh_duration_seconds", "Token refreshes, by outcome.", networkBuckets, "outcome"),
		lease:    histogram("lease_wait_seconds", "Refreshes that waited for another instance's, by how the wait ended.", leaseBuckets, "outcome"),
		pool:     histogram("user_pool_duration_seconds", "Calls of the user pool, by what they were for and outcome.", networkBuckets, "call", "outcome"),
		revoke:   counter("revocations_total", "Refresh tokens revoked at the user pool after a session's end, by outcome.", "outcome"),
		check:    counter("revocation_checks_total", "Questions whether a session's user is still in, by outcome.", "outcome"),
		alarms:   counter("misconfigured_total", "Refusals by the user pool that an operator must mend, by where they happened.", "where"),
		deletion: counter("deferred_deletions_total", "Sessions ended while the store was away, by outcome of the deletion.", "outcome"),
		store:    histogram("store_duration_seconds", "Calls of the session store, by operation and outcome.", storeBuckets, "operation", "outcome"),
		heard:    histogram("session_changes_gap_seconds", "From one sign that changes of sessions arrive to the next.", heardBuckets),
		reloads:  counter("config_reloads_total", "Reloads of the configuration, by outcome.", "outcome"),
		loaded: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gatehouse_config_loaded_timestamp_seconds", Help: "When the configuration that holds was loaded, in Unix seconds.",
		}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "gatehouse_build_info", Help: "Always 1; the labels tell the build.",
		ConstLabels: prometheus.Labels{"version": version, "commit": commit, "goversion": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.latency, m.problems, m.logins, m.refresh, m.lease, m.pool, m.revoke,
		m.check, m.alarms, m.deletion, m.store, m.heard, m.reloads, m.loaded, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gatehouse_" + name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "gatehouse_" + name, Help: help, Buckets: buckets}, labels)
}

// Handler serves the metrics in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// RouteMetrics are one route's children, resolved once so that a request pays
// for no label lookup.
type RouteMetrics struct {
	latency prometheus.Observer
	status  [6]prometheus.Counter
}

// Route resolves the children of one route.
func (m *Metrics) Route(route string) *RouteMetrics {
	rm := &RouteMetrics{latency: m.latency.WithLabelValues(route)}
	for i, class := range [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"} {
		rm.status[i] = m.requests.WithLabelValues(route, class)
	}
	return rm
}

// Observe counts one answer. A status of 0 is a client that left before one.
func (rm *RouteMetrics) Observe(status int, took time.Duration) {
	class := status / 100
	if class < 0 || class >= len(rm.status) {
		class = 0
	}
	rm.status[class].Inc()
	rm.latency.Observe(took.Seconds())
}

// Problem counts an answer that was a problem.
func (m *Metrics) Problem(code string) { m.problems.WithLabelValues(code).Inc() }

// Login counts a return from the user pool.
func (m *Metrics) Login(outcome string) { m.logins.WithLabelValues(outcome).Inc() }

// Refresh counts a token refresh.
func (m *Metrics) Refresh(outcome string, took time.Duration) {
	m.refresh.WithLabelValues(outcome).Observe(took.Seconds())
}

// Revoke counts an attempt to revoke a refresh token.
func (m *Metrics) Revoke(outcome string) { m.revoke.WithLabelValues(outcome).Inc() }

// Delete counts a deletion that had to be put off.
func (m *Metrics) Delete(outcome string) { m.deletion.WithLabelValues(outcome).Inc() }

// Store counts a call of the session store.
func (m *Metrics) Store(operation, outcome string, took time.Duration) {
	m.store.WithLabelValues(operation, outcome).Observe(took.Seconds())
}

// UserPool counts a call of the user pool.
func (m *Metrics) UserPool(call, outcome string, took time.Duration) {
	m.pool.WithLabelValues(call, outcome).Observe(took.Seconds())
}

// LeaseWait counts a refresh that waited for another instance's.
func (m *Metrics) LeaseWait(outcome string, waited time.Duration) {
	m.lease.WithLabelValues(outcome).Observe(waited.Seconds())
}

// RevocationCheck counts a question whether a session's user is still in.
func (m *Metrics) RevocationCheck(outcome string) { m.check.WithLabelValues(outcome).Inc() }

// ChangesHeard counts a sign that changes of sessions arrive.
func (m *Metrics) ChangesHeard(gap time.Duration) { m.heard.WithLabelValues().Observe(gap.Seconds()) }

// Loaded says that a configuration holds from now on.
func (m *Metrics) Loaded() { m.loaded.SetToCurrentTime() }

// Reload counts a reload of the configuration.
func (m *Metrics) Reload(outcome string) { m.reloads.WithLabelValues(outcome).Inc() }

// Misconfigured counts a refusal that an operator must mend.
func (m *Metrics) Misconfigured(where string) { m.alarms.WithLabelValues(where).Inc() }
