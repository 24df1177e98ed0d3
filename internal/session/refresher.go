package session

import (
	"context"
	"hash/fnv"
	"log/slog"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/ratelimit"
)

// refresher gives sessions new tokens, in one flight at a time for each.
type refresher struct {
	store    Store
	provider Provider
	cache    *cache
	endings  *endings // of sessions that cannot be refreshed any more
	revoker  *revoker // of tokens that were brought home in vain
	leases   *leases
	breaker  *breaker
	forced   *ratelimit.Limiter // forced refreshes, by session id

	early   time.Duration // before the expiry of a token, Options.BeforeExpiry
	timeout time.Duration // of one call of the provider
	grace   time.Duration // of a rotated refresh token

	work    *background
	observe OutcomeFunc
	log     *slog.Logger

	mu      sync.Mutex
	flights map[string]*flight // by session id
}

func newRefresher(o *Options, c *cache, e *endings, r *revoker, work *background) *refresher {
	return &refresher{
		store: o.Store, provider: o.Provider, cache: c, endings: e, revoker: r,
		leases: newLeases(o, work), breaker: newBreaker(), forced: ratelimit.New(ratelimit.PerMinute(o.ForcedPerMinute)),
		early: o.BeforeExpiry, timeout: o.RefreshTimeout, grace: o.RotationGrace,
		work: work, observe: o.Observe.Refresh, log: o.Logger,
		flights: make(map[string]*flight),
	}
}

// refreshed returns the session refreshed, by the flight under way or a new one.
func (r *refresher) refreshed(ctx context.Context, s *Session) (*Session, error) {
	f, err := r.join(ctx, s, false)
	if err != nil {
		return nil, err
	}
	return f.wait(ctx)
}

// join returns the flight of the session, and starts one if there is none. Only
// a start counts against the limit of forced refreshes.
func (r *refresher) join(ctx context.Context, s *Session, forced bool) (*flight, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.flights[s.ID]; f != nil {
		return f, nil
	}
	if forced {
		if wait := r.forced.Take(s.ID, time.Now()).Wait; wait > 0 {
			return nil, &TooManyError{RetryAfter: wait}
		}
	}
	f := &flight{r: r, from: s, changed: make(chan struct{}, 1), done: make(chan struct{})}
	r.flights[s.ID] = f
	r.work.start(ctx, f.run)
	return f, nil
}

// retire lets the next request of the session start a flight of its own.
func (r *refresher) retire(f *flight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flights[f.from.ID] == f {
		delete(r.flights, f.from.ID)
	}
}

// wake tells a flight of the session, if there is one, that the store has news.
func (r *refresher) wake(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.flights[id]
	if f == nil {
		return
	}
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// due reports whether the access token is to be refreshed: it has expired, or
// soon will.
func (r *refresher) due(s *Session, now time.Time) bool {
	remaining := s.Tokens.AccessExpiresAt.Sub(now)
	switch {
	case remaining <= 0:
		return true
	case remaining > 2*r.early || s.Tokens.Refresh.Empty():
		return false
	}
	// A token that lives shorter than BeforeExpiry would be due all its life.
	early := min(r.early, s.Tokens.AccessExpiresAt.Sub(s.TokensAt)/2)
	return remaining <= early+share(s.ID, early/4)
}

// valid reports whether the access token holds at now.
func (s *Session) valid(now time.Time) bool { return now.Before(s.Tokens.AccessExpiresAt) }

// share returns a part of d that is the session's own, the same at each call
// and on each instance, so that sessions of one moment aren't due in one moment.
func share(id string, d time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return d * time.Duration(h.Sum32()%1024) / 1024
}
