package cognitoemu

import "errors"

// The names of the second factors.
const (
	softwareTokenMFA = "SOFTWARE_TOKEN_MFA"
	smsMFA           = "SMS_MFA"
	emailOTP         = "EMAIL_OTP"
)

// associateSoftwareToken gives the secret for an authenticator app. The one in use
// stays until the new one has proved itself.
func (e *Emulator) associateSoftwareToken(user caller, _ nothing) (any, error) {
	secret := randomBytes(32)
	_, err := e.users.change(user.sub, func(a *account) error {
		a.token.pending = secret
		return nil
	})
	return map[string]string{"SecretCode": totpText(secret)}, err
}

type softwareTokenInput struct{ UserCode, FriendlyDeviceName string }

func (e *Emulator) verifySoftwareToken(user caller, input softwareTokenInput) (any, error) {
	_, err := e.users.change(user.sub, func(a *account) error {
		if a.token.pending == nil {
			return &apiError{"SoftwareTokenMFANotFoundException", "Software Token MFA does not exist for the user."}
		}
		if _, ok := totpMatch(a.token.pending, input.UserCode, e.clock.now()); !ok {
			return &apiError{"EnableSoftwareTokenMFAException", "Code mismatch and fail enable Software Token MFA"}
		}
		a.token.secret, a.token.pending, a.token.name = a.token.pending, nil, input.FriendlyDeviceName
		return nil
	})
	return map[string]string{"Status": "SUCCESS"}, err
}

type mfaSettings struct{ Enabled, PreferredMfa bool }

type mfaPreferenceInput struct {
	SoftwareTokenMfaSettings *mfaSettings
	SMSMfaSettings           mfaSettings
	EmailMfaSettings         mfaSettings
}

// setUserMFAPreference: what is left out stays. Codes by text message and by mail are
// never set up in the emulator's pool.
func (e *Emulator) setUserMFAPreference(user caller, input mfaPreferenceInput) (any, error) {
	for name, settings := range map[string]mfaSettings{smsMFA: input.SMSMfaSettings, emailOTP: input.EmailMfaSettings} {
		if settings.Enabled || settings.PreferredMfa {
			return nil, noDelivery(name)
		}
	}
	settings := input.SoftwareTokenMfaSettings
	if settings == nil {
		return nothing{}, nil
	}
	_, err := e.users.change(user.sub, func(a *account) error {
		if (settings.Enabled || settings.PreferredMfa) && a.token.secret == nil {
			return noDelivery(softwareTokenMFA)
		}
		a.token.enabled, a.token.preferred = settings.Enabled, settings.Enabled && settings.PreferredMfa
		return nil
	})
	return nothing{}, err
}

func noDelivery(factor string) error {
	return invalidParameter("User does not have delivery config set to turn on %s", factor)
}

// mfaOf are the members of GetUser that tell the user's second factors.
func (a account) mfaOf() map[string]any {
	members := map[string]any{}
	if a.token.enabled {
		members["UserMFASettingList"] = []string{softwareTokenMFA}
	}
	if a.token.preferred {
		members["PreferredMfaSetting"] = softwareTokenMFA
	}
	return members
}

// softwareTokenRefusal words why a code did not sign in.
func softwareTokenRefusal(err error) error {
	switch {
	case errors.Is(err, errTOTPMismatch):
		return &apiError{"CodeMismatchException", "Invalid code received for user"}
	case errors.Is(err, errTOTPReused):
		return &apiError{"ExpiredCodeException", "Your software token has already been used once."}
	}
	return err
}
