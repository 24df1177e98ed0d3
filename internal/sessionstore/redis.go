package sessionstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Redis keeps sealed records in Redis or anything that speaks its protocol and
// runs Lua. Commands used: GET, SET (with KEEPTTL, Redis 6), GETRANGE, SETRANGE,
// DEL, PEXPIRE, PTTL, ZADD, ZREM, ZRANGE, ZREVRANGEBYLEX, EVAL, EVALSHA,
// PUBLISH, SUBSCRIBE, PING, HELLO or AUTH, SELECT; WAIT where replicas are
// waited for. DBSIZE and SCAN count sessions, CONFIG GET or INFO tell what in its
// settings will lose some; each is left out where it is not allowed.
// Safe for concurrent use.
//
// Keys, each session's with a hash tag of its own:
//
//	gatehouse:s:{id}       the record; expires with the session
//	gatehouse:l:{id}       the lease of whoever refreshes it (redis_lease.go)
//	gatehouse:u:{subject}  index: the ids of a subject's sessions (redis_index.go)
//	gatehouse:r:{hash}     count of a rate limit; expires when it is given back (redis_rate.go)
//
// and channels: gatehouse:changes for all and, where the primary can change,
// gatehouse:beat:{random} for the signs of life of each instance (redis_watch.go).
//
// A record's time to live is the idle limit or what is left to the absolute one,
// whichever is less, so that Redis forgets what is over. What counts are the
// record's own times, which are sealed: a writer to Redis cannot reach them.
type Redis struct {
	client   redis.UniversalClient
	gatherer gatherer // of reads from client
	moves    bool     // who takes the writes can change: Sentinel, Cluster
	codec    *session.Codec
	audience string
	idle     time.Duration
	calls

	replicas  int          // to wait for
	waitAgain atomic.Int64 // Unix nanoseconds: until then nobody waits
	log       *slog.Logger

	settingsKnown atomic.Bool // and warned of

	warnOfType  sync.Once
	warnOfCount sync.Once
	counting    chan struct{}                 // holds one for whoever counts
	counted     atomic.Pointer[session.Count] // nil: nobody has
}

var _ session.Store = (*Redis)(nil)

const (
	// cacheAge bounds what a change that was not heard can do, while changes are.
	cacheAge = 10 * time.Second
	// lossyCacheAge is for stores in which a change can go untold while there are
	// signs of life: the age is the bound there. A cluster's sign of life is the word
	// of one node, and what the others publish comes to it over the cluster's bus,
	// whose loss does not show.
	lossyCacheAge = 900 * time.Millisecond
)

// Traits implements [session.Store].
func (r *Redis) Traits() session.Traits {
	if r.clustered() {
		return session.Traits{CacheAge: lossyCacheAge}
	}
	return session.Traits{CacheAge: cacheAge}
}

// Close implements [session.Store].
func (r *Redis) Close() error {
	if err := r.client.Close(); err != nil {
		return fmt.Errorf("close session store: %w", err)
	}
	return nil
}

// recordKeys is how the key of a record begins.
const recordKeys = "gatehouse:s:{"

func recordKey(id string) string { return recordKeys + id + "}" }

// Create implements [session.Store]. The index entry comes first: an entry
// without a record means nothing, a record without an entry would be one that
// no global sign-out finds.
func (r *Redis) Create(ctx context.Context, s *session.Session) (*session.Session, error) {
	now := time.Now()
	ttl := min(session.IdleLimit(r.idle)-now.Sub(s.LastSeen), s.ExpiresAt.Sub(now))
	if ttl < time.Millisecond {
		return nil, session.ErrNotFound
	}
	created := *s
	created.Handle = session.NewHandle()
	created.ID, _ = session.IDOf(created.Handle)
	record, err := r.codec.Seal(&created)
	if err != nil {
		return nil, err
	}
	err = r.call(ctx, "create", func(ctx context.Context) error {
		if err := r.addToIndex(ctx, &created, now); err != nil {
			return err
		}
		return r.client.Set(ctx, recordKey(created.ID), record, ttl).Err()
	})
	if err != nil {
		return nil, err
	}
	return &created, nil
}

// Load implements [session.Store].
func (r *Redis) Load(ctx context.Context, h session.Handle) (*session.Session, error) {
	id, ok := session.IDOf(h)
	if !ok {
		return nil, session.ErrNotFound
	}
	var s *session.Session
	err := r.call(ctx, "load", func(ctx context.Context) error {
		record, err := r.read(ctx, recordKey(id))
		if err != nil {
			return absent(err)
		}
		s, err = r.codec.Open(h, record)
		return err
	})
	if err != nil {
		return nil, err
	}
	if now := time.Now(); s.Over(now) || session.Idle(s.LastSeen, now, r.idle) {
		return nil, session.ErrNotFound
	}
	return s, nil
}

// read returns the value at a key. A cluster is asked for each by itself: a node that
// is away must not hold up those whose records are at another.
func (r *Redis) read(ctx context.Context, key string) ([]byte, error) {
	if r.clustered() {
		return r.client.Get(ctx, key).Bytes()
	}
	return r.gatherer.get(ctx, key)
}

// clustered reports whether keys lie at several servers.
func (r *Redis) clustered() bool {
	_, cluster := r.client.(*redis.ClusterClient)
	return cluster
}

// absent is where the driver's word for "no such key" becomes ours.
func absent(err error) error {
	if errors.Is(err, redis.Nil) {
		return session.ErrNotFound
	}
	return err
}

// Replace implements [session.Store].
func (r *Redis) Replace(ctx context.Context, s *session.Session) (*session.Session, error) {
	record, err := r.codec.Seal(s)
	if err != nil {
		return nil, err
	}
	id, _ := session.IDOf(s.Handle) // Seal has checked it
	seen, err := r.replace(ctx, session.Change{ID: id, Generation: s.Generation}, record)
	if err != nil {
		return nil, err
	}
	next := *s
	next.LastSeen = seen
	return &next, nil
}

// replace writes a record over one of the generation before, and returns the
// last use on record.
func (r *Redis) replace(ctx context.Context, c session.Change, record []byte) (seen time.Time, err error) {
	err = r.call(ctx, "replace", func(ctx context.Context) error {
		last, err := replaceScript.Run(ctx, r.client, []string{recordKey(c.ID)},
			binary.BigEndian.AppendUint64(nil, c.Generation-1), record, changeChannel, encodeChange(c)).Text()
		switch {
		case err != nil:
			return err
		case last == "":
			return session.ErrNotFound
		case last == "conflict":
			return session.ErrConflict
		}
		if seen, err = r.codec.OpenUse(c.ID, []byte(last)); err == nil && session.Idle(seen, time.Now(), r.idle) {
			err = session.ErrNotFound // Redis has yet to forget it, or was told not to
		}
		return err
	})
	return seen, err
}

// Touch implements [session.Store].
func (r *Redis) Touch(ctx context.Context, h session.Handle, seen time.Time) (session.Handle, error) {
	id, ok := session.IDOf(h)
	if !ok {
		return h, nil
	}
	return h, r.call(ctx, "touch", func(ctx context.Context) error {
		return touchScript.Run(ctx, r.client, []string{recordKey(id)},
			r.codec.SealUse(id, seen), (r.idle / 10).Milliseconds(), session.IdleLimit(r.idle).Milliseconds()).Err()
	})
}
