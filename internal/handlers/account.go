package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cookie"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Account is the session as its own page sees it, and the user's other sessions
// (registry.go).
type Account struct {
	Sessions *session.Manager
	Cookies  *cookie.Jar
	// AccessClaims and IDClaims narrow what is shown of each token; empty shows all.
	AccessClaims, IDClaims []string
	// LoginID finds what the user signed in with; empty if unknown.
	LoginID    func(oauth.Tokens) string
	LogoutPath string
}

// sessionAnswer is the signed-in answer; times are Unix seconds.
type sessionAnswer struct {
	Authenticated    bool       `json:"authenticated"`
	UserSub          string     `json:"userSub"`
	Username         string     `json:"username"`
	Tokens           tokensView `json:"tokens"`
	Generation       uint64     `json:"generation"`
	ServerTime       int64      `json:"serverTime"`
	AccessExpiresAt  int64      `json:"accessExpiresAt"`
	IdleExpiresAt    int64      `json:"idleExpiresAt"`
	SessionExpiresAt int64      `json:"sessionExpiresAt"`
	LogoutURL        string     `json:"logoutUrl"`
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
	s, err := a.load(r.Context(), x)
	if err != nil {
		return signedOutOr(w, err)
	}
	lastUse := s.LastSeen
	if r.URL.Query().Get("touch") != "false" {
		s, lastUse = a.touch(r.Context(), x, s), time.Now()
	}
	if s, err = a.fresh(r.Context(), x, s); err != nil {
		return signedOutOr(w, err)
	}
	return a.answer(w, r, x, s, lastUse)
}

// signedOutOr answers that nobody is signed in, if err says so, and passes on
// any other error.
func signedOutOr(w http.ResponseWriter, err error) error {
	if !errors.Is(err, session.ErrNotFound) {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]bool{"authenticated": false})
}

// Refresh is POST {mount}/refresh: it forces a token refresh and answers as
// Session does.
func (a *Account) Refresh(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
	s, err := a.load(r.Context(), x)
	if err != nil {
		return unauthenticatedOr(err)
	}
	s = a.touch(r.Context(), x, s)
	fresh, err := a.Sessions.Refresh(r.Context(), s)
	var tooMany *session.TooManyError
	if errors.As(err, &tooMany) {
		return &problem.Error{Status: http.StatusTooManyRequests, Code: "too_many_refreshes",
			Public: "This session was refreshed too often within a minute.", RetryAfter: tooMany.RetryAfter}
	}
	if err != nil {
		return unauthenticatedOr(err)
	}
	x.Event.Refresh = "forced"
	return a.answer(w, r, x, fresh, time.Now())
}

// userAnswer is what aws-amplify's getCurrentUser gives.
type userAnswer struct {
	Username      string         `json:"username"`
	UserID        string         `json:"userId"`
	SignInDetails *signInDetails `json:"signInDetails,omitempty"`
}

type signInDetails struct {
	LoginID string `json:"loginId"`
}

// User is GET {mount}/user: who is signed in, or 401.
func (a *Account) User(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
	s, err := a.load(r.Context(), x)
	if err != nil {
		return unauthenticatedOr(err)
	}
	s = a.touch(r.Context(), x, s)
	if err := a.deliver(w, r, x, s); err != nil {
		return err
	}
	answer := userAnswer{Username: s.Username, UserID: s.Subject}
	if id := a.LoginID(s.Tokens); id != "" {
		answer.SignInDetails = &signInDetails{LoginID: id}
	}
	return writeJSON(w, http.StatusOK, answer)
}

func (a *Account) load(ctx context.Context, x *middleware.Exchange) (*session.Session, error) {
	if x.Handle.Empty() {
		return nil, session.ErrNotFound
	}
	s, err := load(ctx, a.Sessions, x.Handle)
	if err == nil {
		x.Session = s
	}
	return s, err
}

// load returns the session of a handle, if its user is still in.
func load(ctx context.Context, sessions *session.Manager, h session.Handle) (*session.Session, error) {
	s, err := sessions.Load(ctx, h)
	if err != nil {
		return nil, err
	}
	return sessions.CheckUser(ctx, s)
}

// touch records the use and returns the session with its idle limit moved.
func (a *Account) touch(ctx context.Context, x *middleware.Exchange, s *session.Session) *session.Session {
	touched, err := a.Sessions.Touch(ctx, s)
	if err != nil {
		x.Event.AddNote("use of the session not recorded")
		return s
	}
	return touched
}

// fresh returns the session with a token to use now. Where the user pool is away
// these are the claims in hand, with their true expiry.
func (a *Account) fresh(ctx context.Context, x *middleware.Exchange, s *session.Session) (*session.Session, error) {
	fresh, err := a.Sessions.Fresh(ctx, s)
	switch {
	case err == nil:
		return fresh, nil
	case errors.Is(err, session.ErrNotFound), errors.Is(err, session.ErrUnavailable):
		return nil, err
	}
	x.Event.Err = err
	return s, nil
}

func (a *Account) answer(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, s *session.Session, lastUse time.Time) error {
	if err := a.deliver(w, r, x, s); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, a.view(s, lastUse))
}

// deliver takes over a session, and gives the browser its handle where that changed.
func (a *Account) deliver(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, s *session.Session) error {
	sessions := middleware.Sessions{Manager: a.Sessions, Cookies: a.Cookies}
	return sessions.Deliver(w, r, x, s)
}

// view is what pages may see of a session.
func (a *Account) view(s *session.Session, lastUse time.Time) sessionAnswer {
	return sessionAnswer{
		Authenticated: true,
		UserSub:       s.Subject,
		Username:      s.Username,
		Tokens: tokensView{
			AccessToken: payloadView{narrow(s.Tokens.AccessClaims, a.AccessClaims)},
			IDToken:     payloadView{narrow(s.Tokens.IDClaims, a.IDClaims)},
		},
		Generation:       s.Generation,
		ServerTime:       time.Now().Unix(),
		AccessExpiresAt:  s.Tokens.AccessExpiresAt.Unix(),
		IdleExpiresAt:    a.Sessions.IdleExpiresAt(s, lastUse).Unix(),
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
