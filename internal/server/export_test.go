package server

import (
	"net/http"

	"github.com/go-chi/chi/v5"
)

// Endpoints lists the gateway's own endpoints, those of the admin listener too, as
// "GET /auth/session".
func (s *Server) Endpoints() (all []string, err error) {
	for _, e := range s.pipeline.endpoints() {
		all = append(all, e.method+" "+s.pipeline.mount+e.path)
	}
	err = chi.Walk(s.adminServer().Handler.(chi.Routes), func(method, path string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		all = append(all, method+" "+path)
		return nil
	})
	return all, err
}

// OpenExchanges is how many exchanges are open on the strength of a session.
func (s *Server) OpenExchanges() int { return s.sessions.streams.Open.Len() }
