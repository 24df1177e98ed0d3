package middleware_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/returnto"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// The hosts of these tests.
const (
	ownHost = "app.example"
	own     = "https://" + ownHost
	spa     = "https://spa.example" // an allowed origin
	evil    = "https://evil.example"
)

func newJar(t testing.TB) *cookie.Jar {
	t.Helper()
	ring, err := secret.NewRing(bytes.Repeat([]byte{1}, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookie.New(cookie.Options{Secure: true, MaxAge: 12 * time.Hour, Ring: ring})
	if err != nil {
		t.Fatal(err)
	}
	return jar
}

// sessionCookie is the Cookie header of a browser that has the handle.
func sessionCookie(t testing.TB, jar *cookie.Jar, handle secret.Text) string {
	t.Helper()
	w := httptest.NewRecorder()
	if err := jar.SetSession(w, handle); err != nil {
		t.Fatal(err)
	}
	pair, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
	return pair
}

// logs collects log lines.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// requests returns the lines about requests, having checked that each line is
// one JSON document.
func (l *logs) requests(t testing.TB) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []map[string]any
	for line := range strings.SplitSeq(strings.TrimSuffix(l.b.String(), "\n"), "\n") {
		var doc map[string]any
		if err := json.Unmarshal([]byte(line), &doc); err != nil {
			t.Fatalf("%v in the log line %q", err, line)
		}
		if doc["msg"] == "request" {
			found = append(found, doc)
		}
	}
	return found
}

// one returns the one line about a request that there must be.
func (l *logs) one(t testing.TB) map[string]any {
	t.Helper()
	lines := l.requests(t)
	if len(lines) != 1 {
		t.Fatalf("%d lines about one request", len(lines))
	}
	return lines[0]
}

// newRecord returns the outermost handler, with what it logs.
func newRecord() (*middleware.Record, *logs) {
	l, m := &logs{}, telemetry.NewMetrics("test", "c0ffee")
	none := m.Route("none")
	return &middleware.Record{
		Problems: problem.NewRenderer(problem.Options{LoginPath: "/auth/login", ReturnTo: returnto.Policy{}, Metrics: m}),
		Logger:   slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics: func(x *middleware.Exchange) *telemetry.RouteMetrics {
			if x.Decision.Route == nil {
				return none
			}
			return m.Route(x.Decision.Route.Path)
		},
	}, l
}

// answered is a Handler that answers 200.
func answered(w http.ResponseWriter, _ *http.Request, _ *middleware.Exchange) error {
	w.WriteHeader(http.StatusOK)
	return nil
}

// isProblem reports whether err is a problem of that status and code.
func isProblem(err error, status int, code string) bool {
	var e *problem.Error
	return errors.As(err, &e) && e.Status == status && string(e.Code) == code
}

// request makes a request with header lines written "Name: value".
func request(method, target string, lines ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.Host = ownHost
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// walk sends a request through the middlewares given, and says what came of it.
func walk(r *http.Request, x *middleware.Exchange, mws ...middleware.Middleware) (w *httptest.ResponseRecorder, reached bool, err error) {
	w = httptest.NewRecorder()
	h := middleware.Chain(func(http.ResponseWriter, *http.Request, *middleware.Exchange) error {
		reached = true
		return nil
	}, mws...)
	err = h(w, r, x)
	return w, reached, err
}

// on is an exchange whose request fell on the route.
func on(route *routing.Route) *middleware.Exchange {
	x := &middleware.Exchange{}
	x.Decision = proxy.Decision{Route: route, Host: ownHost, Proto: "https", Event: &x.Event}
	return x
}

// canceled is a context whose client has left.
func canceled(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}
