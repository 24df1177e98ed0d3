package server

import (
	"log/slog"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// signals are what the gateway says of itself.
type signals struct {
	lines   *telemetry.Buffer // of the log, until they are written
	log     *slog.Logger
	metrics *telemetry.Metrics
}

func newSignals(c config.Log, o Options) (signals, error) {
	lines := telemetry.NewBuffer(o.Logs)
	log, err := telemetry.NewLogger(lines, c.Level, c.Format)
	if err != nil {
		return signals{}, err
	}
	return signals{lines, log, telemetry.NewMetrics(o.Version, o.Commit)}, nil
}
