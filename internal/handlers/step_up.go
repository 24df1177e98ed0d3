package handlers

import (
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/web"
)

var errNotAsked = errors.New("auth_time says that the user pool did not ask for a new sign-in, as prompt=login and max_age would have it: " +
	"the classic hosted UI ignores both, managed login does not")

// stillTooOld ends a login that was to bring a new sign-in, and has brought one that is as
// old as before: whatever the login was for would only ask for it again. The user is
// signed in all the same.
func (f *Flow) stillTooOld(s *session.Session, p oauth.Pending) error {
	if most := p.Params.MaxAge; most == 0 || time.Since(s.Tokens.AuthTime) <= most {
		return nil
	}
	return &problem.Error{
		Status: http.StatusForbidden, Code: "step_up_required", Err: errNotAsked,
		Public: "You are signed in, but the sign-in service did not ask you to sign in again, and your last sign-in is too old for this.",
		Hint:   "Sign out, which ends it at the sign-in service too, and sign in again.",
		WayOn:  &web.Action{Label: "Sign out", Href: f.LogoutPath},
	}
}
