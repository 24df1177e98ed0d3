package middleware_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
)

const (
	idleTimeout  = 30 * time.Minute
	tokenLife    = 10 * time.Minute
	beforeExpiry = time.Minute
)

// pool is a user pool of one user: it issues numbered tokens, and fails as told.
type pool struct {
	mu     sync.Mutex
	issued int
	fault  error
	claims func(issued int) string // of the ID token; nil: none
}

func (p *pool) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = err
}

func (p *pool) tokens() oauth.Tokens {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.issued++
	var claims json.RawMessage
	if p.claims != nil {
		claims = json.RawMessage(p.claims(p.issued))
	}
	return oauth.Tokens{
		IDClaims: claims,
		Access:   secret.NewText(fmt.Sprint("access-", p.issued)), ID: secret.NewText(fmt.Sprint("id-", p.issued)),
		Refresh: secret.NewText("refresh"), AccessExpiresAt: time.Now().Add(tokenLife), Subject: "sub-1",
	}
}

func (p *pool) Refresh(context.Context, oauth.Tokens) (oauth.Tokens, error) {
	p.mu.Lock()
	err := p.fault
	p.mu.Unlock()
	if err != nil {
		return oauth.Tokens{}, err
	}
	return p.tokens(), nil
}

func (p *pool) Revoke(context.Context, oauth.Tokens) error { return nil }

// store is the memory store, which can be away; with moving it gives a session
// a new handle at each save, as a store without server state does.
type store struct {
	*sessionstore.Memory
	mu     sync.Mutex
	away   bool
	moving secret.Text
	looked func() // is called by each Load, if set
}

func (s *store) set(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

func (s *store) check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return fmt.Errorf("%w: dial", session.ErrUnavailable)
	}
	return nil
}

func (s *store) Load(ctx context.Context, h session.Handle) (*session.Session, error) {
	if s.looked != nil {
		s.looked()
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.Memory.Load(ctx, h)
}

func (s *store) Touch(ctx context.Context, h session.Handle, seen time.Time) (session.Handle, error) {
	if err := s.check(); err != nil {
		return h, err
	}
	return s.Memory.Touch(ctx, h, seen)
}

func (s *store) Replace(ctx context.Context, next *session.Session) (*session.Session, error) {
	stored, err := s.Memory.Replace(ctx, next)
	if err != nil || s.moving.Empty() {
		return stored, err
	}
	moved := *stored
	moved.Handle = s.moving
	return &moved, nil
}

// house is a signed-in browser and what serves it.
type house struct {
	sessions *middleware.Sessions
	manager  *session.Manager
	store    *store
	pool     *pool
	handle   session.Handle
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{pool: &pool{}, store: &store{Memory: sessionstore.NewMemory(sessionstore.MemoryOptions{IdleTimeout: idleTimeout})}}
	m, err := session.NewManager(session.Options{
		Store: h.store, Provider: h.pool, IdleTimeout: idleTimeout, AbsoluteTimeout: 12 * time.Hour,
		BeforeExpiry: beforeExpiry, RefreshTimeout: 10 * time.Second, ForcedPerMinute: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.manager, h.sessions = m, &middleware.Sessions{Manager: m, Cookies: newJar(t)}
	s, err := m.Create(t.Context(), session.New{Tokens: h.pool.tokens(), Username: "ann"}, session.Handle{})
	if err != nil {
		t.Fatal(err)
	}
	h.handle = s.Handle
	return h
}

// lastSeen is what the store has on record.
func (h *house) lastSeen(t *testing.T) time.Time {
	t.Helper()
	page, err := h.store.List(t.Context(), "sub-1", session.Position{}, 10)
	if err != nil || len(page.Sessions) != 1 {
		t.Fatalf("%d sessions, error %v", len(page.Sessions), err)
	}
	return page.Sessions[0].LastSeen
}

// end ends the session behind everybody's back.
func (h *house) end(t *testing.T) {
	t.Helper()
	if _, err := h.store.Delete(t.Context(), h.handle, session.ReasonLogout); err != nil {
		t.Fatal(err)
	}
}

// ask sends a call with the handle through all three middlewares.
func (h *house) ask(route *routing.Route, handle session.Handle) (x *middleware.Exchange, w *httptest.ResponseRecorder, reached bool, err error) {
	x = on(route)
	x.Handle = handle
	w, reached, err = walk(request("GET", "/api/x", "Sec-Fetch-Mode: cors"), x,
		h.sessions.LoadSession, middleware.Authorize, h.sessions.TouchSession, h.sessions.FreshToken)
	return x, w, reached, err
}

// inTime runs f with a house, under a clock of its own.
func inTime(t *testing.T, name string, f func(*testing.T, *house)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t)
			f(t, h)
			if err := h.manager.Drain(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
			time.Sleep(10 * time.Second) // timers of the manager
		})
	})
}

// route is one with the defaults of the configuration.
func route(auth routing.Auth) *routing.Route {
	return &routing.Route{Path: "/api/", Access: routing.Access{Auth: auth, Navigations: true, Touch: true}, Upstreams: routing.To(&url.URL{Scheme: "http", Host: "127.0.0.1:9"})}
}

var unknown = secret.NewText("a handle of nobody's")
