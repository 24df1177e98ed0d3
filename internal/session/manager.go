package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// Options of a [Manager]. Store, Provider and all durations are required.
type Options struct {
	Store    Store
	Provider Provider

	// IdleTimeout ends a session this long after its last use, at most a tenth
	// later: the last use is recorded no more often than that.
	IdleTimeout time.Duration
	// AbsoluteTimeout ends a session this long after the login, used or not.
	AbsoluteTimeout time.Duration

	// BeforeExpiry: an access token with less than this left, or than half its
	// lifetime if that is shorter, is refreshed while it is still in use. Up to a
	// quarter is added, differing by session.
	BeforeExpiry time.Duration
	// RefreshTimeout bounds one call of the token endpoint.
	RefreshTimeout time.Duration
	// RotationGrace is how long the provider takes a refresh token again after it
	// rotated it (Cognito: RetryGracePeriodSeconds). Within it a refresh whose
	// answer was lost is tried once more. 0: never.
	RotationGrace time.Duration
	// ForcedPerMinute is how many forced refreshes a session may have a minute.
	ForcedPerMinute int
	// MaxPerUser is how many sessions a subject may have; at a login above it the
	// oldest go. 0: no limit.
	MaxPerUser int
	// UserCheck asks about sessions that are in use. Zero: never.
	UserCheck UserCheck

	// Cache is the cache of opened sessions; it serves while [Manager.Run] runs.
	Cache CacheOptions

	Observe Observer
	Logger  *slog.Logger // nil: silent
}

func (o *Options) check() error {
	switch {
	case o.Store == nil, o.Provider == nil:
		return errors.New("session manager: store and provider are required")
	case o.IdleTimeout <= 0, o.AbsoluteTimeout <= 0, o.BeforeExpiry <= 0, o.RefreshTimeout <= 0:
		return errors.New("session manager: every duration must be above zero")
	case o.RotationGrace < 0, o.Cache.Entries < 0, o.Cache.Bytes < 0:
		return errors.New("session manager: rotation grace and bounds of the cache must not be below zero")
	case o.UserCheck.Every < 0, o.UserCheck.Every > 0 && o.UserCheck.Ask == nil:
		return errors.New("session manager: a user check must not be below zero and needs someone to ask")
	case o.ForcedPerMinute <= 0:
		return errors.New("session manager: forced refreshes a minute must be above zero")
	}
	return nil
}

// Manager is the life of sessions: it creates, loads, refreshes and ends them.
// Safe for concurrent use. Sessions it returns are shared snapshots.
type Manager struct {
	o       Options
	store   Store
	traits  Traits
	log     *slog.Logger
	work    *background
	cache   *cache
	breaker *breaker
	forced  windows

	mu      sync.Mutex
	flights map[string]*flight  // by session id
	touches map[string]struct{} // ids with a Touch under way

	revocations *slots
	deletions   *slots

	// Ends that too few replicas have yet. A stop does not wait for them: they may
	// take as long as a replica is away.
	confirmations *slots
	confirming    *background
	confirmingNow chan struct{}

	users *userCheck

	listeners listeners
}

// NewManager returns a manager. It starts nothing.
func NewManager(o Options) (*Manager, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Manager{
		o: o, store: o.Store, traits: o.Store.Traits(), log: o.Logger,
		work: newBackground(o.Logger), cache: newCache(o.Cache, o.Store.Traits().CacheAge, o.Observe.beat), breaker: newBreaker(),
		forced:  windows{limit: o.ForcedPerMinute},
		flights: make(map[string]*flight), touches: make(map[string]struct{}),
		revocations: newSlots(maxRevocations), deletions: newSlots(maxDeletions),
		confirmations: newSlots(maxDeletions), confirming: newBackground(o.Logger),
		confirmingNow: make(chan struct{}, maxConfirming),
		users:         newUserCheck(o.UserCheck),
	}, nil
}

// New is what a session starts from.
type New struct {
	Tokens    oauth.Tokens
	Username  string
	UserAgent string // as the browser sent it
	Address   string
}

// maxText is where the texts of a session are truncated, in bytes. Cognito's user
// names end before it; a browser must not fill the store.
const maxText = 512

// Create begins a session under a handle that never was. The browser's old
// session, if there is one, is ended: what was known before a login must be
// worth nothing after it (session fixation). Where the store does not take the
// session its tokens are revoked, since nobody will ever use them.
//
// Errors: [ErrUnavailable], [ErrTooLarge], the context's.
func (m *Manager) Create(ctx context.Context, n New, old Handle) (*Session, error) {
	now := present()
	s := &Session{
		Subject: n.Tokens.Subject, Username: truncate(n.Username, maxText),
		UserAgent: truncate(n.UserAgent, maxText), Address: truncate(n.Address, maxText),
		CreatedAt: now, LastSeen: now, ExpiresAt: now.Add(m.o.AbsoluteTimeout),
	}
	s.setTokens(n.Tokens, now)
	created, err := m.store.Create(ctx, s)
	if err != nil {
		m.revoke(s.Tokens.Refresh)
		return nil, fmt.Errorf("create session: %w", err)
	}
	if !old.Empty() {
		_, _ = m.End(ctx, old, ReasonReplaced) // what the store does not take now is tried again behind
	}
	m.makeRoom(ctx, created)
	return created, nil
}

