package cognitoemu

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// nothing is the answer of an operation that has none, and the input of one that
// needs no more than its caller.
type nothing struct{}

// readInput decodes the members that I has.
func readInput[I any](body []byte) (I, error) {
	var input I
	if err := json.Unmarshal(body, &input); err != nil {
		return input, errNoObject
	}
	return input, nil
}

// byAnyone is an operation that finds its caller itself.
func byAnyone[I any](run func(*Emulator, I) (any, error)) operation {
	return func(e *Emulator, body []byte) (any, error) {
		input, err := readInput[I](body)
		if err != nil {
			return nil, err
		}
		return run(e, input)
	}
}

// byClient is an operation of an app client, which ClientId names. Where the client
// has a secret, the operation checks what proves it.
func byClient[I any](run func(*Emulator, Client, I) (any, error)) operation {
	return func(e *Emulator, body []byte) (any, error) {
		named, err := readInput[struct{ ClientID string }](body)
		if err != nil {
			return nil, err
		}
		client, ok := e.client(named.ClientID)
		if !ok {
			return nil, &apiError{"ResourceNotFoundException", "User pool client " + named.ClientID + " does not exist."}
		}
		input, err := readInput[I](body)
		if err != nil {
			return nil, err
		}
		return run(e, client, input)
	}
}

// byUsername is an operation with which someone who is not signed in names a user to
// an app client. Where the client has a secret, SecretHash must prove it.
func byUsername[I any](run func(*Emulator, Client, I) (any, error)) operation {
	return byClient(func(e *Emulator, client Client, body json.RawMessage) (any, error) {
		named, err := readInput[struct{ Username, SecretHash string }](body)
		if err != nil {
			return nil, err
		}
		if err := client.checkSecretHash(named.Username, named.SecretHash); err != nil {
			return nil, err
		}
		input, err := readInput[I](body)
		if err != nil {
			return nil, err
		}
		return run(e, client, input)
	})
}

// caller is whom an access token speaks for.
type caller struct {
	account
	client    Client
	deviceKey string // the device that the token was issued to, if it was tracked
}

// byUser is an operation that a user makes with an access token. All of them need
// the scope aws.cognito.signin.user.admin.
func byUser[I any](run func(*Emulator, caller, I) (any, error)) operation {
	return func(e *Emulator, body []byte) (any, error) {
		sent, err := readInput[struct{ AccessToken string }](body)
		if err != nil {
			return nil, err
		}
		who, err := e.apiBearer(sent.AccessToken)
		if err != nil {
			return nil, err
		}
		input, err := readInput[I](body)
		if err != nil {
			return nil, err
		}
		return run(e, who, input)
	}
}

func (e *Emulator) apiBearer(token string) (caller, error) {
	claims, user, err := e.bearer(token)
	switch {
	case errors.Is(err, errAccessExpired):
		return caller{}, notAuthorized("Access Token has expired")
	case errors.Is(err, errAccessRevoked):
		return caller{}, notAuthorized("Access Token has been revoked")
	case errors.Is(err, errNotOurToken):
		return caller{}, notAuthorized("Invalid Access Token")
	case errors.Is(err, errUserNotFound):
		return caller{}, &apiError{"UserNotFoundException", "User does not exist."}
	case err != nil:
		return caller{}, err
	case !slices.Contains(strings.Fields(claims.Scope), scopeUserAdmin):
		return caller{}, notAuthorized("Access Token does not have required scopes")
	}
	client, _ := e.client(claims.ClientID)
	return caller{user, client, claims.DeviceKey}, nil
}

// byAdmin is an operation on a user that needs an AWS signature: what a lever does.
func byAdmin(act func(*Levers, string) error) operation {
	return byAnyone(func(e *Emulator, input struct{ UserPoolID, Username string }) (any, error) {
		if input.UserPoolID != e.seed.PoolID {
			return nil, &apiError{"ResourceNotFoundException", "User pool " + input.UserPoolID + " does not exist."}
		}
		err := act(e.levers, input.Username)
		if errors.Is(err, errUserNotFound) {
			return nil, &apiError{"UserNotFoundException", "User does not exist."}
		}
		return nothing{}, err
	})
}

// checkSecretHash refuses who does not know the client's secret. A public client has
// none, and nobody may claim one of it.
func (c Client) checkSecretHash(username, sent string) error {
	switch {
	case c.Secret != "" && sent == "":
		return notAuthorized("Client %s is configured with secret but SECRET_HASH was not received", c.ID)
	case !sameText(c.secretHash(username), sent):
		return notAuthorized("Unable to verify secret hash for client %s", c.ID)
	}
	return nil
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
