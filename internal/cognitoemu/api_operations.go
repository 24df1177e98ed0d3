package cognitoemu

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
)

// apiBearer verifies the access token of an operation that a user makes. All such
// operations need the scope aws.cognito.signin.user.admin.
func (e *Emulator) apiBearer(token string) (account, Client, error) {
	claims, user, err := e.bearer(token)
	switch {
	case errors.Is(err, errAccessExpired):
		return account{}, Client{}, notAuthorized("Access Token has expired")
	case errors.Is(err, errAccessRevoked):
		return account{}, Client{}, notAuthorized("Access Token has been revoked")
	case errors.Is(err, errNotOurToken):
		return account{}, Client{}, notAuthorized("Invalid Access Token")
	case err != nil:
		return account{}, Client{}, err
	case !slices.Contains(strings.Fields(claims.Scope), scopeUserAdmin):
		return account{}, Client{}, notAuthorized("Access Token does not have required scopes")
	}
	client, _ := e.client(claims.ClientID)
	return user, client, nil
}

type attribute struct{ Name, Value string }

func (e *Emulator) getUser(input apiInput) (any, error) {
	user, client, err := e.apiBearer(input.AccessToken)
	if err != nil {
		return nil, err
	}
	readable := visibleAttributes(grant{}, client, user)
	values, err := userAttributes(readable, user)
	if err != nil {
		return nil, err
	}
	attributes := make([]attribute, 0, len(values))
	for name, value := range values {
		attributes = append(attributes, attribute{name, value})
	}
	slices.SortFunc(attributes, func(a, b attribute) int { return strings.Compare(a.Name, b.Name) })
	return map[string]any{"Username": user.username, "UserAttributes": attributes}, nil
}

// globalSignOut revokes every token of the user, for all clients. The browser's
// sign-in cookie stays: the next authorization request is silent.
func (e *Emulator) globalSignOut(input apiInput) (any, error) {
	user, _, err := e.apiBearer(input.AccessToken)
	if err != nil {
		return nil, err
	}
	e.grants.revokeUser(user.sub)
	return struct{}{}, nil
}

func (e *Emulator) revokeToken(input apiInput) (any, error) {
	client, ok := e.client(input.ClientID)
	switch {
	case !ok || !sameText(client.Secret, input.ClientSecret):
		return nil, &apiError{"UnauthorizedException", "Invalid client or client secret"}
	case client.DisableRevocation:
		return nil, &apiError{"UnsupportedOperationException", "Token revocation is not enabled for this client"}
	case input.Token == "":
		return nil, &apiError{"InvalidParameterException", "Missing required parameter Token"}
	case isJWT(input.Token):
		return nil, &apiError{"UnsupportedTokenTypeException", "Only refresh tokens can be revoked"}
	}
	e.grants.revoke(input.Token, client.ID)
	return struct{}{}, nil
}

func (e *Emulator) initiateAuth(input apiInput) (any, error) {
	client, ok := e.client(input.ClientID)
	if !ok {
		return nil, &apiError{"ResourceNotFoundException", "User pool client " + input.ClientID + " does not exist."}
	}
	switch input.AuthFlow {
	case "USER_PASSWORD_AUTH":
		return e.passwordAuth(client, input.AuthParameters)
	case "REFRESH_TOKEN_AUTH", "REFRESH_TOKEN":
		return e.refreshAuth(client, input.AuthParameters)
	default:
		return nil, &apiError{"InvalidParameterException",
			input.AuthFlow + " is not enabled for the client: this emulator has USER_PASSWORD_AUTH and REFRESH_TOKEN_AUTH only."}
	}
}

