package amplify

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/cognito"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// forgetting are the names at which the library forgets its user.
var forgetting = map[string]bool{
	"NotAuthorizedException": true, "TokenRevokedException": true, "UserNotFoundException": true,
	"PasswordResetRequiredException": true, "UserNotConfirmedException": true, "RefreshTokenReuseException": true,
}

func TestErrorsHaveCognitosForm(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		status int
		want   string
	}{
		"no_session":               {session.ErrNotFound, 400, "NotAuthorizedException"},
		"a_refused_refresh":        {fmt.Errorf("%w: %w", session.ErrNotFound, oauth.ErrGrantRevoked), 400, "NotAuthorizedException"},
		"too_many_refreshes":       {&session.TooManyError{RetryAfter: 1}, 400, "TooManyRequestsException"},
		"no_store":                 {session.ErrUnavailable, 503, "ServiceUnavailableException"},
		"a_session_that_changes":   {session.ErrConflict, 503, "ServiceUnavailableException"},
		"no_user_pool":             {oauth.ErrUnavailable, 503, "ServiceUnavailableException"},
		"a_user_pool_that_is_busy": {fmt.Errorf("%w: %w", oauth.ErrUnavailable, &oauth.BusyError{Status: 429}), 503, "ServiceUnavailableException"},
		"a_wrong_setting":          {oauth.ErrMisconfigured, 502, "InternalErrorException"},
		"a_forged_token":           {oauth.ErrInvalidToken, 502, "InternalErrorException"},
		"a_session_too_large":      {session.ErrTooLarge, 502, "InternalErrorException"},
		"a_fault_of_the_gateway":   {errors.New("canary"), 500, "InternalErrorException"},
		"the_pools_own_no":         {refused(&cognito.Refusal{Exception: "CodeMismatchException", Message: "words"}), 400, "CodeMismatchException"},
		"what_is_not_enabled":      {notSwitchedOn("SignUp"), 400, "UnsupportedOperationException"},
	} {
		t.Run(name, func(t *testing.T) {
			var e *problem.Error
			if !errors.As(inCognitosForm(tc.err), &e) {
				t.Fatal("no problem")
			}
			var said struct {
				Type    string `json:"__type"`
				Message string `json:"message"`
			}
			if err := json.Unmarshal(e.Body, &said); err != nil || said.Message == "" || strings.Contains(said.Message, "canary") {
				t.Errorf("%s, %v", e.Body, err)
			}
			if e.Status != tc.status || said.Type != tc.want || e.Header.Get("X-Amzn-Errortype") != tc.want {
				t.Errorf("%d %s, want %d %s", e.Status, said.Type, tc.status, tc.want)
			}
			if e.Status >= http.StatusInternalServerError && forgetting[said.Type] {
				t.Errorf("at %s the library forgets its user", said.Type)
			}
		})
	}
}

var exceptionRow = regexp.MustCompile("(?m)^\\| `([A-Za-z]+Exception)` \\| (.+) \\|$")

// TestErrorsPageHasTheNames: docs/errors.md says under which name a code comes.
func TestErrorsPageHasTheNames(t *testing.T) {
	page, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[problem.Code]string{"unknown_operation": "UnknownOperationException"} // in the table of codes
	for _, row := range exceptionRow.FindAllStringSubmatch(string(page), -1) {
		for _, code := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[2], -1) {
			documented[problem.Code(code[1])] = row[1]
		}
	}
	if diff := cmp.Diff(exceptions, documented); diff != "" {
		t.Errorf("the gateway (-) and the page (+):\n%s", diff)
	}
}
