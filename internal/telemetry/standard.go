package telemetry

import (
	"log"
	"log/slog"
)

// TakeStandardLog sends what packages print to the standard logger to l, as one
// fixed sentence at debug level. It drops their texts: net/http prints what an
// upstream sent out of turn, which may be another caller's answer, in lines that are
// no JSON.
func TakeStandardLog(l *slog.Logger) {
	log.SetFlags(0)
	log.SetOutput(standardLog{l})
}

type standardLog struct{ log *slog.Logger }

// Write implements [io.Writer].
func (s standardLog) Write(p []byte) (int, error) {
	s.log.Debug("a package had something to print; its text is left out", "bytes", len(p))
	return len(p), nil
}
