package amplify

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/cognito"
	"github.com/gatehouse-auth/gatehouse/internal/handlers"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// UserPool is POST {mount}/amplify/idp/: the operations of the user-pool API that
// pass. The library repeats a call up to three times if its answer is lost, and
// nothing here depends on whether a call is the first.
func (f *Facade) UserPool(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
	// Also of a call without the cookie: some of them give the browser a session.
	if !f.Trusts(r, x.Decision.Host) {
		return middleware.CrossOrigin()
	}
	c, err := readCall(w, r, x)
	if err != nil {
		return err
	}
	if c.op.serve != nil {
		return c.op.serve(f, w, r, x, c)
	}
	return f.onBehalf(w, r, x, c)
}

// onBehalf makes the call with the session's access token.
func (f *Facade) onBehalf(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, c *call) error {
	answer, err := f.asUser(r.Context(), x, c)
	if err == nil && c.op.changesClaims {
		f.showChange(r.Context(), x)
	}
	if failed := f.deliver(w, r, x); failed != nil {
		return failed
	}
	if err != nil {
		return err
	}
	return write(w, x, pick(answer, c.op.gives))
}

// asUser makes a call as the user of the session. The pool's no to the access token
// itself is not the last word: the token may have been revoked, or be older than the
// session's newest, so that a refresh decides, which every instance shares.
func (f *Facade) asUser(ctx context.Context, x *middleware.Exchange, c *call) (map[string]json.RawMessage, error) {
	if err := f.Sessions.Load(ctx, x); err != nil {
		return nil, err
	}
	f.Sessions.Touch(ctx, x)
	if err := f.Sessions.Fresh(ctx, x); err != nil {
		return nil, err
	}
	answer, err := f.ask(ctx, x, c)
	if !f.tokenRefused(ctx, x, c, err) {
		return answer, err
	}
	if err := f.Sessions.Refresh(ctx, x); err != nil {
		return nil, err
	}
	return f.ask(ctx, x, c)
}

func (f *Facade) ask(ctx context.Context, x *middleware.Exchange, c *call) (map[string]json.RawMessage, error) {
	access := x.Caller.Session.Tokens.Access
	if err := cognito.CheckScope(access); err != nil {
		return nil, err
	}
	input := pick(c.input, c.op.takes)
	input["AccessToken"] = access.Reveal()
	answer, err := f.API.Do(ctx, c.name, input)
	return answer, refused(err)
}

// tokenRefused reports whether a call was refused because of the access token. The
// pool has one name for that and for what the user got wrong, such as a password, so it is asked
// about the token alone.
func (f *Facade) tokenRefused(ctx context.Context, x *middleware.Exchange, c *call, err error) bool {
	var refusal *cognito.Refusal
	if !errors.As(err, &refusal) || !refusal.MayMeanGone() {
		return false
	}
	return c.name == "GetUser" || errors.Is(f.API.GetUser(ctx, x.Caller.Session.Tokens.Access), oauth.ErrGrantRevoked)
}

// showChange gets tokens that have what was just changed. If none come now the
// change stands all the same, and shows with the next refresh.
func (f *Facade) showChange(ctx context.Context, x *middleware.Exchange) {
	if err := f.Sessions.Refresh(ctx, x); err != nil {
		x.Event.AddNote("claims not refreshed after the change")
		x.Event.Err = err
	}
}

// deliver gives the browser a handle that the steps before have brought. It comes
// before an error's answer, too: what was refreshed is refreshed.
func (f *Facade) deliver(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
	if x.Caller.Session == nil {
		return nil
	}
	return f.Sessions.Deliver(w, r, x)
}

// refused words the pool's own no to an operation. What it says is foreign text, for
// the page alone.
func refused(err error) error {
	var refusal *cognito.Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	return &problem.Error{Status: http.StatusBadRequest, Code: "user_pool_refused", Err: err,
		Public: "The user pool refused the operation.", Reason: refusal.Message}
}

// renew is GetTokensFromRefreshToken: a forced refresh, within the limits of POST
// {mount}/refresh, and the shadow of what came.
func (f *Facade) renew(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, _ *call) error {
	ctx := r.Context()
	if err := f.Sessions.Load(ctx, x); err != nil {
		return err
	}
	f.Sessions.Touch(ctx, x)
	if err := f.Sessions.Refresh(ctx, x); err != nil {
		return err
	}
	if err := f.Sessions.Deliver(w, r, x); err != nil {
		return err
	}
	return f.writeTokens(w, x)
}

// writeTokens answers with the shadow of the session's tokens.
func (f *Facade) writeTokens(w http.ResponseWriter, x *middleware.Exchange) error {
	shadow, err := f.Shadows.Of(x.Caller.Session)
	if err != nil {
		return err
	}
	return write(w, x, map[string]any{
		"AuthenticationResult": map[string]any{
			"AccessToken": shadow.Access, "IdToken": shadow.ID, "RefreshToken": RefreshToken,
			"ExpiresIn": shadow.ExpiresIn, "TokenType": "Bearer",
		},
		"ChallengeParameters": struct{}{},
	})
}

// signOut is RevokeToken: the sign-out of this session. Where there is none it has
// happened.
func (f *Facade) signOut(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, _ *call) error {
	if _, err := f.Logout.SignOut(w, r, x, handlers.SignOut{}); err != nil {
		return err
	}
	return write(w, x, nil)
}

// signOutEverywhere is GlobalSignOut. A repetition of it finds nobody signed in, and
// has nothing left to do.
func (f *Facade) signOutEverywhere(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, c *call) error {
	if err := f.Sessions.Load(r.Context(), x); errors.Is(err, session.ErrNotFound) {
		return f.signOut(w, r, x, c)
	}
	ended, err := f.Logout.SignOut(w, r, x, handlers.SignOut{Everywhere: true, AtCognito: true})
	switch {
	case err != nil:
		return err
	case ended.Missed:
		return &problem.Error{Status: http.StatusConflict, Code: "global_sign_out_failed", Err: x.Event.Err,
			Public: "You are signed out here, and perhaps not everywhere: sign in and try again."}
	}
	return write(w, x, nil)
}

// deleteUser is DeleteUser, which ends all of the user's sessions.
func (f *Facade) deleteUser(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, c *call) error {
	// The pool deletes the user whether or not the page still waits.
	r = r.WithContext(context.WithoutCancel(r.Context()))
	if _, err := f.asUser(r.Context(), x, c); err != nil {
		if failed := f.deliver(w, r, x); failed != nil {
			return failed
		}
		return err
	}
	if _, err := f.Logout.SignOut(w, r, x, handlers.SignOut{Everywhere: true}); err != nil {
		return err
	}
	return write(w, x, nil)
}
