// Package handlers holds the gateway's own endpoints, one subject a file: login
// and callback, the session as its page sees it, logout, and what pages and
// load balancers may know. Which requests may reach them is decided before;
// errors are answered behind them.
//
// The one invariant: no answer of theirs holds a real token, and only a
// sign-out clears the session cookie.
package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
)

// writeJSON answers with v. Nothing of the gateway's own is ever cached.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	problem.OwnHeaders(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that left cannot be told
	return nil
}

// redirect sends the browser on. After a POST it becomes a GET (RFC 9700 §4.12).
func redirect(w http.ResponseWriter, r *http.Request, to string) error {
	status := http.StatusFound
	if r.Method == http.MethodPost {
		status = http.StatusSeeOther
	}
	problem.OwnHeaders(w.Header())
	w.Header().Set("Location", to)
	w.WriteHeader(status)
	return nil
}

func badRequest(code problem.Code, public string) error {
	return &problem.Error{Status: http.StatusBadRequest, Code: code, Public: public}
}
