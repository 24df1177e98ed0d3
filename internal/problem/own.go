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
	write(w, status, "application/json", append(body, '\n'))
	return nil
}

func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that left cannot be told
}

// WriteNothing answers that what was asked is done, and no more: 204.
func WriteNothing(w http.ResponseWriter) error {
	OwnHeaders(w.Header())
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// Redirect sends the browser on. After a POST it becomes a GET (RFC 9700 §4.12).
func Redirect(w http.ResponseWriter, r *http.Request, to string) error {
	status := http.StatusFound
	if r.Method == http.MethodPost {
		status = http.StatusSeeOther
	}
	OwnHeaders(w.Header())
	w.Header().Set("Location", to)
	w.WriteHeader(status)
	return nil
}
