package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

const (
	idleTimeout     = 30 * time.Minute
	absoluteTimeout = 12 * time.Hour
	beforeExpiry    = time.Minute
	refreshTimeout  = 10 * time.Second
	tokenLife       = 20 * time.Minute // below the idle timeout
)

// provider is an identity provider with one user: it hands out refresh tokens,
// rotates and revokes them, and can be slow, away, or lose an answer.
type provider struct {
	mu      sync.Mutex
	life    time.Duration
	rotate  bool
	delay   time.Duration // before it decides
	transit time.Duration // before what it decided arrives
	fault   error         // answered instead of doing anything
	subject string
	panics  bool
	pad     int // bytes that access tokens are longer

	grace time.Duration    // how long a rotated token works on
	lose  func(n int) bool // whether the answer to the nth call is lost, carried out as it is

	issued  int
	good    map[string]bool      // refresh tokens that work
	rotated map[string]time.Time // and those that did, until when
	calls   int
	revokes []string
}

func newProvider() *provider {
	return &provider{life: tokenLife, subject: "sub-1",
		good: make(map[string]bool), rotated: make(map[string]time.Time)}
}

// login issues the tokens of a new login.
func (p *provider) login() oauth.Tokens {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.issue("")
}

// issue makes tokens; with a refresh token to keep, or a new one.
func (p *provider) issue(keep string) oauth.Tokens {
	p.issued++
	if keep == "" {
		keep = fmt.Sprintf("refresh-%d", p.issued)
		p.good[keep] = true
	}
	return oauth.Tokens{
		Access:          secret.NewText(fmt.Sprintf("access-%d", p.issued) + strings.Repeat("x", p.pad)),
		ID:              secret.NewText(fmt.Sprintf("id-%d", p.issued)),
		Refresh:         secret.NewText(keep),
		AccessExpiresAt: time.Now().Add(p.life),
		Issuer:          storetest.Audience.Issuer,
		Subject:         p.subject,
	}
}

func (p *provider) Refresh(ctx context.Context, prior oauth.Tokens) (oauth.Tokens, error) {
	p.mu.Lock()
	p.calls++
	delay, transit, panics := p.delay, p.transit, p.panics
	lost := p.lose != nil && p.lose(p.calls)
	p.mu.Unlock()
	if panics {
		panic("provider panics")
	}
	if err := sleep(ctx, delay); err != nil {
		return oauth.Tokens{}, err
	}
	t, err := p.redeem(prior)
	if lost {
		return oauth.Tokens{}, fmt.Errorf("token call: %w", oauth.ErrUnavailable)
	}
	if err := sleep(ctx, transit); err != nil {
		return oauth.Tokens{}, err
	}
	return t, err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *provider) redeem(prior oauth.Tokens) (oauth.Tokens, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	token := prior.Refresh.Reveal()
	switch {
	case p.fault != nil:
		return oauth.Tokens{}, fmt.Errorf("token call: %w", p.fault)
	case !p.good[token] && !time.Now().Before(p.rotated[token]):
		return oauth.Tokens{}, fmt.Errorf("token call: %w", oauth.ErrGrantRevoked)
	}
	if p.rotate {
		if p.good[token] {
			p.rotated[token] = time.Now().Add(p.grace)
		}
		delete(p.good, token)
		token = ""
	}
	return p.issue(token), nil
}

// Revoke ends one token and no other of its family, the least that a provider does.
func (p *provider) Revoke(_ context.Context, t oauth.Tokens) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault != nil {
		return fmt.Errorf("revocation call: %w", p.fault)
	}
	delete(p.good, t.Refresh.Reveal())
	p.revokes = append(p.revokes, t.Refresh.Reveal())
	return nil
}

// set changes the provider while it is in use.
func (p *provider) set(change func(*provider)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *provider) callCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// living is how many refresh tokens still work.
func (p *provider) living() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.good)
}

