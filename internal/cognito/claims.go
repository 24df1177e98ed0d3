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

// VerifiedEmail returns the user's e-mail address, if the user pool says that it is
// theirs. Cognito says so by true, or by "true" where the attribute was mapped from
// another provider's.
func VerifiedEmail(i *oauth.Identity) string {
	for _, token := range []oauth.Members{i.ID, i.Access} {
		if email := token.Text("email"); email != "" {
			if v := token["email_verified"]; v == true || v == "true" {
				return email
			}
			return "" // what another token says is of another address, perhaps
		}
	}
	return ""
}

// Groups returns the groups that the user is in, in the order of their precedence.
func Groups(i *oauth.Identity) []string {
	switch claim := i.Claim("cognito:groups").(type) {
	case string: // of other providers
		return []string{claim}
	case []any:
		groups := make([]string, 0, len(claim))
		for _, g := range claim {
			if name, ok := g.(string); ok {
				groups = append(groups, name)
			}
		}
		return groups
	}
	return nil
}
