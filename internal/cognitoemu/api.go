package cognitoemu

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

const (
	targetPrefix   = "AWSCognitoIdentityProviderService."
	apiContentType = "application/x-amz-json-1.1"
)

// apiError is an error of the JSON API. Nearly all of them are HTTP 400: clients
// go by the type, not by the status.
type apiError struct{ kind, message string }

func (e *apiError) Error() string { return e.kind + ": " + e.message }

// operation is one operation of the JSON API; its input is the decoded body.
type operation func(e *Emulator, input apiInput) (any, error)

// apiInput are the members that the operations here read; others are ignored, as
// the real service does. (The wire's ClientId is found whatever its letter case.)
type apiInput struct {
	AccessToken    string
	AuthFlow       string
	AuthParameters map[string]string
	ClientID       string
	ClientSecret   string
	RefreshToken   string
	Token          string
	Username       string
	UserPoolID     string
}

// anonymousOperations take a token or a password in the body and no signature.
var anonymousOperations = map[string]operation{
	"GetTokensFromRefreshToken": (*Emulator).getTokensFromRefreshToken,
	"GetUser":                   (*Emulator).getUser,
	"GlobalSignOut":             (*Emulator).globalSignOut,
	"InitiateAuth":              (*Emulator).initiateAuth,
	"RevokeToken":               (*Emulator).revokeToken,
}

// adminOperations must be signed. Any signature will do: the emulator knows no
// AWS account.
var adminOperations = map[string]operation{
	"AdminDisableUser":       (*Emulator).adminDisableUser,
	"AdminEnableUser":        (*Emulator).adminEnableUser,
	"AdminUserGlobalSignOut": (*Emulator).adminUserGlobalSignOut,
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
	run, ok := anonymousOperations[name]
	if !ok {
		if run, ok = adminOperations[name]; !ok {
			e.log.Error("OPERATION NOT EMULATED", "operation", name)
			return nil, &apiError{"UnknownOperationException", "The Cognito emulator does not have the operation " + name}
		}
		if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
			return nil, &apiError{"MissingAuthenticationTokenException", "Missing Authentication Token"}
		}
	}
	var input apiInput
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxForm)).Decode(&input); err != nil {
		return nil, &apiError{"SerializationException", "The request body is not a JSON object"}
	}
	return run(e, input)
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

func notAuthorized(format string, args ...any) error {
	return &apiError{"NotAuthorizedException", fmt.Sprintf(format, args...)}
}
