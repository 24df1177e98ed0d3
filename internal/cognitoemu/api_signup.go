package cognitoemu

import "errors"

type signUpInput struct {
	Username       string
	Password       string
	UserAttributes []attribute
}

// apiSignUp is SignUp. The username is the e-mail address, as in every pool whose
// users sign in by it.
func (e *Emulator) apiSignUp(client Client, input signUpInput) (any, error) {
	if !looksLikeEmail(input.Username) {
		return nil, invalidParameter("Username should be an email.")
	}
	attributes, err := e.writableAttributes(client, input.UserAttributes)
	if err != nil {
		return nil, err
	}
	if err := checkPolicy(input.Password); err != nil {
		return nil, err
	}
	attributes["email"] = input.Username
	user, err := e.users.register(attributes, input.Password)
	if errors.Is(err, errUsernameExists) {
		return nil, &apiError{"UsernameExistsException", "User already exists"}
	} else if err != nil {
		return nil, err
	}
	return map[string]any{"UserSub": user.sub, "UserConfirmed": false, "CodeDeliveryDetails": e.sendConfirmation(user).delivery()}, nil
}

func checkPolicy(password string) error {
	if fault := policyFault(password); fault != "" {
		return &apiError{"InvalidPasswordException", "Password did not conform with policy: " + fault}
	}
	return nil
}

type codeInput struct {
	Username         string
	ConfirmationCode string
	Password         string // of ConfirmForgotPassword
}

// confirmSignUp says of a user that does not exist what it says of an old code.
func (e *Emulator) confirmSignUp(_ Client, input codeInput) (any, error) {
	user, _ := e.users.lookup(input.Username)
	if user.confirmed {
		return nil, notAuthorized("User cannot be confirmed. Current status is CONFIRMED")
	}
	proven, err := e.apiCheckCode(newCodeKey(user.sub, signUpCode), input.ConfirmationCode)
	if err != nil {
		return nil, err
	}
	e.verifications.end(proven.codeKey())
	_, err = e.users.confirm(user.sub)
	return nothing{}, err
}

// resendConfirmationCode answers alike for every name that has no account.
func (e *Emulator) resendConfirmationCode(_ Client, input struct{ Username string }) (any, error) {
	user, ok := e.users.lookup(input.Username)
	if user.confirmed {
		return nil, invalidParameter("User is already confirmed.")
	}
	sent := verification{to: input.Username}
	if ok {
		sent = e.sendConfirmation(user)
	}
	return map[string]any{"CodeDeliveryDetails": sent.delivery()}, nil
}
