package session

import (
	"context"
	"log/slog"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/backoff"
)

const (
	maxDeletions = 4096

	deleteFor      = 10 * time.Minute
	deletePause    = 250 * time.Millisecond // doubled after each try
	deletePauseMax = 10 * time.Second
)

// retries are deletions that the store did not take, or not on enough replicas.
// Each is tried again behind for deleteFor.
type retries struct {
	backlog *backlog
	log     *slog.Logger
}

func newRetries(o *Options, work *background) *retries {
	return &retries{newBacklog(work, maxDeletions, o.Observe.Delete), o.Logger}
}

// add tries a deletion until it succeeds.
func (r *retries) add(ctx context.Context, key string, try func(context.Context) error) {
	dropped := r.backlog.add(ctx, key, func(ctx context.Context) string { return r.run(ctx, try) })
	if dropped {
		r.log.Error("session not deleted: too many wait already")
	}
}

func (r *retries) run(ctx context.Context, try func(context.Context) error) (outcome string) {
	ctx, cancel := context.WithTimeout(ctx, deleteFor)
	defer cancel()
	var err error
	for tries := backoff.New(deletePause, deletePauseMax); tries.Wait(ctx); {
		if err = try(ctx); err == nil {
			return OutcomeDone
		}
	}
	r.log.Error("session not deleted, or not on enough replicas, in time", "error", err)
	return OutcomeFailed
}
