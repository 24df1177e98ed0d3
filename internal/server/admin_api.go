package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/gatehouse-auth/gatehouse/internal/cognito"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// adminAPI is /admin/* of the admin listener: what an operator and
// `gateway sessions` may ask and do. Every answer is JSON, errors are
// application/problem+json (RFC 9457), and every ending is logged.
type adminAPI struct {
	sessions *session.Manager
	store    session.Store
	signOut  func(ctx context.Context, name string) error // of a user, at the user pool
	count    func() (sessionstore.Count, bool)
	problems *problem.Renderer
	log      *slog.Logger

	token    *adminToken
	loopback bool // answer to loopback names only
	version  string
	commit   string
	kind     string // of the store
	started  time.Time
}

func (s *Server) adminAPI(token *adminToken) *adminAPI {
	return &adminAPI{
		sessions: s.manager, store: s.store, count: s.countSessions, log: s.log,
		signOut: cognito.NewAdmin(cognito.AdminOptions{
			PoolID: s.cfg.Cognito.UserPoolID, Endpoint: s.cfg.Cognito.APIEndpoint, Region: s.cfg.Cognito.Region, HTTP: s.calls,
		}).SignOutUser,
		problems: problem.NewRenderer(problem.Options{Metrics: s.metrics}),
		token:    token, loopback: s.cfg.AdminToken.Empty() || loopbackAddress(s.cfg.AdminListen),
		version: s.opts.Version, commit: s.opts.Commit, kind: s.cfg.Session.Store.Scheme, started: time.Now(),
	}
}

// adminHandler answers a request of the admin API, or returns an error and has
// written nothing. The event carries what is logged and the request's id.
type adminHandler func(w http.ResponseWriter, r *http.Request, ev *telemetry.Event) error

// routes are mounted at /admin.
func (a *adminAPI) routes() http.Handler {
	mux := chi.NewRouter()
	mux.Get("/stats", a.serve(a.stats))
	mux.Get("/users/{sub}/sessions", a.serve(a.listUser))
	mux.Delete("/users/{sub}/sessions", a.serve(a.endUser))
	mux.Delete("/sessions/{id}", a.serve(a.endSession))
	mux.NotFound(a.serve(func(http.ResponseWriter, *http.Request, *telemetry.Event) error {
		return &problem.Error{Status: http.StatusNotFound, Code: "not_found", Public: "The admin API has no such endpoint."}
	}))
	mux.MethodNotAllowed(a.serve(func(_ http.ResponseWriter, r *http.Request, _ *telemetry.Event) error {
		return methodNotAllowed(mux, chi.RouteContext(r.Context()).RoutePath)
	}))
	return mux
}

// serve puts the guard before a handler and answers its error.
func (a *adminAPI) serve(next adminHandler) http.HandlerFunc {
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
		a.problems.RenderDocument(w, r, ev, err)
		ev.Log(r.Context(), a.log)
	}
}

// refuse decides who may call. A browser may not, whatever it knows: on loopback
// there may be no token, and any page can make a browser call an address there.
// It gives itself away by its name for the host (DNS rebinding), by Origin, or
// by fetch metadata.
func (a *adminAPI) refuse(r *http.Request) error {
	switch {
	case a.loopback && !loopbackAddress(r.Host):
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

// statsAnswer is about this instance; times are Unix seconds.
type statsAnswer struct {
	Version       string     `json:"version"`
	Commit        string     `json:"commit"`
	StartedAt     int64      `json:"startedAt"`
	UptimeSeconds int64      `json:"uptimeSeconds"`
	Store         storeStats `json:"store"`
	// Sessions are of all instances that share the store; left out where nobody knows.
	Sessions *sessionStats `json:"sessions,omitempty"`
}

type sessionStats struct {
	Count     int   `json:"count"`
	CountedAt int64 `json:"countedAt"`
}

type storeStats struct {
	Kind      string `json:"kind"`
	Available bool   `json:"available"`
	// Milliseconds is how long the store took to answer just now.
	Milliseconds float64 `json:"milliseconds"`
}

// stats is GET /admin/stats. The sessions were counted before, as in Redis that
// is a walk over all keys (sessionstore.Redis.KeepCount).
func (a *adminAPI) stats(w http.ResponseWriter, r *http.Request, ev *telemetry.Event) error {
	asked := time.Now()
	err := a.store.Ping(r.Context())
	if err != nil {
		ev.Err = err
	}
	var sessions *sessionStats
	if c, ok := a.count(); ok {
		sessions = &sessionStats{Count: c.Sessions, CountedAt: c.At.Unix()}
	}
	return adminJSON(w, statsAnswer{
		Sessions: sessions,
		Version:  a.version, Commit: a.commit,
		StartedAt: a.started.Unix(), UptimeSeconds: int64(time.Since(a.started).Seconds()),
		Store: storeStats{
			Kind: a.kind, Available: err == nil,
			Milliseconds: float64(time.Since(asked).Microseconds()) / 1000,
		},
	})
}

func adminJSON(w http.ResponseWriter, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	problem.OwnHeaders(w.Header())
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // a client that left cannot be told
	return nil
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
