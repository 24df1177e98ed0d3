package handlers

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Account is the session as its own page sees it, and the user's other sessions
// (sessions.go).
type Account struct {
	Sessions *middleware.Sessions
	// AccessClaims and IDClaims narrow what is shown of each token; empty shows all.
	AccessClaims, IDClaims []string
	// LoginID finds what the user signed in with; empty if unknown.
	LoginID    func(*oauth.Identity) string
	LogoutPath string
}

// sessionAnswer is the signed-in answer; times are Unix seconds.
type sessionAnswer struct {
	Authenticated    bool           `json:"authenticated"`
	UserSub          string         `json:"userSub"`
	Username         string         `json:"username"`
	SignInDetails    *signInDetails `json:"signInDetails,omitempty"`
	Tokens           tokensView     `json:"tokens"`
	Generation       uint64         `json:"generation"`
	ServerTime       int64          `json:"serverTime"`
	AccessExpiresAt  int64          `json:"accessExpiresAt"`
	IdleExpiresAt    int64          `json:"idleExpiresAt"`
	SessionExpiresAt int64          `json:"sessionExpiresAt"`
	LogoutURL        string         `json:"logoutUrl"`
}

// tokensView has the shape that aws-amplify gives tokens, without the tokens.
type tokensView struct {
	AccessToken payloadView `json:"accessToken"`
	IDToken     payloadView `json:"idToken"`
}

type payloadView struct {
	Payload json.RawMessage `json:"payload"`
}

// Session is GET {mount}/session: 200, signed in or out. Only a store that
// cannot say is an error; a user pool that does not answer is not.
func (a *Account) Session(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
	if err := a.Sessions.Load(r.Context(), x); err != nil {
		return signedOutOr(w, err)
	}
	lastUse := x.Caller.Session.LastSeen
	if r.URL.Query().Get("touch") != "false" {
		a.Sessions.Touch(r.Context(), x)
		lastUse = time.Now()
	}
	if err := a.Sessions.FreshClaims(r.Context(), x); err != nil {
		return signedOutOr(w, err)
	}
	return a.answer(w, r, x, lastUse)
}

// signedOutOr answers that nobody is signed in, if err says so, and passes on
// any other error.
func signedOutOr(w http.ResponseWriter, err error) error {
	if !errors.Is(err, session.ErrNotFound) {
		return err
	}
	return problem.WriteJSON(w, http.StatusOK, map[string]bool{"authenticated": false})
}

// Refresh is POST {mount}/refresh: it forces a token refresh and answers as
// Session does.
func (a *Account) Refresh(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
	if err := a.Sessions.Load(r.Context(), x); err != nil {
		return unauthenticatedOr(err)
	}
	a.Sessions.Touch(r.Context(), x)
	if err := a.Sessions.Refresh(r.Context(), x); err != nil {
		return unauthenticatedOr(err)
	}
	return a.answer(w, r, x, time.Now())
}

// userAnswer is what aws-amplify's getCurrentUser gives.
type userAnswer struct {
	Username      string         `json:"username"`
	UserID        string         `json:"userId"`
	SignInDetails *signInDetails `json:"signInDetails,omitempty"`
}

// signInDetails have aws-amplify's names.
type signInDetails struct {
	LoginID      string `json:"loginId"`
	AuthFlowType string `json:"authFlowType,omitempty"`
}

// detailsOf returns how the user signed in; nil where only the provider knows.
func detailsOf(s *session.Session) *signInDetails {
	if s.SignIn.IsZero() {
		return nil
	}
	return &signInDetails{LoginID: s.SignIn.LoginID, AuthFlowType: s.SignIn.Flow}
}

// User is GET {mount}/user: who is signed in, or 401.
func (a *Account) User(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
	if err := a.Sessions.Load(r.Context(), x); err != nil {
		return unauthenticatedOr(err)
	}
	a.Sessions.Touch(r.Context(), x)
	if err := a.Sessions.Deliver(w, r, x); err != nil {
		return err
	}
	s := x.Caller.Session
	answer := userAnswer{Username: s.Username, UserID: s.Subject, SignInDetails: detailsOf(s)}
	if id := a.LoginID(x.Caller.Identity()); id != "" && answer.SignInDetails == nil {
		answer.SignInDetails = &signInDetails{LoginID: id}
	}
	return problem.WriteJSON(w, http.StatusOK, answer)
}

func (a *Account) answer(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, lastUse time.Time) error {
	if err := a.Sessions.Deliver(w, r, x); err != nil {
		return err
	}
	return problem.WriteJSON(w, http.StatusOK, a.view(x.Caller.Session, lastUse))
}

// view is what pages may see of a session.
func (a *Account) view(s *session.Session, lastUse time.Time) sessionAnswer {
	return sessionAnswer{
		Authenticated: true,
		UserSub:       s.Subject,
		Username:      s.Username,
		SignInDetails: detailsOf(s),
		Tokens: tokensView{
			AccessToken: payloadView{narrow(s.AccessClaims(), a.AccessClaims)},
			IDToken:     payloadView{narrow(s.IDClaims(), a.IDClaims)},
		},
		Generation:       s.Generation,
		ServerTime:       time.Now().Unix(),
		AccessExpiresAt:  s.Tokens.AccessExpiresAt.Unix(),
		IdleExpiresAt:    a.Sessions.Manager.IdleExpiresAt(s, lastUse).Unix(),
		SessionExpiresAt: s.ExpiresAt.Unix(),
		LogoutURL:        a.LogoutPath,
	}
}

// narrow keeps the named claims; no names keep all.
func narrow(claims json.RawMessage, names []string) json.RawMessage {
	if len(names) == 0 {
		return claims
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(claims, &all); err != nil {
		return json.RawMessage("{}")
	}
	kept := make(map[string]json.RawMessage, len(names))
	for _, name := range names {
		if v, ok := all[name]; ok {
			kept[name] = v
		}
	}
	out, err := json.Marshal(kept)
	if err != nil {
		return json.RawMessage("{}")
	}
	return out
}

// unauthenticatedOr keeps the gateway's own endpoints from redirecting to the
// login: that there is no session is their answer.
func unauthenticatedOr(err error) error {
	if errors.Is(err, session.ErrNotFound) {
		return problem.Unauthenticated()
	}
	return err
}
