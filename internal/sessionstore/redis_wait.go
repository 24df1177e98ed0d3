package sessionstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// waitTimeout is how long an end waits for replicas: no more than a user waits
// for the answer to a sign-out, and well under the time of one try.
const waitTimeout = 500 * time.Millisecond

// runDelete runs the deletion. Replication is asynchronous: a replica that takes
// over before the deletion reached it serves the session again, unless the
// deletion was waited for.
func (r *Redis) runDelete(ctx context.Context, c session.Change) *redis.Cmd {
	keys, args := []string{recordKey(c.ID)}, []any{changeChannel, encodeChange(c)}
	if r.replicas == 0 {
		return deleteScript.Run(ctx, r.client, keys, args...)
	}
	deleted, replicated := r.deleteAndWait(ctx, func(p redis.Pipeliner) *redis.Cmd {
		return deleteScript.EvalSha(ctx, p, keys, args...)
	})
	if redis.HasErrorPrefix(deleted.Err(), "NOSCRIPT") {
		deleted, replicated = r.deleteAndWait(ctx, func(p redis.Pipeliner) *redis.Cmd {
			return deleteScript.Eval(ctx, p, keys, args...)
		})
	}
	if err := deleted.Err(); err == nil || errors.Is(err, redis.Nil) {
		r.tellReplicated(c.ID, replicated)
	}
	return deleted
}

// deleteAndWait sends both commands as one pipeline: WAIT is about the writes of
// its own connection, and a try that is repeated must repeat both.
func (r *Redis) deleteAndWait(ctx context.Context, script func(redis.Pipeliner) *redis.Cmd) (*redis.Cmd, *redis.IntCmd) {
	p := r.client.Pipeline()
	deleted := script(p)
	replicated := redis.NewIntCmd(ctx, "wait", r.replicas, waitTimeout.Milliseconds())
	_ = p.Process(ctx, replicated) // only queues it
	_, _ = p.Exec(ctx)             // each command has its own error
	return deleted, replicated
}

// tellReplicated warns of an end that a failover may undo. It stands all the
// same: where it is written, the session is gone.
func (r *Redis) tellReplicated(id string, replicated *redis.IntCmd) {
	n, err := replicated.Result()
	switch {
	case err != nil:
		r.log.Warn("not known whether replicas have the end of a session", "session", id, "error", err)
	case n < int64(r.replicas):
		r.log.Warn("too few replicas have the end of a session", "session", id, "replicas", n, "wanted", r.replicas)
	}
}
