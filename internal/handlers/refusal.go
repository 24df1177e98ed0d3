package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/web"
)

// refusal is what one of the provider's codes means to the user. What a code has
// no words of its own for is login_refused.
type refusal struct {
	code       problem.Code
	text, hint string
}

// refusals are those that another try may cure (RFC 6749 §4.1.2.1, OpenID Connect
// Core §3.1.2.6).
var refusals = map[string]refusal{
	"access_denied":              {code: "access_denied", text: "The sign-in was cancelled, or refused by the sign-in service."},
	"login_required":             {code: "login_required", text: "You are not signed in at the sign-in service."},
	"interaction_required":       {code: "login_required", text: "The sign-in service has a question first."},
	"consent_required":           {code: "login_required", text: "The sign-in service needs your consent first."},
	"account_selection_required": {code: "login_required", text: "The sign-in service asks which account first."},
	"server_error":               {code: "server_error", text: "The sign-in service had an error of its own.", hint: "Starting again often helps."},
	"temporarily_unavailable":    {code: "temporarily_unavailable", text: "The sign-in service is busy.", hint: "Start again in a moment."},
}

// misconfigurations are those that only an operator can cure, with what to look at.
var misconfigurations = map[string]string{
	"unauthorized_client":       "the app client's flows (cognito.client_id)",
	"unsupported_response_type": "the app client's flows (cognito.client_id)",
	"invalid_scope":             "cognito.scopes, and the scopes of the app client",
	"invalid_request":           "the app client (cognito.client_id) and the provider that was asked for",
}

// wouldAsk reports whether the provider refuses only because it may not ask.
func wouldAsk(e *oauth.AuthorizationError) bool { return refusals[e.Code].code == "login_required" }

// refused words the provider's refusal of a login. The reason, which is foreign
// text, stands beside the gateway's own words and never decides anything.
func (f *Flow) refused(e *oauth.AuthorizationError, p oauth.Pending) error {
	setting, wrong := misconfigurations[e.Code]
	// Cognito also says invalid_request where a trigger or a federated provider
	// refused the user, and then it says why.
	if wrong && (e.Code != "invalid_request" || e.Description == "") {
		found := problem.Of(fmt.Errorf("%w: %w; look at %s", oauth.ErrMisconfigured, e, setting))
		found.Status, found.Reason = http.StatusBadRequest, e.Description
		return found
	}
	own, known := refusals[e.Code]
	if !known {
		own = refusal{"login_refused", "The sign-in service refused the sign-in.", f.refusalHint(p)}
	}
	return &problem.Error{
		Status: http.StatusBadRequest, Code: own.code, Public: own.text, Hint: own.hint, Reason: e.Description, Err: e,
	}
}

func (f *Flow) refusalHint(p oauth.Pending) string {
	if p.Params.Provider != "" {
		return fmt.Sprintf("It was asked for the provider %q: if there is none of that name, sign in without it.", p.Params.Provider)
	}
	return "If the reason is not yours to mend, give the operator of this site the request's id below."
}

// gaveUp says why a login that started over once does not do so again.
func gaveUp(cause error) error {
	switch {
	case errors.Is(cause, oauth.ErrStateExpired):
		return badCallback("login_expired", "The sign-in took longer than ten minutes, twice.", cause)
	case errors.Is(cause, oauth.ErrGrantRevoked):
		return &problem.Error{
			Status: http.StatusBadRequest, Code: "login_refused", Err: cause,
			Public: "This sign-in has been used already, or the sign-in service would not complete it.",
			Hint:   "If it happens again, give the operator of this site the request's id below.",
		}
	}
	return badCallback("login_not_bound",
		"The sign-in could not be tied to this browser. Allow cookies for this site and start again.", cause)
}

// checkProvider refuses a provider that is not among those configured, before the
// user pool shows a page about it that leads nowhere. Where none is configured the
// user pool decides.
func (f *Flow) checkProvider(name string) error {
	if name == "" || len(f.Providers) == 0 || slices.Contains(f.Providers, name) {
		return nil
	}
	return &problem.Error{
		Status: http.StatusBadRequest, Code: "unknown_provider", Heading: "There is no such provider",
		Public: "The parameter provider takes one of these names, spelled like this: " +
			strings.Join(f.Providers, ", ") + ".",
		WayOn: &web.Action{Label: "Sign in", Href: f.LoginPath},
	}
}
