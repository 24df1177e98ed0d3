package oauth

import (
	"errors"
	"fmt"
	"time"
)

// The outcomes of a call to the provider, sorted by what the caller must do.
// Test with errors.Is; the cause is wrapped beside them.
var (
	// ErrGrantRevoked: the provider says that the code or the refresh token is
	// no longer good (invalid_grant, RFC 6749 §5.2). Final.
	ErrGrantRevoked = errors.New("grant revoked")
	// ErrUnavailable: the provider could not say (network, timeout, 429, 5xx,
	// an answer that is no answer). Try again later.
	ErrUnavailable = errors.New("identity provider unavailable")
	// ErrMisconfigured: the provider refuses this client (invalid_client,
	// unauthorized_client, redirect mismatch…), or is not where or not who it is
	// said to be (404, another issuer). An operator must act, and the text says
	// where to look; it says nothing about the session.
	ErrMisconfigured = errors.New("refused as misconfigured")
	// ErrInvalidToken: a token came and did not verify.
	ErrInvalidToken = errors.New("invalid token")

	// ErrStateInvalid: the state is not ours, changed, or not there.
	ErrStateInvalid = errors.New("state invalid")
	// ErrStateExpired: the state is ours and older than its ten minutes.
	ErrStateExpired = errors.New("state expired")
	// ErrStateUnbound: the state is ours and in time, but bound to another
	// browser binding.
	ErrStateUnbound = errors.New("state bound to another browser")
	// ErrCallback: the callback's parameters are missing, repeated, empty,
	// oversized or contradictory.
	ErrCallback = errors.New("callback malformed")
	// ErrParameter: a parameter of the login is too long or not text.
	ErrParameter = errors.New("login parameter malformed")
)

// BusyError is the answer of an endpoint that will not say now: 429 (RFC 6585
// §4), or 503 with a Retry-After (RFC 9110 §10.2.3). It stands beside
// [ErrUnavailable] in an error. Because it is an answer, nothing of the request
// is lost on the way and there is nothing to repeat at once.
type BusyError struct {
	Status int
	// Until is when the endpoint may be asked again, at most a minute after its
	// answer; zero where it did not say.
	Until time.Time
}

// Error implements error.
func (e *BusyError) Error() string {
	if e.Until.IsZero() {
		return fmt.Sprintf("answered %d", e.Status)
	}
	return fmt.Sprintf("answered %d: not before %s", e.Status, e.Until.UTC().Format(time.RFC3339))
}

// AuthorizationError is the provider's own refusal at the callback (RFC 6749
// §4.1.2.1). Both texts come from the query: foreign, made plain and cut to 300
// characters, to be shown and logged as text only.
type AuthorizationError struct {
	Code        string
	Description string
}

// Error implements error, with the description in quotes.
func (e *AuthorizationError) Error() string {
	if e.Description == "" {
		return "authorization refused: " + e.Code
	}
	return fmt.Sprintf("authorization refused: %s: %q", e.Code, e.Description)
}
