package middleware

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/clientconn"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// Record is the outermost handler: it makes the exchange, answers errors,
// recovers panics, and logs and counts each request once, at its end.
type Record struct {
	Problems *problem.Renderer
	Logger   *slog.Logger
	// Metrics returns the figures that a request counts in, at its end.
	Metrics func(*Exchange) *telemetry.RouteMetrics
	// Trust says whose forwarded headers are believed, and which.
	Trust Trust
	// Patience is how long clients are waited for.
	Patience Patience
	// HSTS is the Strict-Transport-Security header of every answer; empty for none.
	HSTS string
}

// Handler returns the server's handler.
func (rec *Record) Handler(next Handler) http.Handler {
	rec.Patience = rec.Patience.orDefault()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { rec.serve(w, r, next) })
}

func (rec *Record) serve(w http.ResponseWriter, r *http.Request, next Handler) {
	x := &Exchange{}
	x.writer.ResponseWriter = w
	if r.ProtoMajor == 2 {
		x.writer.patience, x.writer.conn = rec.Patience.Write, clientconn.From(r.Context())
	}
	rec.begin(w, r, x)
	defer rec.end(r, x)
	if err := next(&x.writer, r, x); err != nil {
		rec.answer(&x.writer, r, x, err)
	}
}

func (rec *Record) begin(w http.ResponseWriter, r *http.Request, x *Exchange) {
	from := rec.Trust.source(r)
	x.Decision.Client, x.Decision.TrustedPeer, x.Asked = from.client, from.trusted, from.host
	id := ""
	if from.trusted && rec.Trust.believes("X-Request-Id") {
		id = validRequestID(r.Header.Get("X-Request-Id"))
	}
	if id == "" {
		id = rand.Text()
	}
	x.Decision.RequestID, x.Decision.Event = id, &x.Event
	x.Event = telemetry.Event{
		RequestID: id, Start: time.Now(), Method: truncate(r.Method),
		Host: truncate(r.Host), Path: truncate(r.URL.Path), Client: from.client,
	}
	h := w.Header()
	x.own = [...]string{id, rec.HSTS}
	h["X-Request-Id"] = x.own[0:1:1]
	if rec.HSTS != "" {
		h["Strict-Transport-Security"] = x.own[1:2:2]
	}
}

// answer renders err, unless the answer has begun, be it that of a WebSocket, which the
// writer does not see: then it can only be logged.
func (rec *Record) answer(w *writer, r *http.Request, x *Exchange, err error) {
	if w.status != 0 || x.left() {
		x.Event.Err, x.Event.Level = fmt.Errorf("[unexpected] error after the answer began: %w", err), slog.LevelError
		return
	}
	rec.Patience.boundRest(w.ResponseWriter, r) // nobody has read the body, or will
	rec.Problems.Render(w, r, &x.Event, err)
}

func (rec *Record) end(r *http.Request, x *Exchange) {
	p := recover()
	if x.left() {
		rec.goOn(r, x, p)
		return
	}
	broken := p != nil && (x.writer.status != 0 || aborts(p))
	if p != nil {
		rec.recovered(r, x, p)
	}
	if x.Event.Status == 0 {
		x.Event.Status = x.writer.status
	}
	x.Event.Bytes = x.writer.bytes
	x.name()
	rec.write(r.Context(), x, rec.Metrics(x))
	rec.Patience.boundRest(x.writer.ResponseWriter, r)
	if broken || x.unanswered() {
		panic(http.ErrAbortHandler) // it must not look complete, nor like the 200 that net/http makes of nothing
	}
}

// name tells the record who has called.
func (x *Exchange) name() {
	x.Event.Subject = x.Caller.Subject
	if s := x.Caller.Session; s != nil {
		x.Event.Session = s.ID
	}
}

// write logs and counts the request, at its end.
func (rec *Record) write(ctx context.Context, x *Exchange, figures *telemetry.RouteMetrics) {
	end := time.Now()
	figures.Observe(&x.Event, end)
	x.Event.Log(ctx, rec.Logger, end)
	if x.Event.Recorded != nil {
		x.Event.Recorded()
	}
}

// goOn lets an answer go on that has left its handler. The exchange lasts as long, and lets
// go of what only a handler needs.
func (rec *Record) goOn(r *http.Request, x *Exchange, p any) {
	stream := x.Decision.Stream
	x.ending.goesOn(stream)
	if p != nil {
		stream.End(errPanic)
		rec.recovered(r, x, p)
	}
	figures := rec.Metrics(x)
	x.name()
	if x.Event.Status == 0 {
		x.Event.Status = x.writer.status
	}
	x.writer, x.Caller, x.Handle = writer{status: x.writer.status}, Caller{}, session.Handle{}
	x.Decision.Forget()
	go func() {
		rec.run(stream, x)
		for _, do := range x.later {
			do()
		}
		rec.write(context.Background(), x, figures)
	}()
}

// run carries a stream to its end.
func (rec *Record) run(stream proxy.Stream, x *Exchange) {
	defer func() {
		if p := recover(); p != nil {
			rec.recovered(nil, x, p) // there is nothing to answer any more
		}
	}()
	stream.Run()
}

// unanswered reports whether nothing was written: nobody was thought to be there any more.
// But a caller that has ended its own side only still reads.
func (x *Exchange) unanswered() bool {
	return x.writer.status == 0 && x.Event.Status != http.StatusSwitchingProtocols
}

// aborts reports whether a panic is http.ErrAbortHandler, which is how a relay
// cuts an answer short, and no bug.
func aborts(p any) bool {
	err, ok := p.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

// recovered turns a panic into an answer where that is still possible.
func (rec *Record) recovered(r *http.Request, x *Exchange, p any) {
	if aborts(p) {
		x.Event.AddNote("answer cut short")
		return
	}
	rec.Logger.Error("[unexpected] panic", "requestId", x.Event.RequestID,
		"panic", secret.OfPanic(p), "stack", string(debug.Stack()))
	rec.answer(&x.writer, r, x, errPanic)
}

var errPanic = errors.New("panic while serving the request")

// truncate bounds what a client can make a log line hold.
func truncate(s string) string {
	const most = 512
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

// validRequestID returns id if it is fit for headers and logs, else nothing.
func validRequestID(id string) string {
	if len(id) > 128 {
		return ""
	}
	for i := range len(id) {
		c := id[i]
		if ('0' > c || c > '9') && ('a' > c || c > 'z') && ('A' > c || c > 'Z') && c != '-' && c != '_' && c != '.' {
			return ""
		}
	}
	return id
}
