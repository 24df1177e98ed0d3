package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/cognito"
	"github.com/gatehouse-auth/gatehouse/internal/paging"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// listUser is GET /admin/users/{sub}/sessions: a page of them, newest first; a user
// who is not known has none.
func (a *api) listUser(w http.ResponseWriter, r *http.Request, _ *telemetry.Event) error {
	subject, err := pathValue(r, "sub")
	if err != nil {
		return err
	}
	after, err := paging.After(r)
	if err != nil {
		return err
	}
	list, err := a.Sessions.List(r.Context(), subject, after)
	if errors.Is(err, session.ErrNotFound) {
		return paging.ErrAfter
	}
	if err != nil {
		return err
	}
	answer := make([]Session, len(list.Sessions))
	for i, l := range list.Sessions {
		answer[i] = Session{
			ID: l.ID, Username: l.Username, UserAgent: l.UserAgent, IP: l.Address,
			CreatedAt: l.CreatedAt.Unix(), LastSeenAt: l.LastSeen.Unix(), ExpiresAt: l.ExpiresAt.Unix(),
		}
	}
	paging.LinkNext(w, r, list.Next)
	return problem.WriteJSON(w, http.StatusOK, answer)
}

// endUser is DELETE /admin/users/{sub}/sessions: it ends them all and says how
// many, and signs the user out at Cognito where AWS credentials allow that.
func (a *api) endUser(w http.ResponseWriter, r *http.Request, ev *telemetry.Event) error {
	subject, err := pathValue(r, "sub")
	if err != nil {
		return err
	}
	ctx := context.WithoutCancel(r.Context())
	name := a.nameAtPool(ctx, subject)
	n, err := a.Sessions.EndAll(ctx, subject, session.ReasonAdmin)
	out := a.signOutAtPool(ctx, name, ev)
	a.Logger.Info("sessions ended by the admin API", "requestId", ev.RequestID, "client", ev.Client,
		"subject", subject, "ended", n, "complete", err == nil, "globalSignOut", out)
	if err != nil && (!errors.Is(err, session.ErrNoRegistry) || out != SignOutDone) {
		return err
	}
	return problem.WriteJSON(w, http.StatusOK, UserEnd{Ended: n, GlobalSignOut: out})
}

// nameAtPool is what Cognito calls the user. A subject will do but for users who
// came from another provider; theirs is known from a session.
func (a *api) nameAtPool(ctx context.Context, subject string) string {
	list, err := a.Sessions.List(ctx, subject, session.Position{})
	if err == nil && len(list.Sessions) > 0 && list.Sessions[0].Username != "" {
		return list.Sessions[0].Username
	}
	return subject
}

// signOutAtPool says what became of it. That it failed fails nothing else: the
// sessions here are over.
func (a *api) signOutAtPool(ctx context.Context, name string, ev *telemetry.Event) SignOut {
	err := a.SignOut(ctx, name)
	switch {
	case err == nil:
		return SignOutDone
	case errors.Is(err, cognito.ErrNoCredentials):
		return SignOutNoCredentials
	case errors.Is(err, cognito.ErrUnknownUser):
		return SignOutUnknownUser
	}
	a.Logger.Warn("user not signed out at the user pool", "requestId", ev.RequestID, "error", err)
	return SignOutFailed
}

// endSession is DELETE /admin/sessions/{id}: 204, whether or not there was one,
// for an id says nothing about whether it ever was.
func (a *api) endSession(w http.ResponseWriter, r *http.Request, ev *telemetry.Event) error {
	id, err := pathValue(r, "id")
	if err != nil {
		return err
	}
	if !session.IsID(id) {
		return &problem.Error{Status: http.StatusBadRequest, Code: "invalid_id",
			Public: "That is no session id: lists and logs show them, 43 characters long."}
	}
	if err := a.Sessions.EndAnyID(context.WithoutCancel(r.Context()), id); err != nil {
		return err
	}
	a.Logger.Info("session ended by the admin API", "requestId", ev.RequestID, "client", ev.Client, "session", id)
	return problem.WriteNothing(w)
}
