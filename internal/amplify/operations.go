package amplify

import (
	"encoding/json"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
)

// operation is what the façade knows of one operation of the user-pool API.
type operation struct {
	// serve answers it. Nil: the user pool does, on behalf of the session's user.
	serve func(*Facade, http.ResponseWriter, *http.Request, *middleware.Exchange, *call) error
	// takes are the fields of a page's input that pass, and gives those of the answer.
	// Everything else stays here: tokens, client ids and secrets above all, which a page
	// can only have made up, and which are put in.
	takes, gives []string
	// changesClaims: the tokens are refreshed behind it, so that the user's next
	// session answer has what was changed.
	changesClaims bool
}

// operations are those that pass; what is not among them is refused, whatever
// Cognito has. They are the calls of aws-amplify.
var operations = map[string]operation{
	// Attributes.
	"GetUser":              {gives: []string{"Username", "UserAttributes", "MFAOptions", "PreferredMfaSetting", "UserMFASettingList"}},
	"UpdateUserAttributes": {takes: []string{"UserAttributes", "ClientMetadata"}, gives: []string{"CodeDeliveryDetailsList"}, changesClaims: true},
	"DeleteUserAttributes": {takes: []string{"UserAttributeNames"}, changesClaims: true},
	"GetUserAttributeVerificationCode": {
		takes: []string{"AttributeName", "ClientMetadata"}, gives: []string{"CodeDeliveryDetails"},
	},
	"VerifyUserAttribute": {takes: []string{"AttributeName", "Code"}, changesClaims: true},

	// A second factor.
	"SetUserMFAPreference": {
		takes: []string{"SMSMfaSettings", "SoftwareTokenMfaSettings", "EmailMfaSettings", "WebAuthnMfaSettings"},
	},
	"AssociateSoftwareToken": {serve: (*Facade).softwareToken, gives: []string{"SecretCode"}},
	"VerifySoftwareToken": {
		serve: (*Facade).softwareToken, takes: []string{"UserCode", "FriendlyDeviceName"}, gives: []string{"Status"},
	},

	// Devices. The key is not the caller's to prove: the pool knows whose each is.
	"ListDevices":        {takes: []string{"Limit", "PaginationToken"}, gives: []string{"Devices", "PaginationToken"}},
	"UpdateDeviceStatus": {takes: []string{"DeviceKey", "DeviceRememberedStatus"}},
	"ForgetDevice":       {takes: []string{"DeviceKey"}},

	// Passkeys.
	"StartWebAuthnRegistration":    {gives: []string{"CredentialCreationOptions"}},
	"CompleteWebAuthnRegistration": {takes: []string{"Credential"}},
	"ListWebAuthnCredentials":      {takes: []string{"MaxResults", "NextToken"}, gives: []string{"Credentials", "NextToken"}},
	"DeleteWebAuthnCredential":     {takes: []string{"CredentialId"}},

	// The session itself.
	"GetTokensFromRefreshToken": {serve: (*Facade).renew},
	"RevokeToken":               {serve: (*Facade).signOut},
	"GlobalSignOut":             {serve: (*Facade).signOutEverywhere},
	"DeleteUser":                {serve: (*Facade).deleteUser},

	// Signing in and up in a form of the page's own. InitiateAuth is a refresh, too.
	"InitiateAuth":           {serve: (*Facade).initiateAuth},
	"RespondToAuthChallenge": {serve: (*Facade).respond},
	"SignUp": {
		serve: (*Facade).account, takes: []string{"Username", "Password", "UserAttributes", "ValidationData", "ClientMetadata"},
		gives: []string{"UserConfirmed", "UserSub", "CodeDeliveryDetails"},
	},
	"ConfirmSignUp": {serve: (*Facade).account, takes: []string{"Username", "ConfirmationCode", "ForceAliasCreation", "ClientMetadata"}},
	"ResendConfirmationCode": {
		serve: (*Facade).account, takes: []string{"Username", "ClientMetadata"}, gives: []string{"CodeDeliveryDetails"},
	},
	"ForgotPassword": {
		serve: (*Facade).account, takes: []string{"Username", "ClientMetadata"}, gives: []string{"CodeDeliveryDetails"},
	},
	"ConfirmForgotPassword": {
		serve: (*Facade).account, takes: []string{"Username", "ConfirmationCode", "Password", "ClientMetadata"},
	},
	"ChangePassword": {serve: (*Facade).changePassword, takes: []string{"PreviousPassword", "ProposedPassword"}},
}

// pick keeps the named fields.
func pick(fields map[string]json.RawMessage, names []string) map[string]any {
	kept := make(map[string]any, len(names))
	for _, name := range names {
		if value, there := fields[name]; there {
			kept[name] = value
		}
	}
	return kept
}
