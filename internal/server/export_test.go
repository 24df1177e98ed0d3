package server

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// Endpoints lists the gateway's own endpoints, those of the admin listener too, as
// "GET /auth/session".
func (s *Server) Endpoints() (all []string, err error) {
	for _, e := range s.pipeline.endpoints() {
		all = append(all, e.method+" "+s.pipeline.mount+e.path)
	}
	all = append(all, "GET "+s.pipeline.mount+verifyPath)
	err = chi.Walk(s.adminServer().Handler.(chi.Routes), func(method, path string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		all = append(all, method+" "+path)
		return nil
	})
	return all, err
}

// OpenExchanges is how many exchanges are open on the strength of a session.
func (s *Server) OpenExchanges() int { return s.sessions.streams.Open.Len() }

// WatchCertificate watches files until ctx ends. It returns who tells the serial number of
// the certificate that is shown.
func WatchCertificate(ctx context.Context, files config.TLS, log *slog.Logger) (shown func() int64, err error) {
	c, err := newCertificate(files, nil, log)
	if err != nil {
		return nil, err
	}
	go c.watch(ctx)
	return func() int64 {
		pair, _ := c.config().GetCertificate(nil)
		return pair.Leaf.SerialNumber.Int64()
	}, nil
}
