package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Delete implements [session.Store].
func (r *Redis) Delete(ctx context.Context, h session.Handle, why session.Reason) (*session.Session, error) {
	id, ok := session.IDOf(h)
	if !ok {
		return nil, nil
	}
	record, err := r.take(ctx, session.Change{ID: id, Reason: why})
	if err != nil && !errors.Is(err, session.ErrUnconfirmed) {
		return nil, err
	}
	s, broken := r.codec.Open(h, record)
	if broken != nil {
		return nil, err // there was none, or none that this handle opens
	}
	return s, err
}

// DeleteID implements [session.Store].
func (r *Redis) DeleteID(ctx context.Context, id string, why session.Reason) error {
	if !session.IsID(id) {
		return nil
	}
	_, err := r.take(ctx, session.Change{ID: id, Reason: why})
	return err
}

// take deletes a record, then its index entry, and returns the record; nil if
// there was none. The record is what counts: an entry that stays means nothing.
func (r *Redis) take(ctx context.Context, c session.Change) ([]byte, error) {
	var record []byte
	err := r.call(ctx, "delete", func(ctx context.Context) error {
		deleted, confirmed := r.runDelete(ctx, c)
		text, err := deleted.Text()
		if errors.Is(err, redis.Nil) {
			return confirmed
		}
		if err != nil {
			return err
		}
		record = []byte(text)
		if l, err := r.codec.OpenListing(c.ID, record); err == nil {
			_ = r.removeFromIndex(ctx, l.Subject, entry(l.Position(), l.ExpiresAt))
		}
		return confirmed
	})
	return record, err
}

// waitTimeout is how long an end waits for replicas: no more than a user waits
// for the answer to a sign-out, and well under the time of one try.
const waitTimeout = 500 * time.Millisecond

// waitPause is how long after a wait in vain nobody waits: where a replica is
// away, all connections would soon be held by ends that wait for it.
const waitPause = time.Second

// runDelete runs the deletion, and says with session.ErrUnconfirmed that too few
// replicas have it. Replication is asynchronous: a replica that takes over before
// the deletion reached it serves the session again, unless the deletion was
// waited for. Repeated, it waits for what the one before wrote: WAIT is about all
// that was written before.
func (r *Redis) runDelete(ctx context.Context, c session.Change) (deleted *redis.Cmd, confirmed error) {
	keys, args := []string{recordKey(c.ID)}, []any{changeChannel, encodeChange(c)}
	if r.replicas == 0 {
		return deleteScript.Run(ctx, r.client, keys, args...), nil
	}
	if time.Now().UnixNano() < r.waitAgain.Load() {
		return deleteScript.Run(ctx, r.client, keys, args...), session.ErrUnconfirmed
	}
	deleted, replicated := r.deleteAndWait(ctx, func(p redis.Pipeliner) *redis.Cmd {
		return deleteScript.EvalSha(ctx, p, keys, args...)
	})
	if redis.HasErrorPrefix(deleted.Err(), "NOSCRIPT") {
		deleted, replicated = r.deleteAndWait(ctx, func(p redis.Pipeliner) *redis.Cmd {
			return deleteScript.Eval(ctx, p, keys, args...)
		})
	}
	if confirmed = r.confirmed(replicated); confirmed != nil {
		r.waitAgain.Store(time.Now().Add(waitPause).UnixNano())
	}
	return deleted, confirmed
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

// confirmed is nil where enough replicas have what was written.
func (r *Redis) confirmed(replicated *redis.IntCmd) error {
	n, err := replicated.Result()
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", session.ErrUnconfirmed, err)
	case n < int64(r.replicas):
		return fmt.Errorf("%w: %d of %d", session.ErrUnconfirmed, n, r.replicas)
	}
	return nil
}
