package sessionstore

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Redis knows how many keys it has and not how many of a kind. The kinds are
// counted in a sample of the keys: Redis walks over them in the order of their
// hashes, so that the first ones are as good as any.
const (
	// countSample is how many keys of each primary are looked at. Where there are
	// more, half of them records, 95 of 100 counts are within 3 % of the number.
	countSample = 5000
	// countStep is how many of them Redis looks at before it serves others: a
	// millisecond, on a busy machine.
	countStep = 1000
	// countKept is how long a count is told to all who ask.
	countKept = 10 * time.Second
)

// Count implements [session.Store]. It is exact up to some thousand keys, and an
// estimate above. One caller counts at a time. The others wait for what it finds, no
// longer than for any other answer.
func (r *Redis) Count(ctx context.Context) (session.Count, error) {
	count, kept := r.keptCount()
	if kept {
		return count, nil
	}
	err := r.call(ctx, "count", func(ctx context.Context) (err error) {
		select {
		case r.counting <- struct{}{}:
			defer func() { <-r.counting }()
		case <-ctx.Done():
			return ctx.Err()
		}
		if count, kept = r.keptCount(); !kept {
			count, err = r.countAll(ctx)
		}
		return err
	})
	if err != nil {
		if refused := redis.Error(nil); errors.As(err, &refused) {
			r.warnOfCount.Do(func() { r.log.Warn("sessions are not counted", "error", err) })
		}
		return session.Count{}, err
	}
	return count, nil
}

// keptCount returns the last count, and whether it is young enough to be told.
func (r *Redis) keptCount() (count session.Count, kept bool) {
	if c := r.counted.Load(); c != nil && time.Since(c.At) < countKept {
		return *c, true
	}
	return session.Count{}, false
}

// countAll counts the records on all primaries, and keeps the count.
func (r *Redis) countAll(ctx context.Context) (session.Count, error) {
	count := session.Count{At: time.Now()}
	nodes, err := r.primaries(ctx)
	if err != nil {
		return count, err
	}
	for _, node := range nodes {
		n, err := countOn(ctx, node)
		if err != nil {
			return count, err
		}
		count.Sessions += n
	}
	r.counted.Store(&count)
	return count, nil
}

// countOn counts the records on one server.
func countOn(ctx context.Context, node redis.Cmdable) (int, error) {
	all, err := node.DBSize(ctx).Result()
	if err != nil {
		return 0, err
	}
	for seen, records, cursor := 0, 0, uint64(0); ; {
		var keys []string
		if keys, cursor, err = node.Scan(ctx, cursor, "", countStep).Result(); err != nil {
			return 0, err
		}
		seen += len(keys)
		for _, key := range keys {
			if strings.HasPrefix(key, recordKeys) {
				records++
			}
		}
		switch {
		case cursor == 0: // these are all
			return records, nil
		case seen >= countSample:
			return int(math.Round(float64(all) * float64(records) / float64(seen))), nil
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
