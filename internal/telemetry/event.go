package telemetry

import (
	"context"
	"log/slog"
	"time"
)

// Event is the one record of a request. The outermost handler makes it, whoever
// knows something fills it in, and it is logged once, at the end.
type Event struct {
	RequestID string
	Start     time.Time
	Method    string
	Host      string
	Path      string // without the query, which may hold codes and states
	Route     string // the pattern or route prefix that matched
	Client    string // address of the caller
	Status    int
	Bytes     int64
	Session   string // public id of the session
	Subject   string
	Code      string // problem code, if the answer was a problem
	Err       error  // cause, if there was one
	Level     slog.Level
	Upstream  string
	// UpstreamTime runs until the upstream's response header; zero if none was asked.
	UpstreamTime time.Duration
	// Stream: the answer lasts for as long as both sides like, such as server-sent
	// events and a WebSocket.
	Stream  bool
	Refresh string // outcome of a token refresh that this request waited for
	Note    string // what else an operator should know
	// Recorded is called once the request is logged and counted; nil: nothing waits for that.
	Recorded func()
}

// AddNote notes one thing more.
func (e *Event) AddNote(note string) {
	if e.Note != "" {
		note = e.Note + "; " + note
	}
	e.Note = note
}

// Log writes the event, which ended at end, as one line. Empty fields are left out.
func (e *Event) Log(ctx context.Context, l *slog.Logger, end time.Time) {
	if !l.Enabled(ctx, e.Level) {
		return
	}
	var array [mostAttrs]slog.Attr
	writeLine(ctx, l.Handler(), end, e.Level, "request", e.appendAttrs(array[:0], end))
}

// mostAttrs is how many attributes a line has if nothing is empty.
const mostAttrs = 17

func (e *Event) appendAttrs(attrs []slog.Attr, end time.Time) []slog.Attr {
	attrs = append(attrs,
		slog.String("requestId", e.RequestID),
		slog.String("method", e.Method),
		slog.String("host", e.Host),
		slog.String("path", e.Path),
		slog.Int("status", e.Status),
		slog.Int64("bytes", e.Bytes),
		slog.Float64("ms", milliseconds(end.Sub(e.Start))),
	)
	for _, a := range [...]struct{ key, value string }{
		{"route", e.Route}, {"client", e.Client}, {"session", e.Session}, {"subject", e.Subject},
		{"code", e.Code}, {"upstream", e.Upstream}, {"refresh", e.Refresh}, {"note", e.Note},
	} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.key, a.value))
		}
	}
	if e.UpstreamTime > 0 {
		attrs = append(attrs, slog.Float64("upstreamMs", milliseconds(e.UpstreamTime)))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	return attrs
}

// milliseconds is d as the log has it, to the microsecond.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
