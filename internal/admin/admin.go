// Package admin is the handler of the admin listener: probes, metrics and the
// admin API, what an operator and `gateway sessions` may ask and do. Where it
// listens is for its caller to say. The one invariant: no browser gets an answer
// of the API, whatever it knows, and nobody without the token where there is one.
package admin

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/gatehouse-auth/gatehouse/internal/loopback"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// Options of the handler. All but Token are required.
type Options struct {
	// Listen is the host:port that the handler is served at. On loopback, and
	// everywhere without a Token, the handler answers to loopback names only.
	Listen string
	// Token is what the API and the metrics ask for (RFC 6750 §2.1); empty: nothing.
	Token secret.Text

	Sessions *session.Manager
	Store    session.Store
	// StoreKind names the kind of the store, such as "memory".
	StoreKind string
	// SignOut signs a user out at the user pool (cognito.Admin.SignOutUser).
	SignOut func(ctx context.Context, username string) error

	// Draining reports whether the instance is about to stop.
	Draining func() bool
	// Reasons returns why logins do not work here; none: they do.
	Reasons func(ctx context.Context) []string
	Metrics *telemetry.Metrics

	// Version and Commit are the build's.
	Version, Commit string
	Logger          *slog.Logger
}

// New returns the handler. The uptime that it tells begins now.
func New(o Options) http.Handler {
	token := &tokenGuard{token: o.Token, log: o.Logger}
	host := hostGuard{loopback: o.Token.Empty() || loopback.HostPort(o.Listen)}
	mux := chi.NewRouter()
	mux.Mount("/admin", newAPI(o, token, host).routes())
	mux.Group(func(mux chi.Router) {
		mux.Use(host.guard)
		mux.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
		mux.Get("/readyz", o.ready)
		mux.With(token.guard).Method(http.MethodGet, "/metrics", o.Metrics.Handler())
	})
	return mux
}

// ready is GET /readyz: whether logins work at this instance now, and why not.
func (o *Options) ready(w http.ResponseWriter, r *http.Request) {
	if o.Draining() {
		plain(w, http.StatusServiceUnavailable, "draining")
		return
	}
	if reasons := o.Reasons(r.Context()); len(reasons) > 0 {
		plain(w, http.StatusServiceUnavailable, "not ready\n"+strings.Join(reasons, "\n"))
		return
	}
	plain(w, http.StatusOK, "ready")
}

// hostGuard refuses names that are not loopback on a loopback listener: a page
// elsewhere can make a browser call it under a name of its own (DNS rebinding).
type hostGuard struct{ loopback bool }

func (g hostGuard) refuses(r *http.Request) bool { return g.loopback && !loopback.HostPort(r.Host) }

// guard asks before a handler that answers in plain text.
func (g hostGuard) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.refuses(r) {
			plain(w, http.StatusMisdirectedRequest, "this listener answers to loopback names only")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // a prober that left cannot be told
}
