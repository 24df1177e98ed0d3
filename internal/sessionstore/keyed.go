package sessionstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Entries are values under keys, outside this process. The contract is that of
// gatehouse.Store, which is the same interface for those who write one.
type Entries interface {
	Get(ctx context.Context, key string) ([]byte, error)
	Swap(ctx context.Context, key string, old, new []byte, expires time.Time) (bool, error)
	Keys(ctx context.Context, prefix, after string, limit int) ([]string, error)
	Close() error
}

// ErrNoEntry is what [Entries] say where a key has no value: a fact, unlike any
// other error.
var ErrNoEntry = errors.New("no value under this key")

// KeyedOptions of a [Keyed] store.
type KeyedOptions struct {
	// Entries are where it keeps what it keeps. Required.
	Entries Entries
	// Ring, Audience and IdleTimeout as [RedisOptions] have them. Required.
	Ring        *secret.Ring
	Audience    session.Audience
	IdleTimeout time.Duration
	// Timeout bounds a call, its tries included. Default 1.8 s.
	Timeout time.Duration
	// Logger is told of changes that other instances were not told of. nil: silent.
	Logger *slog.Logger
	// Observe as [RedisOptions] have it.
	Observe func(ctx context.Context, op string, took time.Duration, err error)
}

// Keyed keeps sealed records in any [Entries]. All that a store promises follows
// from their one write, a compare-and-swap, and from keys that come in order:
//
//	s/{hash of id}                     the record
//	l/{hash of id}                     the lease of whoever refreshes it (keyed_lease.go)
//	u/{hash of subject}/{place}        the index of a subject's sessions (keyed_index.go)
//	c/{time}{change}/{instance}        what happened to sessions lately (keyed_watch.go)
//	p/{random}                         a probe, for a moment (Ping)
//
// Keys are of lower-case letters, digits and slashes, so that they sort the same
// under every collation, and are at most 160 bytes. When an entry is over is judged
// here: that the store forgets it some time after only saves room. Safe for
// concurrent use.
type Keyed struct {
	hub
	calls
	entries  Entries
	codec    *session.Codec
	audience string
	idle     time.Duration
	log      *slog.Logger

	instance string       // tells its changes from those of other instances
	told     atomic.Int64 // the time of its latest change, in Unix microseconds
}

var _ session.Store = (*Keyed)(nil)

