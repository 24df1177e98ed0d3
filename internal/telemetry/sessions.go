package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// SessionFigures are what there is of sessions at one moment.
type SessionFigures struct {
	// Sessions were alive at SessionsAt; zero: not known.
	Sessions   int
	SessionsAt time.Time

	CacheEntries, CacheBytes              int
	CacheHits, CacheMisses, CacheBypasses uint64
	// CacheStaleness is how far behind the store the cache may be now.
	CacheStaleness time.Duration

	ChangesHeard    bool // changes on other instances arrive
	BreakerOpen     bool // the token endpoint is not asked
	BreakerRefusals uint64
	EventStreams    int
}

// Sessions registers the figures of sessions, which read gives at each scrape.
// Call it once.
func (m *Metrics) Sessions(read func() SessionFigures) {
	m.registry.MustRegister(sessionCollector(read))
}

var (
	sessions        = sessionDesc("sessions", "Sessions alive when they were last counted; absent where nobody knows.")
	sessionsAt      = sessionDesc("sessions_counted_timestamp_seconds", "When sessions were last counted, in Unix seconds.")
	cacheEntries    = sessionDesc("session_cache_entries", "Opened sessions that are kept in memory.")
	cacheBytes      = sessionDesc("session_cache_bytes", "What the opened sessions in memory take, in bytes.")
	cacheHits       = sessionDesc("session_cache_hits_total", "Sessions served from memory without asking the store.")
	cacheMisses     = sessionDesc("session_cache_misses_total", "Sessions that were not in memory, so that the store was asked.")
	cacheBypasses   = sessionDesc("session_cache_bypasses_total", "Sessions that the store was asked for because changes were not heard.")
	cacheStaleness  = sessionDesc("session_cache_staleness_seconds", "How long ago sessions in memory were known to be as the store has them; 0 while none is served.")
	changesHeard    = sessionDesc("session_changes_heard", "1 while changes of sessions arrive from the store, 0 while each request asks it.")
	breakerOpen     = sessionDesc("token_breaker_open", "1 while the token endpoint is not asked, as it did not answer lately.")
	breakerRefusals = sessionDesc("token_calls_refused_total", "Calls of the token endpoint that were not made because the breaker was open.")
	eventStreams    = sessionDesc("event_streams", "Streams of session events that are open.")
)

func sessionDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("gatehouse_"+name, help, nil, nil)
}

// sessionCollector shows figures of one moment, which gauges of a function each
// would not.
type sessionCollector func() SessionFigures

// Describe implements prometheus.Collector.
func (sessionCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		sessions, sessionsAt, cacheEntries, cacheBytes, cacheHits, cacheMisses, cacheBypasses, cacheStaleness,
		changesHeard, breakerOpen, breakerRefusals, eventStreams,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (read sessionCollector) Collect(out chan<- prometheus.Metric) {
	f := read()
	gauge := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	counter := func(d *prometheus.Desc, v uint64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	if !f.SessionsAt.IsZero() {
		gauge(sessions, float64(f.Sessions))
		gauge(sessionsAt, float64(f.SessionsAt.UnixMilli())/1000)
	}
	gauge(cacheEntries, float64(f.CacheEntries))
	gauge(cacheBytes, float64(f.CacheBytes))
	counter(cacheHits, f.CacheHits)
	counter(cacheMisses, f.CacheMisses)
	counter(cacheBypasses, f.CacheBypasses)
	gauge(cacheStaleness, f.CacheStaleness.Seconds())
	gauge(changesHeard, oneIf(f.ChangesHeard))
	gauge(breakerOpen, oneIf(f.BreakerOpen))
	counter(breakerRefusals, f.BreakerRefusals)
	gauge(eventStreams, float64(f.EventStreams))
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
