package problem

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// OwnHeaders marks an answer as the gateway's own and keeps it out of every cache.
func OwnHeaders(h http.Header) {
	h.Set("X-Gatehouse", "1")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
}

// WriteJSON answers with v.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	OwnHeaders(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that left cannot be told
	return nil
}

// WriteNothing answers that what was asked is done, and no more: 204.
func WriteNothing(w http.ResponseWriter) error {
	OwnHeaders(w.Header())
	w.WriteHeader(http.StatusNoContent)
	return nil
}