// NewKeyed returns a store. It asks the entries for nothing.
func NewKeyed(o KeyedOptions) (*Keyed, error) {
	if o.Entries == nil || o.Ring == nil || o.Audience.IsZero() || o.IdleTimeout <= 0 {
		return nil, errors.New("keyed session store: entries, key ring, audience and idle timeout are required")
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Keyed{
		calls:   calls{where: "the store", timeout: o.Timeout, observe: o.Observe},
		entries: o.Entries, codec: session.NewCodec(o.Ring, o.Audience), audience: o.Audience.String(),
		idle: o.IdleTimeout, log: o.Logger, instance: randomHex(8),
	}, nil
}

// Traits implements [session.Store].
func (k *Keyed) Traits() session.Traits { return session.Traits{CacheAge: lossyCacheAge} }

// Close implements [session.Store].
func (k *Keyed) Close() error {
	if err := k.entries.Close(); err != nil {
		return fmt.Errorf("close session store: %w", err)
	}
	return nil
}

// mark is the value of an entry whose key says it all.
var mark = []byte{1}

// lookup returns the value at a key, nil where the store says that there is none.
func (k *Keyed) lookup(ctx context.Context, key string) ([]byte, error) {
	value, err := k.entries.Get(ctx, key)
	switch {
	case errors.Is(err, ErrNoEntry):
		return nil, nil
	case err == nil && len(value) == 0:
		return nil, errors.New("neither a value nor an error: where a key has no value, the store must say gatehouse.ErrNotFound")
	}
	return value, err
}

// forgetAfter is how long after its end an entry is left to the store, whose clock may
// be ahead.
const forgetAfter = time.Minute

// swap is the store's Swap.
func (k *Keyed) swap(ctx context.Context, key string, old, value []byte, end time.Time) (bool, error) {
	if value == nil {
		return k.entries.Swap(ctx, key, old, nil, time.Time{})
	}
	return k.entries.Swap(ctx, key, old, value, end.Add(forgetAfter))
}

// insert puts a value under a key that is new. One that is there already is this
// very value: whoever carries out the command may send it again.
func (k *Keyed) insert(ctx context.Context, key string, value []byte, end time.Time) error {
	_, err := k.swap(ctx, key, nil, value, end)
	return err
}

// errAsItIs lets [Keyed.update] end with the entry as it is.
var errAsItIs = errors.New("left as it is")

// update puts what next makes of the value at a key in its place, both nil where
// there is none, and nothing that others write is lost: where one of them was
// faster, next is asked again.
func (k *Keyed) update(ctx context.Context, key string, next func(old []byte) (value []byte, end time.Time, err error)) error {
	for ctx.Err() == nil {
		old, err := k.lookup(ctx, key)
		if err != nil {
			return err
		}
		value, end, err := next(old)
		if errors.Is(err, errAsItIs) {
			return nil
		}
		if err != nil {
			return err
		}
		if done, err := k.swap(ctx, key, old, value, end); done || err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Create implements [session.Store]. As in Redis, the index entry comes first.
func (k *Keyed) Create(ctx context.Context, s *session.Session) (*session.Session, error) {
	end := k.end(s.LastSeen, s.ExpiresAt)
	if !time.Now().Before(end) {
		return nil, session.ErrNotFound
	}
	created := *s
	created.Handle = session.NewHandle()
	created.ID, _ = session.IDOf(created.Handle)
	record, err := k.codec.Seal(&created)
	if err != nil {
		return nil, err
	}
	err = k.call(ctx, "create", func(ctx context.Context) error {
		if err := k.insert(ctx, k.indexKey(s.Subject, created.Listing().Position()), mark, s.ExpiresAt); err != nil {
			return err
		}
		return k.insert(ctx, k.recordKey(created.ID), record, end)
	})
	if err != nil {
		return nil, err
	}
	return &created, nil
}

// end is when a session is over that is not used any more.
func (k *Keyed) end(lastSeen, expiresAt time.Time) time.Time {
	if idle := lastSeen.Add(session.IdleLimit(k.idle)); idle.Before(expiresAt) {
		return idle
	}
	return expiresAt
}

// over reports whether a limit of a session has passed.
func (k *Keyed) over(lastSeen, expiresAt time.Time) bool {
	now := time.Now()
	return !now.Before(expiresAt) || session.Idle(lastSeen, now, k.idle)
}

// Load implements [session.Store].
func (k *Keyed) Load(ctx context.Context, h session.Handle) (*session.Session, error) {
	id, ok := session.IDOf(h)
	if !ok {
		return nil, session.ErrNotFound
	}
	var s *session.Session
	err := k.call(ctx, "load", func(ctx context.Context) error {
		record, err := k.lookup(ctx, k.recordKey(id))
		if err != nil {
			return err
		}
		s, err = k.codec.Open(h, record) // of no record, too
		return err
	})
	if err != nil {
		return nil, err
	}
	if k.over(s.LastSeen, s.ExpiresAt) {
		return nil, session.ErrNotFound
	}
	return s, nil
}

// Replace implements [session.Store].
func (k *Keyed) Replace(ctx context.Context, s *session.Session) (*session.Session, error) {
	sealed, err := k.codec.Seal(s)
	if err != nil {
		return nil, err
	}
	next := *s
	next.ID, _ = session.IDOf(s.Handle) // Seal has checked it
	err = k.call(ctx, "replace", func(ctx context.Context) error {
		return k.update(ctx, k.recordKey(next.ID), func(old []byte) ([]byte, time.Time, error) {
			seen, err := k.lastSeen(next.ID, old)
			if err != nil {
				return nil, time.Time{}, err
			}
			next.LastSeen = seen
			if bytes.Equal(behindUse(old), behindUse(sealed)) {
				return nil, time.Time{}, errAsItIs // ours already: a seal is never made twice
			}
			if recordGeneration(old) != s.Generation-1 {
				return nil, time.Time{}, session.ErrConflict
			}
			return withUse(sealed, useOf(old)), k.end(seen, s.ExpiresAt), nil
		})
	})
	if err != nil {
		return nil, err
	}
	k.tell(ctx, session.Change{ID: next.ID, Generation: next.Generation})
	return &next, nil
}

// Touch implements [session.Store].
func (k *Keyed) Touch(ctx context.Context, h session.Handle, seen time.Time) (session.Handle, error) {
	id, ok := session.IDOf(h)
	if !ok {
		return h, nil
	}
	return h, k.call(ctx, "touch", func(ctx context.Context) error {
		return k.update(ctx, k.recordKey(id), func(old []byte) ([]byte, time.Time, error) {
			last, err := k.lastSeen(id, old)
			if err != nil || seen.Sub(last) < k.idle/10 {
				return nil, time.Time{}, errAsItIs
			}
			return withUse(old, k.codec.SealUse(id, seen)), k.end(seen, recordExpiry(old)), nil
		})
	})
}

// lastSeen is the last use that a record has, or [session.ErrNotFound] where there
// is no record, or one that is over.
func (k *Keyed) lastSeen(id string, record []byte) (time.Time, error) {
	if len(record) < session.RecordHeader || record[0] != session.RecordFormat {
		return time.Time{}, session.ErrNotFound
	}
	seen, err := k.codec.OpenUse(id, useOf(record))
	if err == nil && k.over(seen, recordExpiry(record)) {
		err = session.ErrNotFound
	}
	return seen, err
}

// What stands in the clear part of a record, which has been checked to have one.

func recordGeneration(record []byte) uint64 {
	return binary.BigEndian.Uint64(record[session.RecordGeneration:])
}

func recordExpiry(record []byte) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(record[session.RecordExpiresAt:])))
}

