package session

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/backoff"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

const (
	maxRevocations = 256 // refresh tokens being revoked at a time

	revokeTries    = 3
	revokePause    = time.Second // doubled after each try
	revokePauseMax = 2 * time.Second
)

// revoker ends refresh tokens that nobody will use any more at the provider.
type revoker struct {
	provider Provider
	timeout  time.Duration // of one call
	backlog  *backlog      // by refresh token
	log      *slog.Logger
}

func newRevoker(o *Options, work *background) *revoker {
	return &revoker{
		provider: o.Provider, timeout: o.RefreshTimeout,
		backlog: newBacklog(work, maxRevocations, o.Observe.Revoke), log: o.Logger,
	}
}

// revoke ends the refresh token of t, behind and as far as possible: a few tries, and no
// more tokens at a time than maxRevocations.
func (r *revoker) revoke(ctx context.Context, t oauth.Tokens) {
	if t.Refresh.Empty() {
		return
	}
	dropped := r.backlog.add(ctx, t.Refresh.Reveal(), func(ctx context.Context) string { return r.try(ctx, t) })
	if dropped {
		r.log.Warn("refresh token not revoked: too many wait already")
	}
}

func (r *revoker) try(ctx context.Context, t oauth.Tokens) (outcome string) {
	var err error
	tries := backoff.New(revokePause, revokePauseMax)
	for i := range revokeTries {
		if i > 0 && !tries.Wait(ctx) {
			break
		}
		if err = r.call(ctx, t); err == nil {
			return OutcomeDone
		}
		if !errors.Is(err, oauth.ErrUnavailable) {
			break
		}
	}
	r.log.Warn("refresh token not revoked", "error", err)
	return OutcomeFailed
}

func (r *revoker) call(ctx context.Context, t oauth.Tokens) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	return r.provider.Revoke(ctx, t)
}
