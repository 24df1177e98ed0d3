// Package handlers holds the gateway's own endpoints, one subject a file: login
// and callback, the session as its page sees it, logout, what pages and load
// balancers may know, and what fronts ask. Which requests may reach them is decided
// before; errors are answered behind them.
//
// The one invariant: no answer of theirs that a browser can get holds a real token,
// and only a sign-out clears the session cookie.
package handlers

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
)

func badRequest(code problem.Code, public string) error {
	return &problem.Error{Status: http.StatusBadRequest, Code: code, Public: public}
}
