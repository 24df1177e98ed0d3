package telemetry

import (
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// prefix begins every name of ours.
const prefix = "gatehouse_"

// A figure is described once, as a variable of the package where it happens:
//
//	var logins = telemetry.NewCounter("logins_total", "Returns from the user pool, by outcome.", "outcome")
//
// and counted there: metrics.Count(logins, "done"). The variable holds no number;
// the numbers are in the [Metrics] of each gateway. docs/metrics.md has a row for
// each, which a test demands.
//
// Counter, Histogram, Gauge and Reading are the kinds. They are made while packages
// are initialized, and at no other time.
type (
	// Counter only grows.
	Counter struct {
		opts   prometheus.CounterOpts
		labels []string
	}
	// Histogram counts durations, in seconds, by buckets.
	Histogram struct {
		opts   prometheus.HistogramOpts
		labels []string
	}
	// Gauge is a number that was set last.
	Gauge struct{ opts prometheus.GaugeOpts }
	// Reading is a number that is read when somebody asks.
	Reading struct {
		desc *prometheus.Desc
		kind prometheus.ValueType
	}
)

// described are the figures of every package of the program.
var described struct {
	counters   []*Counter
	histograms []*Histogram
	gauges     []*Gauge
	readings   []*Reading
}

// NewCounter describes a counter, whose name ends in _total.
func NewCounter(name, help string, labels ...string) *Counter {
	c := &Counter{prometheus.CounterOpts{Name: prefix + name, Help: help}, labels}
	described.counters = append(described.counters, c)
	return c
}

// NewHistogram describes a histogram, whose name ends in _seconds. The buckets are
// upper bounds in seconds.
func NewHistogram(name, help string, buckets []float64, labels ...string) *Histogram {
	h := &Histogram{prometheus.HistogramOpts{Name: prefix + name, Help: help, Buckets: buckets}, labels}
	described.histograms = append(described.histograms, h)
	return h
}

// NewGauge describes a gauge.
func NewGauge(name, help string) *Gauge {
	g := &Gauge{prometheus.GaugeOpts{Name: prefix + name, Help: help}}
	described.gauges = append(described.gauges, g)
	return g
}

// NewReading describes a reading: of a counter, if its name ends in _total.
func NewReading(name, help string, labels ...string) *Reading {
	r := &Reading{prometheus.NewDesc(prefix+name, help, labels, nil), prometheus.GaugeValue}
	if strings.HasSuffix(name, "_total") {
		r.kind = prometheus.CounterValue
	}
	described.readings = append(described.readings, r)
	return r
}

// Metrics are one gateway's numbers, and Go's, on a registry of their own. A nil
// Metrics counts nothing.
type Metrics struct {
	registry   *prometheus.Registry
	counters   map[*Counter]*prometheus.CounterVec
	histograms map[*Histogram]*prometheus.HistogramVec
	gauges     map[*Gauge]prometheus.Gauge
}

// NewMetrics registers every figure. Version and commit are the build's.
func NewMetrics(version, commit string) *Metrics {
	m := &Metrics{
		registry:   prometheus.NewRegistry(),
		counters:   make(map[*Counter]*prometheus.CounterVec),
		histograms: make(map[*Histogram]*prometheus.HistogramVec),
		gauges:     make(map[*Gauge]prometheus.Gauge),
	}
	for _, c := range described.counters {
		m.counters[c] = registered(m.registry, prometheus.NewCounterVec(c.opts, c.labels))
	}
	for _, h := range described.histograms {
		m.histograms[h] = registered(m.registry, prometheus.NewHistogramVec(h.opts, h.labels))
	}
	for _, g := range described.gauges {
		m.gauges[g] = registered(m.registry, prometheus.NewGauge(g.opts))
	}
	registered(m.registry, prometheus.NewGauge(buildInfo(version, commit))).Set(1)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func registered[C prometheus.Collector](r *prometheus.Registry, c C) C {
	r.MustRegister(c)
	return c
}

func buildInfo(version, commit string) prometheus.GaugeOpts {
	return prometheus.GaugeOpts{
		Name: prefix + "build_info", Help: "Always 1; the labels tell the build.",
		ConstLabels: prometheus.Labels{"version": version, "commit": commit, "goversion": runtime.Version()},
	}
}

// Count counts one more, under a value for each of the counter's labels. The values
// must be few: each is a line of every scrape for good.
func (m *Metrics) Count(c *Counter, values ...string) {
	if m != nil {
		m.counters[c].WithLabelValues(values...).Inc()
	}
}

// Observe counts something that took so long, under a value for each label.
func (m *Metrics) Observe(h *Histogram, took time.Duration, values ...string) {
	if m != nil {
		m.histograms[h].WithLabelValues(values...).Observe(took.Seconds())
	}
}

// SetTime sets a gauge to a time, in Unix seconds.
func (m *Metrics) SetTime(g *Gauge, at time.Time) {
	if m != nil {
		m.gauges[g].Set(Seconds(at))
	}
}

// Seconds is a time in Unix seconds, as Prometheus has it.
func Seconds(at time.Time) float64 { return float64(at.UnixNano()) / 1e9 }

// Show shows a reading, with a value for each of its labels.
type Show func(r *Reading, v float64, labels ...string)

// OnScrape has read show readings at each scrape, all of one moment. One that it
// does not show is absent.
func (m *Metrics) OnScrape(read func(Show)) {
	m.registry.MustRegister(scraped(read))
}

// scraped is a collector that describes nothing beforehand, as it may show nothing.
type scraped func(Show)

// Describe implements [prometheus.Collector].
func (scraped) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (read scraped) Collect(out chan<- prometheus.Metric) {
	read(func(r *Reading, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(r.desc, r.kind, v, labels...)
	})
}

// Handler serves the metrics in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
