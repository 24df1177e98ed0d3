package amplify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/cognito"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
)

// maxInput bounds the body of a call, in bytes: room for all attributes of a user,
// 2,048 characters each, and for a passkey with its attestation.
const maxInput = 128 << 10

// call is one call of the user-pool API as a page made it.
type call struct {
	name  string
	op    operation
	input map[string]json.RawMessage
}

// operationNames have this form; anything else in the header is not repeated.
var operationNames = regexp.MustCompile(`^[A-Za-z]{1,64}$`)

// readCall reads the operation and its input. Only the header decides about
// the operation, since that is what makes a browser ask before it sends the call
// to another origin (Fetch §4.8, CORS-preflight).
func readCall(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) (*call, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != cognito.ContentType {
		return nil, &problem.Error{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type",
			Public: "Send " + cognito.ContentType + "."}
	}
	name, ours := strings.CutPrefix(r.Header.Get(cognito.TargetHeader), cognito.TargetPrefix)
	op, known := operations[name]
	if !ours || !known {
		return nil, unknownOperation(name)
	}
	x.Event.AddNote(name)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxInput))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &problem.Error{Status: http.StatusRequestEntityTooLarge, Code: "body_too_large",
			Public: fmt.Sprintf("The input of an operation takes up to %d KiB.", maxInput>>10)}
	case err != nil:
		return nil, &problem.Error{Status: http.StatusBadRequest, Code: "malformed_body", Public: "The body broke off.", Err: err}
	}
	c := &call{name: name, op: op}
	if err := json.Unmarshal(body, &c.input); err != nil || c.input == nil {
		return nil, &problem.Error{Status: http.StatusBadRequest, Code: "invalid_body", Public: "The body must be a JSON object."}
	}
	return c, nil
}

func unknownOperation(name string) error {
	e := &problem.Error{Status: http.StatusBadRequest, Code: "unknown_operation",
		Public: "The header " + cognito.TargetHeader + " names no operation that this gateway passes on."}
	if operationNames.MatchString(name) {
		e.Public = "This gateway does not pass on " + name + "."
		e.Err = fmt.Errorf("operation %s", name)
	}
	return e
}

// text returns a field that is a string; "" if it is none.
func (c *call) text(field string) string {
	var s string
	_ = json.Unmarshal(c.input[field], &s) // anything else is no string
	return s
}

// texts returns those members of a field that may pass. Its values are strings, as all
// parameters of sign-ins are.
func (c *call) texts(field string, passes func(name string) bool) (map[string]string, error) {
	var all map[string]string
	if raw, there := c.input[field]; there && json.Unmarshal(raw, &all) != nil {
		return nil, invalidParameter(field + " takes strings by their names.")
	}
	passed := make(map[string]string, len(all)) // never nil, as null in the input would make it
	for name, value := range all {
		if passes(name) {
			passed[name] = value
		}
	}
	return passed, nil
}

// write answers a call; nil is the answer that has nothing to say.
func write(w http.ResponseWriter, x *middleware.Exchange, answer map[string]any) error {
	if answer == nil {
		answer = map[string]any{}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	problem.OwnHeaders(w.Header())
	nameRequest(w.Header(), x)
	w.Header().Set("Content-Type", cognito.ContentType)
	_, _ = w.Write(body) // a client that left cannot be told
	return nil
}

// nameRequest gives the request's id under the name by which AWS libraries know it.
func nameRequest(h http.Header, x *middleware.Exchange) { h.Set("X-Amzn-Requestid", x.Event.RequestID) }

// exceptions are Cognito's names for the gateway's own refusals. A page's catch goes
// by them, and so does the library: six names make it forget the user
// (NotAuthorizedException is one), so an outage must have none of those.
var exceptions = map[problem.Code]string{
	"unauthenticated":        "NotAuthorizedException",
	"cross_origin":           "ForbiddenException",
	"csrf_header_missing":    "ForbiddenException",
	"unknown_operation":      "UnknownOperationException",
	"not_enabled":            "UnsupportedOperationException",
	"unsupported_media_type": "SerializationException",
	"invalid_body":           "SerializationException",
	"malformed_body":         "SerializationException",
	"body_too_large":         "InvalidParameterException",
	"invalid_parameter":      "InvalidParameterException",
	"invalid_challenge":      "NotAuthorizedException",
	"too_many_refreshes":     "TooManyRequestsException",
	"rate_limited":           "TooManyRequestsException",
	"too_many_sign_ins":      "LimitExceededException",
	"store_unavailable":      "ServiceUnavailableException",
	"idp_unavailable":        "ServiceUnavailableException",
	"session_busy":           "ServiceUnavailableException",
}

// otherException is the name of every refusal that has no better one.
const otherException = "InternalErrorException"

// InCognitosForm makes the errors of a handler answers as the user-pool API gives
// them: a name that the library makes an Error of, and 400 whatever the caller did
// wrong. An outage keeps its status, by which the library tries again.
func InCognitosForm(next middleware.Handler) middleware.Handler {
	return func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
		err := next(w, r, x)
		if err == nil {
			return nil
		}
		nameRequest(w.Header(), x)
		return inCognitosForm(err)
	}
}

func inCognitosForm(err error) error {
	e := problem.Of(err)
	name, message := exceptions[e.Code], e.Public
	if name == "" {
		name = otherException
	}
	var refusal *cognito.Refusal
	if errors.As(err, &refusal) {
		name, message = refusal.Exception, refusal.Message
	}
	body, failed := json.Marshal(map[string]string{"__type": name, "message": message})
	if failed != nil {
		return failed
	}
	if e.Status < http.StatusInternalServerError {
		e.Status = http.StatusBadRequest
	}
	e.Header = http.Header{cognito.ErrorHeader: {name}}
	e.ContentType, e.Body = cognito.ContentType, body
	return e
}
