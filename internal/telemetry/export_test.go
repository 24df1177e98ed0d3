package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Describe tells of every figure, those that are read at a scrape included.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	m.registry.Describe(out)
	for _, r := range described.readings {
		out <- r.desc
	}
}

// WriteLine writes any line in the way of a request's.
var WriteLine = writeLine
