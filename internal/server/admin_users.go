package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/cognito"
	"github.com/gatehouse-auth/gatehouse/internal/handlers"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// adminSession is one session as an operator sees it; times are Unix seconds.
type adminSession struct {
	ID         string `json:"id"`
	Username   string `json:"username"`
	CreatedAt  int64  `json:"createdAt"`
	LastSeenAt int64  `json:"lastSeenAt"`
	ExpiresAt  int64  `json:"expiresAt"`
	UserAgent  string `json:"userAgent"`
	IP         string `json:"ip"`
}

// listUser is GET /admin/users/{sub}/sessions: a page of them, newest first; a user
// who is not known has none.
func (a *adminAPI) listUser(w http.ResponseWriter, r *http.Request, _ *telemetry.Event) error {
	subject, err := pathValue(r, "sub")
	if err != nil {
		return err
	}
	after, err := handlers.ReadAfter(r)
	if err != nil {
		return err
	}
	list, err := a.sessions.List(r.Context(), subject, after)
	if errors.Is(err, session.ErrNotFound) {
		return handlers.ErrAfter
	}
	if err != nil {
		return err
	}
	answer := make([]adminSession, len(list.Sessions))
	for i, l := range list.Sessions {
		answer[i] = adminSession{
			ID: l.ID, Username: l.Username, UserAgent: l.UserAgent, IP: l.Address,
			CreatedAt: l.CreatedAt.Unix(), LastSeenAt: l.LastSeen.Unix(), ExpiresAt: l.ExpiresAt.Unix(),
		}
	}
	handlers.LinkNext(w, r, list.Next)
	return adminJSON(w, answer)
}

// userEnd is what an end of all of a user's sessions came to.
type userEnd struct {
	Ended int `json:"ended"`
	// GlobalSignOut is what became of the user's tokens at the user pool: done;
	// no_credentials, where AWS gives this process none; unknown_user; failed.
	GlobalSignOut string `json:"globalSignOut"`
}

// endUser is DELETE /admin/users/{sub}/sessions: it ends them all and says how
// many, and signs the user out at Cognito where AWS credentials allow that.
func (a *adminAPI) endUser(w http.ResponseWriter, r *http.Request, ev *telemetry.Event) error {
	subject, err := pathValue(r, "sub")
	if err != nil {
		return err
	}
	ctx := context.WithoutCancel(r.Context())
	name := a.nameAtPool(ctx, subject)
	n, err := a.sessions.EndAll(ctx, subject, session.ReasonAdmin)
	out := a.signOutAtPool(ctx, name, ev)
	a.log.Info("sessions ended by the admin API", "requestId", ev.RequestID, "client", ev.Client,
		"subject", subject, "ended", n, "complete", err == nil, "globalSignOut", out)
	if err != nil && (!errors.Is(err, session.ErrNoRegistry) || out != "done") {
		return err
	}
	return adminJSON(w, userEnd{Ended: n, GlobalSignOut: out})
}

// nameAtPool is what Cognito calls the user. A subject will do but for users who
// came from another provider; theirs is known from a session.
func (a *adminAPI) nameAtPool(ctx context.Context, subject string) string {
	list, err := a.sessions.List(ctx, subject, session.Position{})
	if err == nil && len(list.Sessions) > 0 && list.Sessions[0].Username != "" {
		return list.Sessions[0].Username
	}
	return subject
}

// signOutAtPool says what became of it. That it failed fails nothing else: the
// sessions here are over.
func (a *adminAPI) signOutAtPool(ctx context.Context, name string, ev *telemetry.Event) string {
	err := a.signOut(ctx, name)
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, cognito.ErrNoCredentials):
		return "no_credentials"
	case errors.Is(err, cognito.ErrUnknownUser):
		return "unknown_user"
	}
	a.log.Warn("user not signed out at the user pool", "requestId", ev.RequestID, "error", err)
	return "failed"
}

// endSession is DELETE /admin/sessions/{id}: 204, whether or not there was one,
// for an id says nothing about whether it ever was.
func (a *adminAPI) endSession(w http.ResponseWriter, r *http.Request, ev *telemetry.Event) error {
	id, err := pathValue(r, "id")
	if err != nil {
		return err
	}
	if !session.IsID(id) {
		return &problem.Error{Status: http.StatusBadRequest, Code: "invalid_id",
			Public: "That is no session id: lists and logs show them, 43 characters long."}
	}
	if err := a.sessions.EndAnyID(context.WithoutCancel(r.Context()), id); err != nil {
		return err
	}
	a.log.Info("session ended by the admin API", "requestId", ev.RequestID, "client", ev.Client, "session", id)
	problem.OwnHeaders(w.Header())
	w.WriteHeader(http.StatusNoContent)
	return nil
}