func useOf(record []byte) []byte {
	return record[session.RecordLastSeen : session.RecordLastSeen+session.RecordUse]
}

func behindUse(record []byte) []byte { return record[session.RecordLastSeen+session.RecordUse:] }

// withUse returns a copy of a record that has another last use.
func withUse(record, use []byte) []byte {
	next := bytes.Clone(record)
	copy(next[session.RecordLastSeen:], use)
	return next
}

// Delete implements [session.Store].
func (k *Keyed) Delete(ctx context.Context, h session.Handle, why session.Reason) (*session.Session, error) {
	id, ok := session.IDOf(h)
	if !ok {
		return nil, nil
	}
	record, err := k.take(ctx, session.Change{ID: id, Reason: why})
	if err != nil {
		return nil, err
	}
	s, err := k.codec.Open(h, record)
	if err != nil {
		return nil, nil // there was none, or none that this handle opens
	}
	return s, nil
}

// DeleteID implements [session.Store].
func (k *Keyed) DeleteID(ctx context.Context, id string, why session.Reason) error {
	if !session.IsID(id) {
		return nil
	}
	_, err := k.take(ctx, session.Change{ID: id, Reason: why})
	return err
}

// take deletes a record, then its index entry, and returns the record; nil if there
// was none. Of two that delete it at once both may have it.
func (k *Keyed) take(ctx context.Context, c session.Change) (record []byte, err error) {
	err = k.call(ctx, "delete", func(ctx context.Context) error {
		return k.update(ctx, k.recordKey(c.ID), func(old []byte) ([]byte, time.Time, error) {
			if old == nil {
				return nil, time.Time{}, errAsItIs
			}
			record = old
			return nil, time.Time{}, nil
		})
	})
	if err != nil || record == nil {
		return nil, err
	}
	k.tell(ctx, c)
	if l, err := k.codec.OpenListing(c.ID, record); err == nil {
		k.forget(ctx, k.indexKey(l.Subject, l.Position()))
	}
	return record, nil
}

// forget removes a mark, whoever made it. One that stays means nothing.
func (k *Keyed) forget(ctx context.Context, key string) {
	_ = k.call(context.WithoutCancel(ctx), "forget", func(ctx context.Context) error {
		_, err := k.swap(ctx, key, mark, nil, time.Time{})
		return err
	})
}

// Ping implements [session.Store]: it writes, reads and removes an entry.
func (k *Keyed) Ping(ctx context.Context) error {
	return k.call(ctx, "ping", func(ctx context.Context) error {
		key := "p/" + randomHex(8)
		if err := k.insert(ctx, key, mark, time.Now()); err != nil {
			return err
		}
		value, err := k.lookup(ctx, key)
		if err == nil && !bytes.Equal(value, mark) {
			err = errors.New("it does not have what was written a moment ago")
		}
		_, removal := k.swap(ctx, key, mark, nil, time.Time{})
		return errors.Join(err, removal)
	})
}