// world is one provider, one store, and a manager on them.
type world struct {
	t        testing.TB
	provider *provider
	store    *faultyStore
	m        *session.Manager
	all      []*session.Manager
	grace    time.Duration                          // of further instances
	cache    int                                    // bytes, of further instances
	check    session.UserCheck                      // likewise
	trace    func(ctx context.Context, kind string) // of what is told with an outcome; may be nil
	stop     []func()
	outcomes map[string]int           // by kind and outcome; read when all is quiet
	longest  map[string]time.Duration // by kind, and gap
	mu       sync.Mutex
}

func newWorld(t testing.TB) *world {
	w := &world{
		t: t, provider: newProvider(), outcomes: make(map[string]int), longest: make(map[string]time.Duration),
		store: &faultyStore{
			Store: sessionstore.NewMemory(sessionstore.MemoryOptions{IdleTimeout: idleTimeout}),
			away:  make(map[string]bool), calls: make(map[string]int),
		},
	}
	w.m = w.instance()
	return w
}

// instance returns another manager on the same store, as another process has.
func (w *world) instance() *session.Manager {
	w.t.Helper()
	count := func(kind string) session.OutcomeFunc {
		return func(ctx context.Context, outcome string, took time.Duration) {
			w.took(kind, took)
			if w.trace != nil {
				w.trace(ctx, kind)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.outcomes[kind+" "+outcome]++
		}
	}
	m, err := session.NewManager(session.Options{
		Store: w.store, Provider: w.provider,
		IdleTimeout: idleTimeout, AbsoluteTimeout: absoluteTimeout,
		BeforeExpiry: beforeExpiry, RefreshTimeout: refreshTimeout, ForcedPerMinute: 3,
		RotationGrace: w.grace, CacheBytes: w.cache, UserCheck: w.check,
		Observe: session.Observer{
			Refresh: count("refresh"), LeaseWait: count("lease"),
			Revoke: count("revoke"), Delete: count("delete"), Check: count("check"),
			Beat: func(_ context.Context, gap time.Duration) { w.took("gap", gap) },
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.all = append(w.all, m)
	return m
}

// listening returns another instance that hears of changes.
func (w *world) listening() *session.Manager {
	m := w.instance()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = m.Run(ctx) })
	w.stop = append(w.stop, func() { cancel(); running.Wait() })
	for !m.Stats().Listening {
		time.Sleep(time.Millisecond)
	}
	return m
}

// drain lets every instance finish; a bubble must not end before.
func (w *world) drain() {
	for _, stop := range w.stop {
		defer stop()
	}
	for _, m := range w.all {
		if err := m.Drain(context.Background()); err != nil {
			w.t.Errorf("Drain: %v", err)
		}
	}
}

func (w *world) took(what string, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.longest[what] = max(w.longest[what], d)
}

func (w *world) longestOf(what string) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.longest[what]
}

func (w *world) outcome(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.outcomes[name]
}

// login returns a new session.
func (w *world) login() *session.Session {
	w.t.Helper()
	s, err := w.m.Create(context.Background(), session.New{Tokens: w.provider.login(), Username: "alice"}, session.Handle{})
	if err != nil {
		w.t.Fatalf("Create: %v", err)
	}
	return s
}

func (w *world) load(s *session.Session) *session.Session {
	w.t.Helper()
	got, err := w.m.Load(context.Background(), s.Handle)
	if err != nil {
		w.t.Fatalf("Load: %v", err)
	}
	return got
}

func (w *world) wantEnded(s *session.Session) {
	w.t.Helper()
	if _, err := w.m.Load(context.Background(), s.Handle); !errors.Is(err, session.ErrNotFound) {
		w.t.Errorf("Load: err = %v, want ErrNotFound", err)
	}
}

func (w *world) wantCalls(n int) {
	w.t.Helper()
	if got := w.provider.callCount(); got != n {
		w.t.Errorf("%d token calls, want %d", got, n)
	}
}
