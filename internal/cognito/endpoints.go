// Package cognito is what is particular to Amazon Cognito: where its endpoints
// lie, how it signs a browser out, what it calls a user, and the calls of its
// user-pool API that a gateway makes.
//
// It owns Cognito's dialect and nothing of the flow, which is package oauth's.
// The one invariant: what it decides, it decides by Cognito's names and codes,
// never by the text of a message.
package cognito

import (
	"net/url"
	"strings"
)

// DefaultRegion is used where no region is configured, as with an emulator or
// another provider: the API client needs one, and an endpoint of its own makes
// it meaningless.
const DefaultRegion = "us-east-1"

// OwnDirectory is the user pool itself among the providers that can be named to it.
const OwnDirectory = "COGNITO"

// Endpoints are the addresses of one user pool and its app client.
type Endpoints struct {
	Authorize string
	Signup    string // takes the same query as Authorize
	Token     string
	Revoke    string
	JWKS      string
}

// NewEndpoints lays out the endpoints. Two hosts are in play: pages and OAuth
// endpoints lie under the domain, the well-known documents under the issuer and
// there only.
func NewEndpoints(domain *url.URL, issuer string) Endpoints {
	return Endpoints{
		Authorize: under(domain, "/oauth2/authorize"),
		Signup:    under(domain, "/signup"),
		Token:     under(domain, "/oauth2/token"),
		Revoke:    under(domain, "/oauth2/revoke"),
		JWKS:      strings.TrimSuffix(issuer, "/") + "/.well-known/jwks.json",
	}
}

func under(domain *url.URL, path string) string {
	return strings.TrimSuffix(domain.String(), "/") + path
}

// LogoutURL is the address that ends the browser's session at the user pool's
// domain and returns it to logoutURI, which must be registered with the app
// client to the byte. Only a navigation can go there.
//
// Nothing else may be added: this is not OpenID Connect's RP-initiated logout,
// and a post_logout_redirect_uri or an id_token_hint ends on an error page.
func LogoutURL(domain *url.URL, clientID, logoutURI string) string {
	q := url.Values{"client_id": {clientID}, "logout_uri": {logoutURI}}
	return under(domain, "/logout") + "?" + q.Encode()
}
