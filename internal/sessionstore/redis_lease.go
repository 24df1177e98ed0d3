package sessionstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// A lease lies under its session's hash tag and holds its owner. It expires by
// itself: a process that dies in mid-refresh holds nobody up for longer than
// the term.

func leaseKey(id string) string { return "gatehouse:l:{" + id + "}" }

// Acquire implements [session.Leases].
func (r *Redis) Acquire(ctx context.Context, id, owner string, term time.Duration) (bool, error) {
	return r.lease(ctx, "acquire", acquireScript, id, owner, term.Milliseconds())
}

// Renew implements [session.Leases].
func (r *Redis) Renew(ctx context.Context, id, owner string, term time.Duration) (bool, error) {
	return r.lease(ctx, "renew", renewScript, id, owner, term.Milliseconds())
}

// Release implements [session.Leases].
func (r *Redis) Release(ctx context.Context, id, owner string) error {
	_, err := r.lease(ctx, "release", releaseScript, id, owner)
	return err
}

func (r *Redis) lease(ctx context.Context, op string, script *redis.Script, id string, args ...any) (ok bool, err error) {
	err = r.call(ctx, op, func(ctx context.Context) error {
		n, err := script.Run(ctx, r.client, []string{leaseKey(id)}, args...).Int()
		ok = n == 1
		return err
	})
	return ok && err == nil, err
}
