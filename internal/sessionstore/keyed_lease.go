package sessionstore

import (
	"context"
	"encoding/binary"
	"time"
)

// A lease is the time of its end, 8 bytes of Unix milliseconds, and its owner. Its
// end is judged by the clocks of the instances: where they differ, an owner that
// died holds the others up longer, or one that lives works beside another.

func (k *Keyed) leaseKey(id string) string { return "l/" + digest(id) }

func leaseOf(owner string, until time.Time) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(until.UnixMilli())), owner...)
}

// holder is who has a lease now; "" if nobody.
func holder(lease []byte) string {
	if len(lease) < 8 || time.Now().UnixMilli() >= int64(binary.BigEndian.Uint64(lease)) {
		return ""
	}
	return string(lease[8:])
}

// Acquire implements [session.Leases].
func (k *Keyed) Acquire(ctx context.Context, id, owner string, term time.Duration) (bool, error) {
	return k.lease(ctx, "acquire", id, owner, term, func(holder string) bool { return holder == "" || holder == owner })
}

// Renew implements [session.Leases].
func (k *Keyed) Renew(ctx context.Context, id, owner string, term time.Duration) (bool, error) {
	return k.lease(ctx, "renew", id, owner, term, func(holder string) bool { return holder == owner })
}

// Release implements [session.Leases].
func (k *Keyed) Release(ctx context.Context, id, owner string) error {
	_, err := k.lease(ctx, "release", id, owner, 0, func(holder string) bool { return holder == owner })
	return err
}

// lease gives a lease to owner for term, or takes it back for a term of 0, if it may
// from the one who holds it.
func (k *Keyed) lease(ctx context.Context, op, id, owner string, term time.Duration, may func(holder string) bool) (ok bool, err error) {
	err = k.call(ctx, op, func(ctx context.Context) error {
		return k.update(ctx, k.leaseKey(id), func(old []byte) ([]byte, time.Time, error) {
			if ok = may(holder(old)); !ok {
				return nil, time.Time{}, errAsItIs
			}
			if term == 0 {
				return nil, time.Time{}, nil
			}
			until := time.Now().Add(term)
			return leaseOf(owner, until), until, nil
		})
	})
	return ok && err == nil, err
}
