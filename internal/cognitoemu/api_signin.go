package cognitoemu

import "errors"

// authInput is the input of InitiateAuth.
type authInput struct {
	AuthFlow       string
	AuthParameters map[string]string
}

func (e *Emulator) initiateAuth(client Client, input authInput) (any, error) {
	switch input.AuthFlow {
	case "USER_PASSWORD_AUTH":
		return e.passwordAuth(client, input.AuthParameters)
	case "REFRESH_TOKEN_AUTH", "REFRESH_TOKEN":
		return e.refreshAuth(client, input.AuthParameters)
	default:
		return nil, invalidParameter(
			"%s is not enabled for the client: this emulator has USER_PASSWORD_AUTH and REFRESH_TOKEN_AUTH only.", input.AuthFlow)
	}
}

func (e *Emulator) passwordAuth(client Client, params map[string]string) (any, error) {
	if !client.PasswordAuth {
		return nil, invalidParameter("USER_PASSWORD_AUTH flow not enabled for this client")
	}
	username := params["USERNAME"]
	if err := client.checkSecretHash(username, params["SECRET_HASH"]); err != nil {
		return nil, err
	}
	user, err := e.users.authenticate(username, isPassword(params["PASSWORD"]), e.clock.now())
	if err != nil {
		return nil, signInRefusal(err)
	}
	return e.apiSignIn(client, user)
}

// signInRefusal words why a password did not sign in.
func signInRefusal(err error) error {
	switch {
	case errors.Is(err, errLockedOut):
		return notAuthorized("Password attempts exceeded")
	case errors.Is(err, errUserDisabled):
		return notAuthorized("User is disabled.")
	case errors.Is(err, errUserUnconfirmed):
		return &apiError{"UserNotConfirmedException", "User is not confirmed."}
	default:
		return notAuthorized("Incorrect username or password.")
	}
}

// apiSignIn begins a grant with the one scope that sign-ins by the API have.
func (e *Emulator) apiSignIn(client Client, user account) (any, error) {
	now := e.clock.now()
	g, refreshToken := e.grants.begin(grant{
		sub: user.sub, clientID: client.ID, scopes: []string{scopeUserAdmin},
		authTime: now, expires: now.Add(client.RefreshTTL), viaAPI: true,
	}, now)
	set, err := e.mint(g, user, "")
	set.RefreshToken = refreshToken
	return authenticationResult(set), err
}
