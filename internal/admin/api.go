package admin

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// api is /admin/*. Every answer is JSON, errors are application/problem+json
// (RFC 9457), and every ending is logged.
type api struct {
	Options
	problems *problem.Renderer
	token    *tokenGuard
	host     hostGuard
	started  time.Time
}

func newAPI(o Options, token *tokenGuard, host hostGuard) *api {
	return &api{
		Options: o, problems: problem.NewRenderer(problem.Options{Metrics: o.Metrics}),
		token: token, host: host, started: time.Now(),
	}
}

// handler answers a request, or returns an error and has written nothing. The event
// carries what is logged and the request's id.
type handler func(w http.ResponseWriter, r *http.Request, ev *telemetry.Event) error

// routes are mounted at /admin.
func (a *api) routes() http.Handler {
	mux := chi.NewRouter()
	mux.Get("/stats", a.serve(a.stats))
	mux.Get("/users/{sub}/sessions", a.serve(a.listUser))
	mux.Delete("/users/{sub}/sessions", a.serve(a.endUser))
	mux.Delete("/sessions/{id}", a.serve(a.endSession))
	mux.NotFound(a.serve(func(http.ResponseWriter, *http.Request, *telemetry.Event) error {
		return problem.NoSuch("The admin API has no such endpoint.")
	}))
	mux.MethodNotAllowed(a.serve(func(_ http.ResponseWriter, r *http.Request, _ *telemetry.Event) error {
		return problem.MethodNotRouted(mux, chi.RouteContext(r.Context()).RoutePath)
	}))
	return mux
}

// serve puts the guard before a handler and answers its error.
func (a *api) serve(next handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ev := &telemetry.Event{
			RequestID: rand.Text(), Start: time.Now(), Method: r.Method, Path: r.URL.Path, Route: "admin", Client: r.RemoteAddr,
		}
		w.Header().Set("X-Request-Id", ev.RequestID)
		err := a.refuse(r)
		if err == nil {
			err = next(w, r, ev)
		}
		if err == nil {
			return
		}
		answered := a.problems.RenderDocument(w, r, ev, err)
		ev.Log(r.Context(), a.Logger, time.Now())
		if !answered {
			panic(http.ErrAbortHandler) // net/http would make a 200 of nothing
		}
	}
}

// refuse decides who may call. A browser may not, whatever it knows: on loopback
// there may be no token, and any page can make a browser call an address there.
// It gives itself away by its name for the host (DNS rebinding), by Origin, or
// by fetch metadata.
func (a *api) refuse(r *http.Request) error {
	switch {
	case a.host.refuses(r):
		return &problem.Error{Status: http.StatusMisdirectedRequest, Code: "misdirected",
			Public: "This listener answers to loopback names only."}
	case len(r.Header["Origin"]) > 0 || len(r.Header["Sec-Fetch-Site"]) > 0:
		return &problem.Error{Status: http.StatusForbidden, Code: "browser_refused",
			Public: "The admin API is not for browsers."}
	}
	if refused := a.token.refuse(r); refused != nil {
		return refused
	}
	return nil
}

// stats is GET /admin/stats.
func (a *api) stats(w http.ResponseWriter, r *http.Request, ev *telemetry.Event) error {
	asked := time.Now()
	err := a.Store.Ping(r.Context())
	if err != nil {
		ev.Err = err
	}
	var sessions *SessionStats
	if c, err := a.Store.Count(r.Context()); err == nil {
		sessions = &SessionStats{Count: c.Sessions, CountedAt: c.At.Unix()}
	}
	return problem.WriteJSON(w, http.StatusOK, Stats{
		Sessions: sessions,
		Version:  a.Version, Commit: a.Commit,
		StartedAt: a.started.Unix(), UptimeSeconds: int64(time.Since(a.started).Seconds()),
		Store: StoreStats{
			Kind: a.StoreKind, Available: err == nil,
			Milliseconds: float64(time.Since(asked).Microseconds()) / 1000,
		},
	})
}

// pathValue returns a part of the path decoded. The router cuts the path as it
// was sent where that differs from its plain form, so that a slash inside a part
// stays inside.
func pathValue(r *http.Request, name string) (string, error) {
	value := chi.URLParam(r, name)
	if r.URL.RawPath == "" {
		return value, nil
	}
	decoded, err := url.PathUnescape(value)
	if err != nil {
		return "", &problem.Error{Status: http.StatusBadRequest, Code: "invalid_path", Public: "The path is not properly escaped.", Err: err}
	}
	return decoded, nil
}
