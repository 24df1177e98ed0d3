package server

import (
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/gatehouse-auth/gatehouse/internal/loopback"
)

// adminServer serves probes, metrics and the admin API, on a listener of their
// own: nothing of it is ever on the public one.
func (s *Server) adminServer() *http.Server {
	mux := chi.NewRouter()
	token := &adminToken{token: s.cfg.AdminToken, log: s.log}
	mux.Mount("/admin", s.adminAPI(token).routes())
	mux.Group(func(mux chi.Router) {
		mux.Use(s.adminHost)
		mux.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
		mux.Get("/readyz", s.ready)
		mux.With(token.guard).Method(http.MethodGet, "/metrics", s.metrics.Handler())
	})
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// adminHost refuses names that are not loopback on a loopback listener: a page
// elsewhere can make a browser call it under a name of its own (DNS rebinding).
func (s *Server) adminHost(next http.Handler) http.Handler {
	if !s.cfg.AdminToken.Empty() && !loopbackAddress(s.cfg.AdminListen) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loopbackAddress(r.Host) {
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

// loopbackAddress reports whether host[:port] is a loopback name or address.
func loopbackAddress(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	return loopback.Host(host)
}
