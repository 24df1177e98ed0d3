package cognitoemu

import "errors"

// globalSignOut revokes every token of the user, for all clients. The browser's
// sign-in cookie stays: the next authorization request is silent.
func (e *Emulator) globalSignOut(user caller, _ nothing) (any, error) {
	e.grants.revokeUser(user.sub)
	return nothing{}, nil
}

func (e *Emulator) revokeToken(input struct{ ClientID, ClientSecret, Token string }) (any, error) {
	client, ok := e.client(input.ClientID)
	switch {
	case !ok || !sameText(client.Secret, input.ClientSecret):
		return nil, &apiError{"UnauthorizedException", "Invalid client or client secret"}
	case client.DisableRevocation:
		return nil, &apiError{"UnsupportedOperationException", "Token revocation is not enabled for this client"}
	case input.Token == "":
		return nil, invalidParameter("Missing required parameter Token")
	case isJWT(input.Token):
		return nil, &apiError{"UnsupportedTokenTypeException", "Only refresh tokens can be revoked"}
	}
	e.grants.revoke(input.Token, client.ID)
	return nothing{}, nil
}

// refreshAuth is refused under rotation, which cannot be enabled together with it.
func (e *Emulator) refreshAuth(client Client, params map[string]string) (any, error) {
	if e.rotationOf(client).enabled {
		return nil, invalidParameter("REFRESH_TOKEN_AUTH flow not enabled for this client")
	}
	// The hash is over the username, which the server alone knows from the token;
	// the emulator asks only that a confidential client sends one.
	if client.Secret != "" && params["SECRET_HASH"] == "" {
		return nil, notAuthorized("Client %s is configured with secret but SECRET_HASH was not received", client.ID)
	}
	set, err := e.renew(client, params["REFRESH_TOKEN"])
	return tokensAnswer(authenticationResult(set)), apiRefusal(err)
}

func (e *Emulator) getTokensFromRefreshToken(client Client, input struct{ ClientSecret, RefreshToken string }) (any, error) {
	if !sameText(client.Secret, input.ClientSecret) {
		return nil, notAuthorized("Invalid client secret")
	}
	set, err := e.renew(client, input.RefreshToken)
	return tokensAnswer(authenticationResult(set)), apiRefusal(err)
}

// apiRefusal words why a refresh token was refused, as the JSON API does.
func apiRefusal(err error) error {
	switch {
	case errors.Is(err, errRefreshReused):
		return &apiError{"RefreshTokenReuseException", "Refresh Token was already used"}
	case errors.Is(err, errRefreshRevoked):
		return notAuthorized("Refresh Token has been revoked")
	case errors.Is(err, errRefreshExpired):
		return notAuthorized("Refresh Token has expired")
	case errors.Is(err, errRefreshUnknown):
		return notAuthorized("Invalid Refresh Token")
	case errors.Is(err, errUserDisabled):
		return notAuthorized("User is disabled.")
	}
	return err
}

func authenticationResult(set tokenSet) map[string]any {
	result := map[string]any{
		"AccessToken": set.AccessToken, "IdToken": set.IDToken, "ExpiresIn": set.ExpiresIn, "TokenType": set.TokenType,
	}
	if set.RefreshToken != "" {
		result["RefreshToken"] = set.RefreshToken
	}
	return result
}

// tokensAnswer is the answer with tokens and without a challenge.
func tokensAnswer(result map[string]any) any {
	return map[string]any{"AuthenticationResult": result, "ChallengeParameters": map[string]string{}}
}
