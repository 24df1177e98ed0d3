package session_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// simInstance is one process: a manager, and its own way to the store.
type simInstance struct {
	*simLink
	m    *session.Manager
	stop func()
}

func (sim *simulation) newInstance() *simInstance {
	link := &simLink{sim: sim, rng: sim.rng(), died: make(chan struct{}), faultyStore: &faultyStore{
		Store: sim.records, away: make(map[string]bool), calls: make(map[string]int),
	}}
	m, err := session.NewManager(session.Options{
		Store: link, Provider: simCaller{sim.provider, link},
		IdleTimeout: idleTimeout, AbsoluteTimeout: absoluteTimeout,
		BeforeExpiry: beforeExpiry, RefreshTimeout: refreshTimeout, ForcedPerMinute: 3,
		RotationGrace: simGrace, CacheBytes: 1 << 20,
	})
	if err != nil {
		sim.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = m.Run(ctx) })
	return &simInstance{simLink: link, m: m, stop: func() {
		if link.isDead() {
			abandoned, abandon := context.WithCancel(context.Background())
			abandon()
			_ = m.Drain(abandoned)
		}
		if err := m.Drain(context.Background()); err != nil {
			sim.t.Errorf("Drain: %v", err)
		}
		cancel()
		running.Wait()
	}}
}

// simLink is an instance's way to the store: slow, and at times it loses
// answers, or delivers late what the instance has given up.
type simLink struct {
	*faultyStore
	sim *simulation

	linkMu sync.Mutex
	rng    *rand.Rand
	dead   bool
	died   chan struct{} // closed then
}

// die cuts everything that the process had under way.
func (l *simLink) die() {
	l.setAway(true, "all", "watch")
	l.linkMu.Lock()
	defer l.linkMu.Unlock()
	l.dead = true
	close(l.died)
}

func (l *simLink) isDead() bool {
	l.linkMu.Lock()
	defer l.linkMu.Unlock()
	return l.dead
}

// simFate is what becomes of one call of the store.
type simFate struct {
	there, back time.Duration
	lost        bool
	late        time.Duration // after the caller gave up
}

func (l *simLink) fate() (f simFate) {
	l.linkMu.Lock()
	defer l.linkMu.Unlock()
	f.there = time.Duration(l.rng.Int64N(int64(20 * time.Millisecond)))
	f.back = time.Duration(l.rng.Int64N(int64(20 * time.Millisecond)))
	if l.sim.is(&l.sim.calm) {
		return f
	}
	switch l.rng.IntN(40) {
	case 0:
		f.there, f.back = time.Duration(l.rng.Int64N(int64(time.Second))), time.Duration(l.rng.Int64N(int64(time.Second)))
	case 1:
		f.lost = true
	case 2:
		f.late = time.Duration(1 + l.rng.Int64N(int64(session.StoreTimeout)))
	}
	return f
}

// through takes a call to the store and back, within session.StoreTimeout.
func through[T any](ctx context.Context, l *simLink, do func() (T, error)) (none T, err error) {
	fate := l.fate()
	end := time.Now().Add(session.StoreTimeout)
	if err := sleep(ctx, fate.there); err != nil {
		return none, err
	}
	if err := l.call("store"); err != nil {
		return none, err
	}
	if fate.late > 0 {
		time.AfterFunc(time.Until(end)+fate.late, func() {
			if !l.sim.is(&l.sim.over) {
				_, _ = do()
			}
		})
		time.Sleep(time.Until(end))
		return none, errAway
	}
	result, err := do()
	if fate.lost {
		time.Sleep(time.Until(end))
		return none, errAway
	}
	if err := sleep(ctx, fate.back); err != nil {
		return none, err
	}
	if err := l.call("store"); err != nil {
		return none, err
	}
	return result, err
}

func (l *simLink) Load(ctx context.Context, h session.Handle) (*session.Session, error) {
	return through(ctx, l, func() (*session.Session, error) { return l.Store.Load(ctx, h) })
}

func (l *simLink) Create(ctx context.Context, s *session.Session) (*session.Session, error) {
	return through(ctx, l, func() (*session.Session, error) { return l.Store.Create(ctx, s) })
}

func (l *simLink) Replace(ctx context.Context, s *session.Session) (*session.Session, error) {
	return through(ctx, l, func() (*session.Session, error) { return l.Store.Replace(ctx, s) })
}

func (l *simLink) Touch(ctx context.Context, h session.Handle, seen time.Time) (session.Handle, error) {
	return through(ctx, l, func() (session.Handle, error) { return l.Store.Touch(ctx, h, seen) })
}

func (l *simLink) Delete(ctx context.Context, h session.Handle, why session.Reason) (*session.Session, error) {
	return through(ctx, l, func() (*session.Session, error) { return l.Store.Delete(ctx, h, why) })
}

func (l *simLink) DeleteID(ctx context.Context, id string, why session.Reason) error {
	return l.bare(ctx, func() error { return l.Store.DeleteID(ctx, id, why) })
}

func (l *simLink) Acquire(ctx context.Context, id, owner string, term time.Duration) (bool, error) {
	return through(ctx, l, func() (bool, error) { return l.Store.Acquire(ctx, id, owner, term) })
}

func (l *simLink) Renew(ctx context.Context, id, owner string, term time.Duration) (bool, error) {
	return through(ctx, l, func() (bool, error) { return l.Store.Renew(ctx, id, owner, term) })
}

func (l *simLink) Release(ctx context.Context, id, owner string) error {
	return l.bare(ctx, func() error { return l.Store.Release(ctx, id, owner) })
}

