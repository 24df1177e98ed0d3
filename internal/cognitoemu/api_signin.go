package cognitoemu

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The names of the challenges, apart from those of second factors.
const (
	passwordVerifier    = "PASSWORD_VERIFIER"
	newPasswordRequired = "NEW_PASSWORD_REQUIRED"
)

type authInput struct {
	AuthFlow       string
	AuthParameters map[string]string
}

func (e *Emulator) initiateAuth(client Client, input authInput) (any, error) {
	switch params := input.AuthParameters; input.AuthFlow {
	case "USER_SRP_AUTH", "USER_PASSWORD_AUTH":
		return e.userAuth(client, input.AuthFlow, params)
	case "REFRESH_TOKEN_AUTH", "REFRESH_TOKEN":
		return e.refreshAuth(client, params)
	default:
		return nil, invalidParameter("%s is not enabled for the client: this emulator has USER_SRP_AUTH, USER_PASSWORD_AUTH and REFRESH_TOKEN_AUTH only.", input.AuthFlow)
	}
}

// userAuth is a sign-in by password. Every new app client has SRP; that the password
// itself is sent must be allowed.
func (e *Emulator) userAuth(client Client, flow string, params map[string]string) (any, error) {
	if flow == "USER_PASSWORD_AUTH" && !client.PasswordAuth {
		return nil, invalidParameter("USER_PASSWORD_AUTH flow not enabled for this client")
	}
	username := params["USERNAME"]
	if err := client.checkSecretHash(username, params["SECRET_HASH"]); err != nil {
		return nil, err
	}
	if flow == "USER_SRP_AUTH" {
		return e.srpAuth(client, username, params["SRP_A"])
	}
	return e.passwordAuth(client, username, isPassword(params["PASSWORD"]), params["DEVICE_KEY"])
}

type challengeInput struct {
	ChallengeName      string
	ChallengeResponses map[string]string
	Session            string
}

func (e *Emulator) respondToAuthChallenge(client Client, input challengeInput) (any, error) {
	answers := input.ChallengeResponses
	if err := client.checkSecretHash(answers["USERNAME"], answers["SECRET_HASH"]); err != nil {
		return nil, err
	}
	switch input.ChallengeName {
	case passwordVerifier:
		return e.answerPasswordVerifier(client, answers)
	case softwareTokenMFA:
		return e.answerSession(client, input, e.answerSoftwareToken)
	case newPasswordRequired:
		return e.answerSession(client, input, e.answerNewPassword)
	default:
		return nil, invalidParameter("%s is no challenge of this emulator: it has PASSWORD_VERIFIER, SOFTWARE_TOKEN_MFA and NEW_PASSWORD_REQUIRED only.", input.ChallengeName)
	}
}

// passwordAuth goes on where the password was proven.
func (e *Emulator) passwordAuth(client Client, username string, proves func(string) bool, deviceKey string) (any, error) {
	user, err := e.users.authenticate(username, proves, e.clock.now())
	if err != nil {
		return nil, signInRefusal(err)
	}
	if user.temporary {
		return e.askNewPassword(client, user, deviceKey)
	}
	return e.afterPassword(client, user, deviceKey)
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

// srpAuth answers the first step of the Secure Remote Password protocol. For a name
// that nobody has it makes one up, and the second step fails.
func (e *Emulator) srpAuth(client Client, username, clientPublic string) (any, error) {
	user, ok := e.users.lookup(username)
	if !ok || user.password == "" {
		user = account{username: stableUUID(e.seed.PoolID, username), password: randomText(16)}
	} else {
		username = user.sub
	}
	server, err := newSRPServer(clientPublic, e.seed.poolName()+user.username, user.password)
	if err != nil {
		return nil, err
	}
	// About as long as a real one, which holds the server's state.
	secretBlock := base64.StdEncoding.EncodeToString(randomBytes(900))
	e.challenges.add(secretBlock, challenge{name: passwordVerifier, username: username, clientID: client.ID, srp: server}, e.clock.now())
	return map[string]any{"ChallengeName": passwordVerifier, "ChallengeParameters": map[string]string{
		"USERNAME": user.username, "USER_ID_FOR_SRP": user.username, "SECRET_BLOCK": secretBlock,
		"SRP_B": server.public.Text(16), "SALT": server.salt.Text(16),
	}}, nil
}

// srpTimestamp is how a client writes the time in what it signs.
const srpTimestamp = "Mon Jan 2 15:04:05 UTC 2006"

// answerPasswordVerifier is the second step: a proof of the password, which each first
// step takes once.
func (e *Emulator) answerPasswordVerifier(client Client, answers map[string]string) (any, error) {
	encoded, timestamp := answers["PASSWORD_CLAIM_SECRET_BLOCK"], answers["TIMESTAMP"]
	begun, err := e.challenges.find(encoded, passwordVerifier, client.ID, e.clock.now())
	if err != nil || !e.challenges.spend(encoded) {
		return nil, notAuthorized("Incorrect username or password.")
	}
	if _, err := time.Parse(srpTimestamp, timestamp); err != nil {
		return nil, invalidParameter("TIMESTAMP format should be EEE MMM d HH:mm:ss z yyyy in english.")
	}
	signature, err := base64.StdEncoding.DecodeString(answers["PASSWORD_CLAIM_SIGNATURE"])
	if err != nil {
		return nil, invalidParameter("PASSWORD_CLAIM_SIGNATURE is not base64")
	}
	secretBlock, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("read secret block: %w", err)
	}
	return e.passwordAuth(client, begun.username, func(password string) bool {
		want, err := begun.srp.sign(password, secretBlock, timestamp)
		return err == nil && sameText(string(want), string(signature))
	}, answers["DEVICE_KEY"])
}

