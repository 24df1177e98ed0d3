package sessionstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Count is how many sessions a store held, and when it was counted.
type Count struct {
	Sessions int
	At       time.Time
}

// Redis keeps no number of its keys of one kind, so somebody must walk over
// them all. One instance of the fleet does, in small steps, and leaves the result
// for the others. A walk under way sees some keys that come and go, and not
// others: it is an estimate.
const (
	// countKey holds the result, "sessions milliseconds", and countLease is the id
	// under whose lease it is made. A store so small that one step tells it all
	// has neither.
	countKey   = "gatehouse:count"
	countLease = "count"

	countEvery = time.Minute // from one count to the next
	countTerm  = time.Minute // of the lease: after a failure nobody counts sooner

	// A step well under a millisecond each 10 ms: Redis serves the others between.
	countStep  = 200
	countPause = 10 * time.Millisecond
)

// errCountedElsewhere: another instance has the lease.
var errCountedElsewhere = errors.New("another instance counts")

// Count returns the latest count that [Redis.KeepCount] knows of, its own or
// another instance's, and has it look for a newer one. False where there is none.
func (r *Redis) Count() (Count, bool) {
	select {
	case r.countAsked <- struct{}{}:
	default:
	}
	if c := r.counted.Load(); c != nil {
		return *c, true
	}
	return Count{}, false
}

// KeepCount counts sessions, or finds out what another instance counted, at its
// start and then whenever somebody asks for the count, once a minute at most,
// until ctx ends. Where nobody looks Redis is left alone.
//
// Where Redis does not answer, or the user may not SCAN, there is no count, which
// is logged once.
func (r *Redis) KeepCount(ctx context.Context) {
	for {
		r.recount(ctx)
		if wait(ctx, countEvery*3/4+mathrand.N(countEvery/4)) != nil { //nolint:gosec // spreads load, guards nothing
			return
		}
		select {
		case <-r.countAsked:
		case <-ctx.Done():
			return
		}
	}
}

// recount takes over the result that is there, or makes the next one.
func (r *Redis) recount(ctx context.Context) {
	known, err := r.storedCount(ctx)
	if err == nil && (known == nil || time.Since(known.At) >= countEvery) {
		var own *Count
		if own, err = r.countSessions(ctx); err == nil {
			known = own
		}
		if errors.Is(err, errCountedElsewhere) {
			err = nil // what is known holds until they are done
		}
	}
	if err != nil {
		known = nil
	}
	if err != nil && !r.uncounted && ctx.Err() == nil {
		r.log.Warn("sessions are not counted", "error", err)
	}
	r.uncounted = err != nil
	r.counted.Store(known)
}

// storedCount returns the result that some instance left, nil if there is none.
func (r *Redis) storedCount(ctx context.Context) (*Count, error) {
	var text string
	err := r.call(ctx, "count", func(ctx context.Context) (err error) {
		if text, err = r.client.Get(ctx, countKey).Result(); errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	n, at, _ := strings.Cut(text, " ")
	sessions, err := strconv.Atoi(n)
	ms, atErr := strconv.ParseInt(at, 10, 64)
	if err != nil || atErr != nil {
		return nil, nil // none, or none of ours: as good as none
	}
	return &Count{Sessions: sessions, At: time.UnixMilli(ms)}, nil
}

// countSessions walks over the keys of every primary, one after the other.
func (r *Redis) countSessions(ctx context.Context) (*Count, error) {
	began := time.Now()
	turn := &countTurn{r: r, owner: rand.Text()}
	var nodes []redis.Cmdable
	err := r.call(ctx, "count", func(ctx context.Context) (err error) {
		nodes, err = r.primaries(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	c := &Count{}
	for _, node := range nodes {
		n, err := r.countOn(ctx, node, turn)
		if err != nil {
			return nil, err
		}
		c.Sessions += n
	}
	c.At = time.Now()
	if turn.renewed.IsZero() {
		return c, nil // so few that every instance can look for itself
	}
	return c, r.call(ctx, "count", func(ctx context.Context) error {
		return r.client.Set(ctx, countKey, fmt.Sprintf("%d %d", c.Sessions, c.At.UnixMilli()),
			3*countEvery+2*c.At.Sub(began)).Err()
	})
}

// countOn counts the records on one node.
func (r *Redis) countOn(ctx context.Context, node redis.Cmdable, turn *countTurn) (n int, err error) {
	for cursor := uint64(0); ; {
		var keys []string
		err = r.call(ctx, "count", func(ctx context.Context) (err error) {
			keys, cursor, err = node.Scan(ctx, cursor, recordKeys, countStep).Result()
			return err
		})
		if n += len(keys); err != nil || cursor == 0 {
			return n, err
		}
		if err = turn.hold(ctx); err == nil {
			err = wait(ctx, countPause)
		}
		if err != nil {
			return n, err
		}
	}
}

// primaries returns every node that holds records of its own.
func (r *Redis) primaries(ctx context.Context) (nodes []redis.Cmdable, err error) {
	cluster, ok := r.client.(*redis.ClusterClient)
	if !ok {
		return []redis.Cmdable{r.client}, nil
	}
	var mu sync.Mutex
	err = cluster.ForEachMaster(ctx, func(_ context.Context, node *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		nodes = append(nodes, node)
		return nil
	})
	return nodes, err
}

// countTurn is an instance's turn to count. It is not given back but runs out, so
// that it spaces the counts as well.
type countTurn struct {
	r       *Redis
	owner   string
	renewed time.Time // zero: not asked for yet
}

// hold takes the turn or keeps it. Error: errCountedElsewhere, or that of the store.
func (t *countTurn) hold(ctx context.Context) error {
	if time.Since(t.renewed) < countTerm/3 {
		return nil
	}
	got, err := t.r.Acquire(ctx, countLease, t.owner, countTerm)
	switch {
	case err != nil:
		return err
	case !got:
		return errCountedElsewhere
	}
	t.renewed = time.Now()
	return nil
}

// wait waits for d, or until ctx ends and returns its error.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
