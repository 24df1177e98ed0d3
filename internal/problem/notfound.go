package problem

import "net/http"

// NotFound is the answer of an address at which there is nothing; cause is for
// the log, and may be nil.
func NotFound(cause error) *Error {
	return &Error{Status: http.StatusNotFound, Code: "not_found", Public: "There is nothing at this address.", Err: cause}
}
