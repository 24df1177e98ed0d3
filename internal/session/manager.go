package session

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// Manager creates, loads, refreshes and ends sessions. Safe for concurrent use.
// Sessions it returns are shared snapshots.
//
// Its parts do the work, and none of them knows the manager: the refresher
// (refresh*.go, lease.go), the endings and the revoker (ending*.go, revoke.go), the
// user check, the cache, and those who listen to changes.
type Manager struct {
	store  Store
	traits Traits
	log    *slog.Logger

	idleTimeout     time.Duration
	absoluteTimeout time.Duration
	maxPerUser      int // sessions; 0: no limit

	work      *background
	cache     *cache
	touches   *slots // a Touch each that is under way, by session id
	revoker   *revoker
	endings   *endings
	refresher *refresher
	users     *userCheck
	listeners listeners
	followers []func(Change)
	// changes counts those that were heard, and each time that they began to arrive or did
	// not any more; hearsSince is when they began last, since the cache's start.
	changes    atomic.Uint64
	hearsSince atomic.Int64
}

// NewManager returns a manager. It starts nothing.
func NewManager(o Options) (*Manager, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	work, cache := newBackground(o.Logger), newCache(o.CacheBytes, o.Store.Traits().CacheAge, o.Observe.Beat)
	revoker := newRevoker(&o, work)
	endings := newEndings(&o, cache, revoker, work)
	refresher := newRefresher(&o, cache, endings, revoker, work)
	return &Manager{
		store: o.Store, traits: o.Store.Traits(), log: o.Logger,
		idleTimeout: o.IdleTimeout, absoluteTimeout: o.AbsoluteTimeout, maxPerUser: o.MaxPerUser,
		work: work, cache: cache, touches: newSlots(math.MaxInt),
		revoker: revoker, endings: endings, refresher: refresher, users: newUserCheck(&o, refresher, work),
	}, nil
}

// New is what a session starts from.
type New struct {
	Tokens    oauth.Tokens
	Username  string
	UserAgent string // as the browser sent it
	Address   string
	SignIn    SignIn
}

// maxText is where the texts of a session are truncated, in bytes. Cognito's user
// names end before it; a browser must not fill the store.
const maxText = 512

// Create begins a session under a new handle. The browser's old
// session, if there is one, is ended: what was known before a login must be
// worth nothing after it (session fixation). Where the store does not take the
// session its tokens are revoked, since nobody will ever use them.
//
// Errors: [ErrUnavailable], [ErrTooLarge], the context's.
func (m *Manager) Create(ctx context.Context, n New, old Handle) (*Session, error) {
	now := present()
	s := &Session{
		Issuer: n.Tokens.Issuer, Subject: n.Tokens.Subject, Username: truncate(n.Username, maxText),
		UserAgent: truncate(n.UserAgent, maxText), Address: truncate(n.Address, maxText),
		SignIn:    SignIn{LoginID: truncate(n.SignIn.LoginID, maxText), Flow: truncate(n.SignIn.Flow, maxText)},
		CreatedAt: now, LastSeen: now, ExpiresAt: now.Add(m.absoluteTimeout),
	}
	s.setTokens(n.Tokens, now)
	created, err := m.store.Create(ctx, s)
	if err != nil {
		m.revoker.revoke(ctx, s.Tokens)
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
	if now.Sub(s.LastSeen) < m.idleTimeout/10 {
		return s, nil
	}
	if first, _ := m.touches.take(s.ID); !first {
		return s, nil // another request is at it
	}
	defer m.touches.free(s.ID)
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

// moved returns the session of the handle that the touch of s brought. That may
// come of another request's save, which s knows nothing of.
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

// IdleExpiresAt is the earliest that s ends if it is not used after lastUse; it
// may live up to a tenth of the idle timeout longer. The last use on record,
// s.LastSeen, may be that much older than the last use.
func (m *Manager) IdleExpiresAt(s *Session, lastUse time.Time) time.Time {
	idle := lastUse.Add(m.idleTimeout)
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
	defer m.endings.abandon()
	if err := m.work.drain(ctx); err != nil {
		return fmt.Errorf("drain sessions: %w", err)
	}
	return nil
}

// setTokens takes over tokens that came at now.
func (s *Session) setTokens(t oauth.Tokens, now time.Time) {
	t.Issuer, t.Subject = s.Issuer, s.Subject
	t.AccessExpiresAt = t.AccessExpiresAt.Round(0).Truncate(time.Millisecond)
	t.AuthTime = t.AuthTime.Round(0)
	s.Tokens, s.TokensAt = t, now
	s.setBearers(scheme+t.Access.Reveal(), scheme+t.ID.Reveal())
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
