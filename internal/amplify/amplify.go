// Package amplify is the façade for aws-amplify v6: on the page's own origin it
// speaks the protocols of Amazon Cognito that the library calls, so that pages
// run unchanged, and it puts the session's tokens in where the library believes
// to send its own.
//
// It owns what of Cognito's protocols passes, in which direction. It leaves to
// others: sessions and their steps (middleware), logins and sign-outs (handlers), and
// the calls of the user pool (cognito, oauth).
//
// The one invariant: what a page gets is put together from fields that are named
// here, and where one of them is a token it gets a shadow, which no service takes.
package amplify

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/cognito"
	"github.com/gatehouse-auth/gatehouse/internal/handlers"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Options of a [Facade].
type Options struct {
	Sessions *middleware.Sessions
	Shadows  Shadows
	// API is the user pool's, and Client this gateway's in it.
	API    *cognito.API
	Client cognito.Client
	// OAuth verifies tokens, and Flow makes sessions of them.
	OAuth *oauth.Client
	Flow  *handlers.Flow
	// Logout ends sessions, as its own endpoint does.
	Logout *handlers.Logout
	// Trusts reports whether the request comes from an origin that may use the
	// cookie, whether or not one came.
	Trusts func(r *http.Request, host string) bool
	// PasswordSignIn lets pass what takes a password, or a code in its place.
	PasswordSignIn bool
	// RedirectURIs are the pages at which a login may end, to the letter.
	RedirectURIs []string
	// LoginPath is that of the gateway's own login. The logins that end at EndPath
	// are the façade's, and end by [Facade.EndLogin].
	LoginPath, EndPath string
	// Ring seals, for Audience, what a page keeps between two steps of a sign-in.
	Ring     *secret.Ring
	Audience session.Audience
}

// Facade serves the endpoints below {mount}/amplify.
type Facade struct {
	Options
	challenges challenges
	attempts   attempts
	codes      codes
}

// New returns a façade. It calls nobody.
func New(o Options) *Facade {
	return &Facade{
		Options: o, challenges: newChallenges(o.Ring, o.Audience), attempts: newAttempts(),
		codes: codes{ring: o.Ring, audience: o.Audience.String(), once: o.Sessions.Manager.Once},
	}
}
