package routing

// Access says who may use a route, and what a request on it means to the session
// that it comes with. The zero value is the strictest: a session is demanded,
// navigations are refused, and no request is a use of the session.
type Access struct {
	Auth Auth
	// Navigations are taken; otherwise they are answered with 403.
	Navigations bool
	// Touch lets requests slide the session's idle limit.
	Touch bool
}

// Auth says what a route asks of a request.
type Auth int

const (
	// AuthSession demands a session.
	AuthSession Auth = iota
	// AuthOptional takes the session there is.
	AuthOptional
	// AuthNone ignores the cookie.
	AuthNone
	// AuthOwn marks the gateway's own endpoints, which are a route like others
	// when a path is judged, and are never relayed.
	AuthOwn
)
