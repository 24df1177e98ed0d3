package problem

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
)

// MethodNotAllowed answers a method that an address does not take, and names those
// that it does (RFC 9110 §15.5.6). Where none are given it takes all usual ones.
func MethodNotAllowed(allowed ...string) *Error {
	if len(allowed) == 0 {
		allowed = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
	}
	return &Error{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed",
		Public: "This method is not allowed at this address.",
		Header: http.Header{"Allow": {strings.Join(allowed, ", ")}}}
}

// MethodNotRouted is [MethodNotAllowed] for a path of the gateway's own endpoints.
func MethodNotRouted(routes chi.Routes, path string) *Error {
	var allowed []string
	for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
		if routes.Match(chi.NewRouteContext(), method, path) {
			allowed = append(allowed, method)
		}
	}
	e := MethodNotAllowed(allowed...)
	e.Public = "This endpoint does not take that method."
	return e
}
