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
	// Require is what is asked of a caller besides being known; nil asks nothing.
	Require *Require
}

// Auth says what a route asks of a request.
type Auth int

const (
	// AuthSession demands a session.
	AuthSession Auth = iota
	// AuthBearer demands an access token, and ignores the cookie.
	AuthBearer
	// AuthEither demands an access token of whoever sends an Authorization header, and
	// a session of others.
	AuthEither
	// AuthOptional takes the session there is.
	AuthOptional
	// AuthNone ignores the cookie.
	AuthNone
	// AuthOwn marks the gateway's own endpoints, which are a route like others
	// when a path is judged, and are never relayed.
	AuthOwn
)

// TakesCookie reports whether a request may be served on the strength of the cookie.
func (a Auth) TakesCookie() bool { return a != AuthNone && a != AuthBearer }

// TakesBearer reports whether a request may be served on the strength of an access token
// that it brings itself.
func (a Auth) TakesBearer() bool { return a == AuthBearer || a == AuthEither }

// ServesNobody reports whether a request is served of which nobody knows who makes it.
// What is required of a caller is required of somebody.
func (a *Access) ServesNobody() bool {
	return (a.Auth == AuthNone || a.Auth == AuthOptional) && a.Require == nil
}
