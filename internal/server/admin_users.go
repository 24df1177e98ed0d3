package server

import (
	"context"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// adminEndTimeout bounds the end of all of a user's sessions.
const adminEndTimeout = 30 * time.Second

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

// listUser is GET /admin/users/{sub}/sessions: newest first; a user who is not
// known has none.
func (a *adminAPI) listUser(w http.ResponseWriter, r *http.Request, _ *telemetry.Event) error {
	subject, err := pathValue(r, "sub")
	if err != nil {
		return err
	}
	list, err := a.sessions.List(r.Context(), subject)
	if err != nil {
		return err
	}
	answer := make([]adminSession, len(list))
	for i, l := range list {
		answer[i] = adminSession{
			ID: l.ID, Username: l.Username, UserAgent: l.UserAgent, IP: l.Address,
			CreatedAt: l.CreatedAt.Unix(), LastSeenAt: l.LastSeen.Unix(), ExpiresAt: l.ExpiresAt.Unix(),
		}
	}
	return adminJSON(w, answer)
}

// endUser is DELETE /admin/users/{sub}/sessions: it ends them all and says how
// many. The user's sign-in at Cognito is not ended: that takes AWS credentials.
func (a *adminAPI) endUser(w http.ResponseWriter, r *http.Request, ev *telemetry.Event) error {
	subject, err := pathValue(r, "sub")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), adminEndTimeout)
	defer cancel()
	n, err := a.sessions.EndAll(ctx, subject, session.ReasonAdmin)
	a.log.Info("sessions ended by the admin API", "requestId", ev.RequestID, "client", ev.Client,
		"subject", subject, "ended", n, "complete", err == nil)
	if err != nil {
		return err
	}
	return adminJSON(w, map[string]int{"ended": n})
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
