package cognito

import "github.com/gatehouse-auth/gatehouse/internal/oauth"

// Username returns what Cognito calls the user, which is also what Amplify's
// getCurrentUser gives: the ID token's cognito:username, or the access token's
// username. It may be a generated id, and for federated users begins with the
// provider's name; right for display and for the API, never as an identity (that
// is the subject). Providers that know neither claim: preferred_username, email,
// sub.
func Username(i *oauth.Identity) string {
	for _, name := range []string{
		i.ID.Text("cognito:username"), i.Access.Text("username"), i.ID.Text("preferred_username"), i.ID.Text("email"),
	} {
		if name != "" {
			return name
		}
	}
	return i.Subject
}

// LoginID returns what the user most likely signed in with, as Amplify's
// signInDetails.loginId has it: the e-mail address, or else the [Username]. For
// display: the address may be unverified.
func LoginID(i *oauth.Identity) string {
	if email := i.ID.Text("email"); email != "" {
		return email
	}
	return Username(i)
}
