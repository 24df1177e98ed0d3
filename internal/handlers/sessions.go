package handlers

import (
	"context"
	"errors"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/paging"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// listedSession is one session of this user; times are Unix seconds. The id is
// public: it names the session, and lets nobody into it.
type listedSession struct {
	ID         string `json:"id"`
	Current    bool   `json:"current"`
	CreatedAt  int64  `json:"createdAt"`
	LastSeenAt int64  `json:"lastSeenAt"`
	UserAgent  string `json:"userAgent"`
	IP         string `json:"ip"`
}

// endedAnswer says how many sessions were ended.
type endedAnswer struct {
	Ended int `json:"ended"`
}

// List is GET {mount}/sessions: a page of this user's sessions, newest first, or 401.
func (a *Account) List(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
	after, err := paging.After(r)
	if err != nil {
		return err
	}
	if err := a.Sessions.Load(r.Context(), x); err != nil {
		return unauthenticatedOr(err)
	}
	a.Sessions.Touch(r.Context(), x)
	list, err := a.Sessions.Manager.ListOwn(r.Context(), x.Caller.Session, after)
	if errors.Is(err, session.ErrNotFound) {
		return paging.ErrAfter
	}
	if err != nil {
		return err
	}
	if err := a.Sessions.Deliver(w, r, x); err != nil {
		return err
	}
	answer := make([]listedSession, len(list.Sessions))
	for i, l := range list.Sessions {
		answer[i] = listedSession{
			ID: l.ID, Current: l.ID == x.Caller.Session.ID, UserAgent: l.UserAgent, IP: l.Address,
			CreatedAt: l.CreatedAt.Unix(), LastSeenAt: l.LastSeen.Unix(),
		}
	}
	paging.LinkNext(w, r, list.Next)
	return problem.WriteJSON(w, http.StatusOK, answer)
}

// EndOne is DELETE {mount}/sessions/{id}: it ends one session of this user, 204.
// An id of another user's session and one of no session are both 404, so that
// nobody can tell them apart. The id of the session that asks makes it a sign-out.
func (a *Account) EndOne(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
	if err := a.Sessions.Load(r.Context(), x); err != nil {
		return unauthenticatedOr(err)
	}
	id := chi.URLParam(r, "id")
	if id == x.Caller.Session.ID {
		return a.signOut(w, r, x)
	}
	a.Sessions.Touch(r.Context(), x)
	err := a.Sessions.Manager.EndID(context.WithoutCancel(r.Context()), x.Caller.Subject, id)
	if errors.Is(err, session.ErrNotFound) {
		return problem.NoSuch("You have no such session.")
	}
	if err != nil {
		return err
	}
	return problem.WriteNothing(w)
}

// signOut ends the session that asks, and clears its cookie. The answer is 202 where
// the store is away and the record will be deleted later; nobody can open it any
// more, because its key goes with the cookie.
func (a *Account) signOut(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
	pending, err := a.Sessions.End(r.Context(), x, session.ReasonLogout)
	if err != nil {
		return err
	}
	a.Sessions.Cookies.ClearSession(w)
	if pending {
		return problem.WriteJSON(w, http.StatusAccepted, map[string]bool{"pending": true})
	}
	return problem.WriteNothing(w)
}

// EndOthers is DELETE {mount}/sessions: it ends every session of this user but
// the one that asks, and says how many. A tab that is closed does not leave it
// half done.
func (a *Account) EndOthers(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
	if err := a.Sessions.Load(r.Context(), x); err != nil {
		return unauthenticatedOr(err)
	}
	a.Sessions.Touch(r.Context(), x)
	n, err := a.Sessions.Manager.EndOthers(context.WithoutCancel(r.Context()), x.Caller.Session)
	if err != nil {
		return err
	}
	if err := a.Sessions.Deliver(w, r, x); err != nil {
		return err
	}
	return problem.WriteJSON(w, http.StatusOK, endedAnswer{Ended: n})
}
