package amplify

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
)

func invalidRequest(public string) error {
	return &problem.Error{Status: http.StatusBadRequest, Code: "invalid_request", Public: public}
}

func invalidGrant(public string, cause error) error {
	return &problem.Error{Status: http.StatusBadRequest, Code: "invalid_grant", Public: public, Err: cause}
}

// failure words a problem as an authorization or a token endpoint does (RFC 6749
// §4.1.2.1, §5.2).
func failure(e *problem.Error) url.Values {
	return url.Values{"error": {errorCode(e)}, "error_description": {cmp.Or(e.Reason, e.Public)}}
}

func errorCode(e *problem.Error) string {
	var refusal *oauth.AuthorizationError
	switch {
	case errors.As(e, &refusal): // the user pool's own word, as the page would have had it
		return refusal.Code
	case e.Status == http.StatusServiceUnavailable:
		return "temporarily_unavailable"
	case e.Status >= http.StatusInternalServerError:
		return "server_error"
	}
	switch e.Code {
	case "invalid_request", "unsupported_response_type", "invalid_grant", "unsupported_grant_type":
		return string(e.Code)
	case "invalid_parameter", "unknown_provider":
		return "invalid_request"
	}
	return "access_denied"
}