// bare takes a call through that has no result but its error.
func (l *simLink) bare(ctx context.Context, do func() error) error {
	_, err := through(ctx, l, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

// recordedStore watches what is written.
type recordedStore struct {
	session.Store
	sim *simulation

	mu          sync.Mutex
	generations map[string]uint64
	gone        map[string]bool
}

func (r *recordedStore) Replace(ctx context.Context, s *session.Session) (*session.Session, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	saved, err := r.Store.Replace(ctx, s)
	if err != nil {
		return nil, err
	}
	if saved.Generation <= r.generations[s.ID] {
		r.sim.violated("record went from generation %d to %d", r.generations[s.ID], saved.Generation)
	}
	if r.gone[s.ID] {
		r.sim.violated("a record came back after its end")
	}
	r.generations[s.ID] = saved.Generation
	return saved, nil
}

func (r *recordedStore) Delete(ctx context.Context, h session.Handle, why session.Reason) (*session.Session, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.Store.Delete(ctx, h, why)
	if s != nil {
		r.gone[s.ID] = true
	}
	return s, err
}

func (r *recordedStore) DeleteID(ctx context.Context, id string, why session.Reason) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.Store.DeleteID(ctx, id, why)
	r.gone[id] = r.gone[id] || err == nil
	return err
}

// simProvider rotates, with grace, and knows whose every token is.
type simProvider struct {
	sim *simulation

	mu       sync.Mutex
	rng      *rand.Rand
	issued   int
	families map[string]int       // refresh token → session
	replaced map[string]time.Time // refresh token → until when it works on
	revoked  map[string]bool
	access   map[string]int // access token → session
	inUse    map[int]int    // calls under way, by session
	lost     map[int]int    // answers lost in a row, by session
	away     bool
	slow     time.Duration
}

func (p *simProvider) setAway(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
}

func (p *simProvider) setSlow(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slow = d
}

func (p *simProvider) issuedTo(family int, access string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	owner, known := p.access[access]
	return known && owner == family
}

func (p *simProvider) login(family int) oauth.Tokens {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.issue(family)
}

func (p *simProvider) issue(family int) oauth.Tokens {
	p.issued++
	access, refresh := fmt.Sprintf("access-%d", p.issued), fmt.Sprintf("refresh-%d", p.issued)
	p.access[access], p.families[refresh] = family, family
	return oauth.Tokens{
		Access: secret.NewText(access), ID: secret.NewText("id-" + access), Refresh: secret.NewText(refresh),
		AccessExpiresAt: time.Now().Add(simLife), Subject: fmt.Sprintf("sub-%d", family),
	}
}

// begin notes a call; end its end, as its caller sees it.
func (p *simProvider) begin(token string) (there, back time.Duration, lost bool, family int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	family = p.families[token]
	if p.inUse[family]++; p.inUse[family] > 1 {
		p.sim.violated("the refresh token of session %d is in use %d times at once", family, p.inUse[family])
	}
	there = time.Duration(p.rng.Int64N(int64(200*time.Millisecond))) + p.slow
	back = time.Duration(p.rng.Int64N(int64(200 * time.Millisecond)))
	// Twice in a row at most: more, and even the grace runs out.
	if lost = p.rng.IntN(4) == 0 && p.lost[family] < 2 && !p.sim.is(&p.sim.calm); lost {
		p.lost[family]++
	} else {
		p.lost[family] = 0
	}
	return there, back, lost, family
}

func (p *simProvider) end(family int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inUse[family]--
}

func (p *simProvider) redeem(token string) (oauth.Tokens, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	family := p.families[token]
	until, used := p.replaced[token]
	switch {
	case p.away:
		return oauth.Tokens{}, fmt.Errorf("token call: %w", oauth.ErrUnavailable)
	case p.revoked[token], used && !time.Now().Before(until):
		return oauth.Tokens{}, fmt.Errorf("token call: %w", oauth.ErrGrantRevoked)
	}
	if !used {
		p.replaced[token] = time.Now().Add(simGrace)
	}
	return p.issue(family), nil
}

// simCaller is the provider as one instance reaches it.
type simCaller struct {
	*simProvider
	from *simLink
}

// Refresh carries out what has reached the provider, whether or not the caller
// waits for it.
func (c simCaller) Refresh(ctx context.Context, prior oauth.Tokens) (oauth.Tokens, error) {
	if c.from.isDead() {
		return oauth.Tokens{}, fmt.Errorf("token call: %w", oauth.ErrUnavailable)
	}
	there, back, lost, family := c.begin(prior.Refresh.Reveal())
	defer c.end(family)
	var tokens oauth.Tokens
	var err error // both read after the channel is closed
	carriedOut := make(chan struct{})
	time.AfterFunc(there, func() {
		tokens, err = c.redeem(prior.Refresh.Reveal())
		close(carriedOut)
	})
	select {
	case <-carriedOut:
	case <-ctx.Done():
		return oauth.Tokens{}, ctx.Err()
	case <-c.from.died:
		return oauth.Tokens{}, oauth.ErrUnavailable // nobody hears that
	}
	if err := sleep(ctx, back); err != nil {
		return oauth.Tokens{}, err
	}
	if lost || c.from.isDead() {
		return oauth.Tokens{}, fmt.Errorf("token call: %w", oauth.ErrUnavailable)
	}
	return tokens, err
}

func (c simCaller) Revoke(_ context.Context, t oauth.Tokens) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.revoked[t.Refresh.Reveal()] = true
	return nil
}