// Load returns the session of a handle. It has three outcomes, and only three:
// the session, [ErrNotFound], or that nobody could say ([ErrUnavailable], or
// the context's error where the caller left). A session loaded moments ago comes
// from the cache, at most a second behind what other instances did to it.
//
// Load asks nobody but the store. Whether the session's user is still in is the
// next step's question: [Manager.CheckUser].
func (m *Manager) Load(ctx context.Context, h Handle) (*Session, error) {
	if h.Empty() {
		return nil, ErrNotFound
	}
	now := time.Now()
	if s := m.cache.get(h, now); s != nil && now.Before(m.IdleExpiresAt(s, s.LastSeen)) {
		return s, nil
	}
	epoch := m.cache.begin(now)
	s, err := m.store.Load(ctx, h)
	if err != nil {
		return nil, fmt.Errorf("load session: %w", err)
	}
	m.cache.put(s, epoch, now)
	return s, nil
}

// Touch records a use of the session, at most once in a tenth of the idle
// timeout, and returns the session as it is then: never nil, and s itself where
// nothing was written. The write does not end with the caller: the next request
// of this browser relies on it.
//
// Errors: [ErrUnavailable].
func (m *Manager) Touch(ctx context.Context, s *Session) (*Session, error) {
	now := present()
	if now.Sub(s.LastSeen) < m.o.IdleTimeout/10 || !m.beginTouch(s.ID) {
		return s, nil
	}
	defer m.endTouch(s.ID)
	ctx = context.WithoutCancel(ctx)
	next, err := m.store.Touch(ctx, s.Handle, now)
	if err != nil {
		return s, fmt.Errorf("touch session: %w", err)
	}
	if !next.Equal(s.Handle) {
		return m.moved(ctx, s, next)
	}
	touched := *s
	touched.LastSeen = now
	m.cache.swap(s, &touched)
	return &touched, nil
}

// moved returns the session of the handle that a save gave s, which may be
// another's save on top of ours: a session and its handle are of one piece.
func (m *Manager) moved(ctx context.Context, s *Session, next Handle) (*Session, error) {
	newest, err := m.store.Load(ctx, next)
	if err != nil {
		return s, fmt.Errorf("touch session: %w", err)
	}
	return newest, nil
}

// MovingHandles reports whether each save gives a session another handle, which
// the browser must then be given: once its answer has begun, a caller must not take
// a step that may save.
func (m *Manager) MovingHandles() bool { return m.traits.MovingHandles }

func (m *Manager) beginTouch(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, busy := m.touches[id]
	m.touches[id] = struct{}{}
	return !busy
}

func (m *Manager) endTouch(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.touches, id)
}

// IdleExpiresAt is the earliest that s ends if it is not used after lastUse; it
// may live up to a tenth of the idle timeout longer. The last use on record,
// s.LastSeen, may be that much older than the last use.
func (m *Manager) IdleExpiresAt(s *Session, lastUse time.Time) time.Time {
	idle := lastUse.Add(m.o.IdleTimeout)
	if s.ExpiresAt.Before(idle) {
		return s.ExpiresAt
	}
	return idle
}

// IdleLimit is how long after the last recorded use a store must keep a
// session. Uses are recorded at most once in a tenth of the idle timeout, so
// the last real one may lie that much later, and it is the one that counts.
func IdleLimit(idleTimeout time.Duration) time.Duration { return idleTimeout + idleTimeout/10 }

// Idle reports whether at now a session is over by its idle limit.
func Idle(lastSeen, now time.Time, idleTimeout time.Duration) bool {
	return !now.Before(lastSeen.Add(IdleLimit(idleTimeout)))
}

// Drain waits for refreshes and other work that outlives its request. When ctx
// ends first, what still runs is abandoned and the context's error returned.
// Call it when no more requests come and before the store is closed.
func (m *Manager) Drain(ctx context.Context) error {
	defer m.confirming.abandon()
	if err := m.work.drain(ctx); err != nil {
		return fmt.Errorf("drain sessions: %w", err)
	}
	return nil
}

// setTokens takes over tokens that came at now.
func (s *Session) setTokens(t oauth.Tokens, now time.Time) {
	t.Subject = s.Subject
	t.AccessExpiresAt = t.AccessExpiresAt.Round(0).Truncate(time.Millisecond)
	t.AuthTime = t.AuthTime.Round(0)
	s.Tokens, s.TokensAt = t, now
	s.tokensSet()
}

// present is the time as records keep it: milliseconds of the wall clock. The
// monotonic clock would stand still while a laptop sleeps, and tokens don't.
func present() time.Time { return time.Now().Round(0).Truncate(time.Millisecond) }

// truncate shortens s to at most n bytes of valid UTF-8.
func truncate(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}
