package cognito

import (
	"encoding/json"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// Username returns what Cognito calls the user, which is also what Amplify's
// getCurrentUser gives: the ID token's cognito:username, or the access token's
// username. It may be a generated id, and for federated users begins with the
// provider's name; right for display and for the API, never as an identity (that
// is the subject). Providers that know neither claim: preferred_username, email,
// sub.
func Username(t oauth.Tokens) string {
	id, access := claims(t.IDClaims), claims(t.AccessClaims)
	for _, name := range []string{
		id.text("cognito:username"), access.text("username"), id.text("preferred_username"), id.text("email"),
	} {
		if name != "" {
			return name
		}
	}
	return t.Subject
}

// LoginID returns what the user most likely signed in with, as Amplify's
// signInDetails.loginId has it: the e-mail address, or else the [Username]. For
// display: the address may be unverified.
func LoginID(t oauth.Tokens) string {
	if email := claims(t.IDClaims).text("email"); email != "" {
		return email
	}
	return Username(t)
}

type members map[string]json.RawMessage

// claims reads a payload that package oauth checked; an empty one is no claims.
func claims(payload json.RawMessage) members {
	var m members
	if json.Unmarshal(payload, &m) != nil {
		return nil
	}
	return m
}

// text returns a claim that is a string, or nothing.
func (m members) text(name string) string {
	var s string
	if json.Unmarshal(m[name], &s) != nil {
		return ""
	}
	return s
}