func (e *Emulator) passwordAuth(client Client, params map[string]string) (any, error) {
	if !client.PasswordAuth {
		return nil, &apiError{"InvalidParameterException", "USER_PASSWORD_AUTH flow not enabled for this client"}
	}
	username := params["USERNAME"]
	if !sameText(client.secretHash(username), params["SECRET_HASH"]) {
		return nil, notAuthorized("Unable to verify secret hash for client %s", client.ID)
	}
	user, err := e.users.authenticate(username, params["PASSWORD"], e.clock.now())
	switch {
	case errors.Is(err, errLockedOut):
		return nil, notAuthorized("Password attempts exceeded")
	case errors.Is(err, errUserDisabled):
		return nil, notAuthorized("User is disabled.")
	case errors.Is(err, errUserUnconfirmed):
		return nil, &apiError{"UserNotConfirmedException", "User is not confirmed."}
	case err != nil:
		return nil, notAuthorized("Incorrect username or password.")
	}
	now := e.clock.now()
	g, refreshToken := e.grants.begin(grant{
		sub: user.sub, clientID: client.ID, scopes: []string{scopeUserAdmin},
		authTime: now, expires: now.Add(client.RefreshTTL), viaAPI: true,
	}, now)
	set, err := e.mint(g, user, "")
	set.RefreshToken = refreshToken
	return authenticationResult(set), err
}

// refreshAuth is refused under rotation, which cannot be enabled together with it.
func (e *Emulator) refreshAuth(client Client, params map[string]string) (any, error) {
	if e.rotationOf(client).enabled {
		return nil, &apiError{"InvalidParameterException", "REFRESH_TOKEN_AUTH flow not enabled for this client"}
	}
	// The hash is over the username, which the server alone knows from the token;
	// the emulator asks only that a confidential client sends one.
	if client.Secret != "" && params["SECRET_HASH"] == "" {
		return nil, notAuthorized("Client %s is configured with secret but SECRET_HASH was not received", client.ID)
	}
	set, err := e.renew(client, params["REFRESH_TOKEN"])
	return authenticationResult(set), apiRefusal(err)
}

func (e *Emulator) getTokensFromRefreshToken(input apiInput) (any, error) {
	client, ok := e.client(input.ClientID)
	if !ok {
		return nil, &apiError{"ResourceNotFoundException", "User pool client " + input.ClientID + " does not exist."}
	}
	if !sameText(client.Secret, input.ClientSecret) {
		return nil, notAuthorized("Invalid client secret")
	}
	set, err := e.renew(client, input.RefreshToken)
	return authenticationResult(set), apiRefusal(err)
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

func authenticationResult(set tokenSet) any {
	result := map[string]any{
		"AccessToken": set.AccessToken, "IdToken": set.IDToken, "ExpiresIn": set.ExpiresIn, "TokenType": set.TokenType,
	}
	if set.RefreshToken != "" {
		result["RefreshToken"] = set.RefreshToken
	}
	return map[string]any{"AuthenticationResult": result, "ChallengeParameters": map[string]string{}}
}

func (e *Emulator) adminUserGlobalSignOut(input apiInput) (any, error) {
	return e.admin(input, e.levers.SignOutUser)
}

func (e *Emulator) adminDisableUser(input apiInput) (any, error) {
	return e.admin(input, e.levers.DisableUser)
}

func (e *Emulator) adminEnableUser(input apiInput) (any, error) {
	return e.admin(input, e.levers.EnableUser)
}

func (e *Emulator) admin(input apiInput, act func(string) error) (any, error) {
	if input.UserPoolID != e.seed.PoolID {
		return nil, &apiError{"ResourceNotFoundException", "User pool " + input.UserPoolID + " does not exist."}
	}
	if err := act(input.Username); errors.Is(err, errUserNotFound) {
		return nil, &apiError{"UserNotFoundException", "User does not exist."}
	} else if err != nil {
		return nil, err
	}
	return struct{}{}, nil
}

// secretHash is base64(HMAC-SHA256(secret, username + client id)), empty for a
// public client.
func (c Client) secretHash(username string) string {
	if c.Secret == "" {
		return ""
	}
	h := hmac.New(sha256.New, []byte(c.Secret))
	h.Write([]byte(username + c.ID))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func sameText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
