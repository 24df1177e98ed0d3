package cognitoemu

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	targetPrefix   = "AWSCognitoIdentityProviderService."
	apiContentType = "application/x-amz-json-1.1"
)

// apiError is an error of the JSON API. Nearly all of them are HTTP 400: clients
// go by the type, not by the status.
type apiError struct{ kind, message string }

func (e *apiError) Error() string { return e.kind + ": " + e.message }

var errNoObject = &apiError{"SerializationException", "The request body is not a JSON object"}

// operation is one operation of the JSON API. Its input is the body as it was sent,
// of which it reads its own members; others are ignored, as the real service does.
// (The wire's ClientId is found whatever its letter case.)
type operation func(e *Emulator, body []byte) (any, error)

// operations are those that the emulator has, by who may call them: whoever sends
// the right secrets, an app client, someone who names a user, a user by access
// token, an administrator by signature.
var operations = map[string]operation{
	"RevokeToken": byAnyone((*Emulator).revokeToken),

	"GetTokensFromRefreshToken": byClient((*Emulator).getTokensFromRefreshToken),
	"InitiateAuth":              byClient((*Emulator).initiateAuth),
	"RespondToAuthChallenge":    byClient((*Emulator).respondToAuthChallenge),

	"ConfirmForgotPassword":  byUsername((*Emulator).confirmForgotPassword),
	"ConfirmSignUp":          byUsername((*Emulator).confirmSignUp),
	"ForgotPassword":         byUsername((*Emulator).apiForgotPassword),
	"ResendConfirmationCode": byUsername((*Emulator).resendConfirmationCode),
	"SignUp":                 byUsername((*Emulator).apiSignUp),

	"AssociateSoftwareToken":           byUser((*Emulator).associateSoftwareToken),
	"ChangePassword":                   byUser((*Emulator).changePassword),
	"CompleteWebAuthnRegistration":     byUser((*Emulator).completeWebAuthnRegistration),
	"ConfirmDevice":                    byUser((*Emulator).confirmDevice),
	"DeleteUser":                       byUser((*Emulator).deleteUser),
	"DeleteUserAttributes":             byUser((*Emulator).deleteUserAttributes),
	"DeleteWebAuthnCredential":         byUser((*Emulator).deleteWebAuthnCredential),
	"ForgetDevice":                     byUser((*Emulator).forgetDevice),
	"GetDevice":                        byUser((*Emulator).getDevice),
	"GetUser":                          byUser((*Emulator).getUser),
	"GetUserAttributeVerificationCode": byUser((*Emulator).getUserAttributeVerificationCode),
	"GlobalSignOut":                    byUser((*Emulator).globalSignOut),
	"ListDevices":                      byUser((*Emulator).listDevices),
	"ListWebAuthnCredentials":          byUser((*Emulator).listWebAuthnCredentials),
	"SetUserMFAPreference":             byUser((*Emulator).setUserMFAPreference),
	"StartWebAuthnRegistration":        byUser((*Emulator).startWebAuthnRegistration),
	"UpdateDeviceStatus":               byUser((*Emulator).updateDeviceStatus),
	"UpdateUserAttributes":             byUser((*Emulator).updateUserAttributes),
	"VerifySoftwareToken":              byUser((*Emulator).verifySoftwareToken),
	"VerifyUserAttribute":              byUser((*Emulator).verifyUserAttribute),

	"AdminDisableUser":       byAdmin((*Levers).DisableUser),
	"AdminEnableUser":        byAdmin((*Levers).EnableUser),
	"AdminUserGlobalSignOut": byAdmin((*Levers).SignOutUser),
}

// operationOf is the operation that a request to the JSON API names, or "".
func operationOf(r *http.Request) string {
	if r.Method != http.MethodPost || r.URL.Path != "/" {
		return ""
	}
	return strings.TrimPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
}

// api is POST / on the IdP host: the user-pool API in AWS JSON 1.1.
func (e *Emulator) api(w http.ResponseWriter, r *http.Request) {
	e.openToScripts(w, r)
	w.Header().Set("Access-Control-Expose-Headers", "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date")
	name := operationOf(r)
	output, err := e.perform(name, w, r)
	var refusal *apiError
	switch {
	case err == nil:
		writeAPI(w, http.StatusOK, output)
	case errors.As(err, &refusal):
		e.log.Info("operation refused", "operation", name, "error", refusal.kind, "message", refusal.message)
		writeAPIError(w, refusal)
	default:
		e.log.Error("operation", "operation", name, "err", err)
		writeAPI(w, http.StatusInternalServerError, map[string]string{"__type": "InternalErrorException"})
	}
}

func (e *Emulator) perform(name string, w http.ResponseWriter, r *http.Request) (any, error) {
	run, ok := operations[name]
	if !ok {
		e.log.Error("OPERATION NOT EMULATED", "operation", name)
		return nil, &apiError{"UnknownOperationException", "The Cognito emulator does not have the operation " + name}
	}
	// Any signature will do: the emulator knows no AWS account.
	if strings.HasPrefix(name, "Admin") && !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
		return nil, &apiError{"MissingAuthenticationTokenException", "Missing Authentication Token"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		return nil, errNoObject
	}
	return run(e, body)
}

// apiPreflight is OPTIONS / on the IdP host: browsers call the API directly.
func (e *Emulator) apiPreflight(w http.ResponseWriter, r *http.Request) {
	e.preflight(w, r, http.MethodPost,
		"Content-Type, Cache-Control, X-Amz-Target, X-Amz-User-Agent, Amz-Sdk-Invocation-Id, Amz-Sdk-Request")
}

func writeAPI(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", apiContentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client has gone
}

// writeAPIError says the type three times, as the real service does; SDKs read
// the header first, whose value ends in a colon.
func writeAPIError(w http.ResponseWriter, err *apiError) {
	w.Header().Set("X-Amzn-Errortype", err.kind+":")
	w.Header().Set("X-Amzn-Errormessage", strings.ReplaceAll(err.message, "\n", " "))
	writeAPI(w, http.StatusBadRequest, map[string]string{"__type": err.kind, "message": err.message})
}

// pageOf is a page of a list: what follows on the item that after names. next is the
// name of the page's last item where the list goes on.
func pageOf[T any](list []T, name func(T) string, limit int, after string) (page []T, next string, err error) {
	if after != "" {
		i := slices.IndexFunc(list, func(item T) bool { return name(item) == after })
		if i < 0 {
			return nil, "", invalidParameter("Invalid pagination token")
		}
		list = list[i+1:]
	}
	if len(list) > limit {
		return list[:limit], name(list[limit-1]), nil
	}
	return list, "", nil
}

// epoch is a time as the JSON API writes it: seconds with a fraction.
func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func invalidParameter(format string, args ...any) error {
	return &apiError{"InvalidParameterException", fmt.Sprintf(format, args...)}
}

func notAuthorized(format string, args ...any) error {
	return &apiError{"NotAuthorizedException", fmt.Sprintf(format, args...)}
}