// afterPassword asks for the second factor, if the user has one.
func (e *Emulator) afterPassword(client Client, user account, deviceKey string) (any, error) {
	if user.token.enabled {
		return e.ask(client, user, deviceKey, softwareTokenMFA, map[string]string{"USER_ID_FOR_SRP": user.username, "FRIENDLY_DEVICE_NAME": user.token.name})
	}
	return e.apiSignIn(client, user, deviceKey)
}

// ask answers with a challenge and the session that the next request brings back.
func (e *Emulator) ask(client Client, user account, deviceKey, name string, params map[string]string) (any, error) {
	session := randomText(512)
	e.challenges.add(session, challenge{name: name, username: user.sub, clientID: client.ID, deviceKey: deviceKey}, e.clock.now())
	return map[string]any{"ChallengeName": name, "Session": session, "ChallengeParameters": params}, nil
}

// askNewPassword: the user was given a temporary password.
func (e *Emulator) askNewPassword(client Client, user account, deviceKey string) (any, error) {
	attributes, err := json.Marshal(user.attributes)
	if err != nil {
		return nil, fmt.Errorf("encode attributes: %w", err)
	}
	return e.ask(client, user, deviceKey, newPasswordRequired, map[string]string{
		"USER_ID_FOR_SRP": user.username, "requiredAttributes": "[]", "userAttributes": string(attributes)})
}

// answerSession looks at the answer to a challenge that has a session. A wrong answer
// leaves the session open, a right one ends it.
func (e *Emulator) answerSession(client Client, input challengeInput, answer func(Client, string, map[string]string) (account, error)) (any, error) {
	begun, err := e.challenges.find(input.Session, input.ChallengeName, client.ID, e.clock.now())
	if named, _ := e.users.lookup(input.ChallengeResponses["USERNAME"]); err == nil && named.sub != begun.username {
		err = errSessionUnknown
	}
	switch {
	case errors.Is(err, errSessionExpired):
		return nil, notAuthorized("Invalid session for the user, session is expired.")
	case errors.Is(err, errSessionSpent):
		return nil, errSpent
	case err != nil:
		return nil, notAuthorized("Invalid session for the user.")
	}
	user, err := answer(client, begun.username, input.ChallengeResponses)
	if err != nil {
		return nil, err
	}
	if !e.challenges.spend(input.Session) {
		return nil, errSpent
	}
	if user.disabled {
		return nil, signInRefusal(errUserDisabled)
	}
	if input.ChallengeName == newPasswordRequired {
		return e.afterPassword(client, user, begun.deviceKey)
	}
	return e.apiSignIn(client, user, begun.deviceKey)
}

var errSpent = notAuthorized("Invalid session for the user, session can only be used once.")

func (e *Emulator) answerSoftwareToken(_ Client, sub string, answers map[string]string) (account, error) {
	user, err := e.useSoftwareToken(sub, answers["SOFTWARE_TOKEN_MFA_CODE"])
	return user, softwareTokenRefusal(err)
}

// answerNewPassword sets the password, and the attributes that come as
// userAttributes.NAME.
func (e *Emulator) answerNewPassword(client Client, sub string, answers map[string]string) (account, error) {
	if err := checkPolicy(answers["NEW_PASSWORD"]); err != nil {
		return account{}, err
	}
	var sent []attribute
	for name, value := range answers {
		if name, ok := strings.CutPrefix(name, "userAttributes."); ok {
			sent = append(sent, attribute{name, value})
		}
	}
	values, err := e.writableAttributes(client, sent)
	if err != nil {
		return account{}, err
	}
	if _, err := e.users.change(sub, func(a *account) error {
		a.set(values)
		return nil
	}); errors.Is(err, errUsernameExists) {
		return account{}, errAliasExists
	} else if err != nil {
		return account{}, err
	}
	return e.users.setPassword(sub, answers["NEW_PASSWORD"])
}

// apiSignIn begins a grant with the one scope that sign-ins by the API have.
func (e *Emulator) apiSignIn(client Client, user account, deviceKey string) (any, error) {
	now := e.clock.now()
	deviceKey, newDevice := e.deviceOfSignIn(user, deviceKey)
	g, refreshToken := e.grants.begin(grant{
		sub: user.sub, clientID: client.ID, deviceKey: deviceKey, scopes: []string{scopeUserAdmin},
		authTime: now, expires: now.Add(client.RefreshTTL), viaAPI: true,
	}, now)
	set, err := e.mint(g, user, "")
	set.RefreshToken = refreshToken
	result := authenticationResult(set)
	if newDevice != nil {
		result["NewDeviceMetadata"] = newDevice
	}
	return tokensAnswer(result), err
}
