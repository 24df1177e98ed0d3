package sessionstore

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// mostExchanges is how many reads are under way with a server at a time, each with
	// a connection of its own.
	mostExchanges = 4
	// mostTogether bounds what goes in one exchange: an answer of half a megabyte.
	mostTogether = 64
)

// gatherer reads values. Whoever finds few reads under way asks at once; those who
// come while [mostExchanges] are wait for one of them to end, and then ask together,
// in one exchange. With 32 readers a read costs two fifths of the processor time then,
// Redis's included (docs/decisions/0030-memory.md).
type gatherer struct {
	client  redis.UniversalClient
	timeout time.Duration // of what is asked together

	mu      sync.Mutex
	running int // exchanges; no one waits while there are less than mostExchanges
	waiting []*reading
}

// reading is a read that waits for others.
type reading struct {
	ctx  context.Context // of whoever waits
	key  string
	done chan struct{}
	// Valid once done is closed.
	value []byte
	err   error
}

// get returns the value at a key; errors are the driver's, or the context's.
func (g *gatherer) get(ctx context.Context, key string) ([]byte, error) {
	r := g.join(ctx, key)
	if r == nil {
		defer g.next()
		return g.client.Get(ctx, key).Bytes()
	}
	select {
	case <-r.done:
		return r.value, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// join returns a read that waits, or nil for one that has an exchange of its own.
func (g *gatherer) join(ctx context.Context, key string) *reading {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running < mostExchanges {
		g.running++
		return nil
	}
	r := &reading{ctx: ctx, key: key, done: make(chan struct{})}
	g.waiting = append(g.waiting, r)
	return r
}

// next ends an exchange, and begins the one of those who still wait.
func (g *gatherer) next() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = slices.DeleteFunc(g.waiting, func(r *reading) bool { return r.ctx.Err() != nil })
	n := min(len(g.waiting), mostTogether)
	if n == 0 {
		g.running--
		return
	}
	go g.exchange(slices.Clone(g.waiting[:n]))
	g.waiting = slices.Delete(g.waiting, 0, n)
}

// exchange asks for all of them. It is no single caller's: the others go on where one
// leaves.
func (g *gatherer) exchange(together []*reading) {
	defer g.next()
	ctx, cancel := context.WithTimeout(context.Background(), g.timeout)
	defer cancel()
	p := g.client.Pipeline()
	answers := make([]*redis.StringCmd, len(together))
	for i, r := range together {
		answers[i] = p.Get(ctx, r.key)
	}
	_, _ = p.Exec(ctx) // each answer has its own error
	for i, r := range together {
		r.value, r.err = answers[i].Bytes()
		if r.err == nil && len(r.value) == 0 {
			r.err = errNoAnswer
		}
		close(r.done)
	}
}

// errNoAnswer is for a command that has neither a value nor an error, as one would that
// the driver did not come to. Taken for an answer it would sign somebody out, and
// nothing that is kept is empty.
var errNoAnswer = errors.New("no answer")
