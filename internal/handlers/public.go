package handlers

import (
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
)

// PublicConfig is what a page may know. Field names are those of the answer.
type PublicConfig struct {
	Mount      string   `json:"mount"`
	ClientID   string   `json:"clientId"`
	UserPoolID string   `json:"userPoolId"`
	Region     string   `json:"region,omitempty"`
	Providers  []string `json:"providers"`
	CSRFHeader string   `json:"csrfHeader,omitempty"`
}

// Serve is GET {mount}/config.
func (c *PublicConfig) Serve(w http.ResponseWriter, _ *http.Request, _ *middleware.Exchange) error {
	return problem.WriteJSON(w, http.StatusOK, c)
}

// Health is GET {mount}/healthz, and the admin listener's: 200, or 503 while
// draining, so that a load balancer stops sending.
type Health struct{ Draining atomic.Bool }

// Serve answers for the browser side. Probes come every few seconds, for ever:
// they are logged at debug only.
func (h *Health) Serve(w http.ResponseWriter, _ *http.Request, x *middleware.Exchange) error {
	x.Event.Level = slog.LevelDebug
	if h.Draining.Load() {
		return &problem.Error{Status: http.StatusServiceUnavailable, Code: "draining", Public: "This instance is stopping."}
	}
	return problem.WriteJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// NotEnabled answers for an endpoint that the configuration leaves off.
func NotEnabled(http.ResponseWriter, *http.Request, *middleware.Exchange) error {
	return &problem.Error{Status: http.StatusNotFound, Code: "not_enabled",
		Public: "This endpoint is not enabled on this gateway."}
}
