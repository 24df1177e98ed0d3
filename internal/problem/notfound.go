package problem

import "net/http"

// NotFound is the answer of an address at which there is nothing; cause is for
// the log, and may be nil.
func NotFound(cause error) *Error {
	e := NoSuch("There is nothing at this address.")
	e.Err = cause
	return e
}

// NoSuch is the answer where something that was named is not there; public says what.
func NoSuch(public string) *Error {
	return &Error{Status: http.StatusNotFound, Code: "not_found", Public: public}
}
