package problem

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
)

// MethodNotAllowed answers a method that a path of the routes does not take, and
// names those that it does (RFC 9110 §15.5.6).
func MethodNotAllowed(routes chi.Routes, path string) *Error {
	var allowed []string
	for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
		if routes.Match(chi.NewRouteContext(), method, path) {
			allowed = append(allowed, method)
		}
	}
	return &Error{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed",
		Public: "This endpoint does not take that method.",
		Header: http.Header{"Allow": {strings.Join(allowed, ", ")}}}
}
