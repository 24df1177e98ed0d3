package cognitoemu

import "errors"

// apiForgotPassword is ForgotPassword. For a name that nobody has it answers as for
// any other.
func (e *Emulator) apiForgotPassword(_ Client, input struct{ Username string }) (any, error) {
	user, ok := e.users.lookup(input.Username)
	switch {
	case ok && user.disabled:
		return nil, notAuthorized("User is disabled.")
	case ok && (user.federated() || user.temporary):
		return nil, notAuthorized("User password cannot be reset in the current state.")
	case ok && user.attributes["email_verified"] != "true":
		return nil, invalidParameter("Cannot reset password for the user as there is no registered/verified email or phone_number")
	}
	return map[string]any{"CodeDeliveryDetails": e.sendPasswordCode(input.Username).delivery()}, nil
}

// confirmForgotPassword leaves tokens good that were issued before, as the hosted
// pages do.
func (e *Emulator) confirmForgotPassword(_ Client, input codeInput) (any, error) {
	if err := checkPolicy(input.Password); err != nil {
		return nil, err
	}
	owner := input.Username
	if user, ok := e.users.lookup(input.Username); ok {
		owner = user.sub
	}
	proven, err := e.apiCheckCode(newCodeKey(owner, newPasswordCode), input.ConfirmationCode)
	if err != nil {
		return nil, err
	}
	e.verifications.end(proven.codeKey())
	_, err = e.users.setPassword(proven.sub, input.Password)
	return nothing{}, err
}

// changePassword counts wrong passwords as sign-ins do. Tokens stay good.
func (e *Emulator) changePassword(user caller, input struct{ PreviousPassword, ProposedPassword string }) (any, error) {
	_, err := e.users.authenticate(user.sub, isPassword(input.PreviousPassword), e.clock.now())
	switch {
	case errors.Is(err, errLockedOut):
		return nil, errLimitExceeded
	case err != nil:
		return nil, signInRefusal(err)
	}
	if err := checkPolicy(input.ProposedPassword); err != nil {
		return nil, err
	}
	_, err = e.users.setPassword(user.sub, input.ProposedPassword)
	return nothing{}, err
}

// deleteUser removes the user's own account. The address can be signed up with again.
func (e *Emulator) deleteUser(user caller, _ nothing) (any, error) {
	e.users.delete(user.sub)
	e.grants.revokeUser(user.sub)
	return nothing{}, nil
}
