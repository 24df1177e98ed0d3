package problem

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/web"
)

// Code is the stable, machine-readable name of a problem, snake_case. A constant of
// this type is a promise to callers, so docs/errors.md must explain it.
type Code string

// Error says that this request is wrong, or cannot be served now, in words meant
// for the caller. Status, Code and Public are answered; Err is logged only.
type Error struct {
	Status int
	Code   Code
	// Public is the detail text of the answer. It never holds an internal error's
	// text, nor anything from the request unescaped.
	Public string
	// Reason is what somebody else said, such as the provider: foreign text, plain and
	// bounded, which is answered as text and beside Public.
	Reason string
	// Err is the cause, for the log; may be nil.
	Err error
	// RetryAfter, if positive, becomes the Retry-After header, in whole seconds.
	RetryAfter time.Duration
	// Header holds further headers of the answer, such as Allow; may be nil.
	Header http.Header

	// LoginQuery is of a login that cures this, which a login navigation is sent to; empty
	// where none does, or one without a query.
	LoginQuery string

	// Body, if set, is the answer's body, of that type, in place of the document and
	// the page: for endpoints that speak somebody else's protocol.
	Body        []byte
	ContentType string
	// Heading, Hint and WayOn shape the page that a navigation gets; empty ones
	// follow from the status.
	Heading string
	Hint    string
	WayOn   *web.Action

	level slog.Level // of what [Of] was given
}

// Level is the level of the problem's log line.
func (e *Error) Level() slog.Level {
	if e.Status >= 500 {
		return max(slog.LevelWarn, e.level)
	}
	return e.level
}

// Error implements error; the text is for logs.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Code, e.Err)
	}
	return string(e.Code)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
