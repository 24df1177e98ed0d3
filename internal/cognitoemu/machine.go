package cognitoemu

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// machine gives a program a token of its own (RFC 6749 §4.4): an access token and no
// other, which is about the client and names no user. Without a scope it has all of the
// client's.
func (e *Emulator) machine(client Client, form url.Values) (tokenSet, error) {
	if !client.ClientCredentials {
		return tokenSet{}, &oauthError{Code: "unauthorized_client"}
	}
	scopes := strings.Fields(form.Get("scope"))
	if len(scopes) == 0 {
		scopes = client.Scopes
	}
	for _, scope := range scopes {
		if !slices.Contains(client.Scopes, scope) {
			return tokenSet{}, &oauthError{Code: "invalid_scope"}
		}
	}
	now, ttl := e.clock.now(), e.tokenTTL(client)
	token, err := e.keys.current().access.sign(accessClaims{
		Sub: client.ID, Issuer: e.issuer, Version: 2, ClientID: client.ID, TokenUse: "access", Scope: strings.Join(scopes, " "),
		AuthTime: now.Unix(), Expires: now.Add(ttl).Unix(), IssuedAt: now.Unix(), JTI: newUUID(),
	})
	return tokenSet{AccessToken: token, ExpiresIn: int(ttl / time.Second), TokenType: "Bearer"}, err
}

// checkMachine reports what the real service demands of a client for programs: a secret,
// and scopes of resource servers, which have a slash in their names.
func (c *seedChecker) checkMachine(at []any, client Client) {
	if client.Secret == "" {
		c.add(under(at, "secret"), "is missing: client_credentials needs one")
	}
	if len(client.CallbackURLs) > 0 {
		c.add(under(at, "callback_urls"), "must be empty with client_credentials: no user signs in by this client")
	}
	if len(client.Scopes) == 0 {
		c.add(under(at, "scopes"), "at least one is needed, such as api/read")
	}
	for i, scope := range client.Scopes {
		if !strings.Contains(scope, "/") {
			c.add(under(at, "scopes", i), "%q must be one of a resource server, such as api/read", scope)
		}
	}
}
