package problem

import (
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// StepUp is the refusal of a user who has signed in longer ago than that. It leads to a
// login that asks again, whoever is still signed in at the user pool.
func StepUp(most time.Duration) *Error {
	return &Error{
		Status: http.StatusForbidden, Code: "step_up_required",
		Public:     "You have signed in too long ago for that. Sign in again.",
		LoginQuery: url.Values{"prompt": {"login"}, "max_age": {strconv.Itoa(int(most / time.Second))}}.Encode(),
	}
}
