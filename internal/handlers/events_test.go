package handlers_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/handlers"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/streams"
)

const idle = 30 * time.Minute

// noPool is a user pool that must not be asked.
type noPool struct{ t *testing.T }

func (p noPool) Refresh(context.Context, oauth.Tokens) (oauth.Tokens, error) {
	p.t.Error("a quiet stream refreshed the session")
	return oauth.Tokens{}, oauth.ErrUnavailable
}

func (noPool) Revoke(context.Context, oauth.Tokens) error { return nil }

// account is one session, and what serves it, in the memory store.
func account(t *testing.T) (*handlers.Events, *session.Session) {
	t.Helper()
	return accountIn(t, sessionstore.NewMemory(sessionstore.MemoryOptions{IdleTimeout: idle}))
}

func accountIn(t *testing.T, st session.Store) (*handlers.Events, *session.Session) {
	t.Helper()
	m, err := session.NewManager(session.Options{
		Store: st, Provider: noPool{t},
		IdleTimeout: idle, AbsoluteTimeout: 12 * time.Hour, BeforeExpiry: time.Minute,
		RefreshTimeout: time.Second, ForcedPerMinute: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Create(t.Context(), session.New{Tokens: oauth.Tokens{
		Subject: "sub-1", Access: secret.NewText("access"), AccessExpiresAt: time.Now().Add(time.Hour),
		AccessClaims: []byte("{}"), IDClaims: []byte("{}"),
	}}, session.Handle{})
	if err != nil {
		t.Fatal(err)
	}
	return &handlers.Events{
		Open:    &streams.Registry{},
		Account: &handlers.Account{Sessions: &middleware.Sessions{Manager: m}}, Lead: time.Minute,
	}, s
}

// answer notes when what was written; broken, it takes nothing.
type answer struct {
	*httptest.ResponseRecorder
	broken bool
	at     []time.Time
}

func (a *answer) Write(p []byte) (int, error) {
	if a.broken {
		return 0, errors.New("connection reset")
	}
	a.at = append(a.at, time.Now())
	return a.ResponseRecorder.Write(p)
}

// stream runs a stream until it ends by itself or d has passed.
func stream(t *testing.T, e *handlers.Events, s *session.Session, a *answer, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/auth/events", nil)
	if err := e.Stream(a, r, &middleware.Exchange{Handle: s.Handle}); err != nil {
		t.Fatal(err)
	}
	if n := e.Account.Sessions.Manager.Stats().Streams[handlers.EventStreams.Name]; n != 0 {
		t.Errorf("%d streams are still counted", n)
	}
}

func TestAQuietStreamBeatsAndIsNoUseOfItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s := account(t)
		a := &answer{ResponseRecorder: httptest.NewRecorder()}
		began := time.Now()
		stream(t, e, s, a, 2*time.Hour)
		for i := 1; i < len(a.at); i++ {
			if gap := a.at[i].Sub(a.at[i-1]); gap > 25*time.Second {
				t.Fatalf("a gap of %v after %v", gap, a.at[i-1].Sub(began))
			}
		}
		if n := strings.Count(a.Body.String(), ":\n\n"); n < 70 || n > 110 {
			t.Errorf("%d beats", n)
		}
		body := a.Body.String()
		for _, want := range []string{"event: session\n", "event: sessionExpiring\n", "event: signedOut\ndata: {\"reason\":\"expired\"}\n"} {
			if strings.Count(body, want) != 1 {
				t.Errorf("%q comes %d times", want, strings.Count(body, want))
			}
		}
		if took := time.Since(began); took < idle || took > idle+idle/10+25*time.Second {
			t.Errorf("it lasted %v, with an idle timeout of %v", took, idle)
		}
	})
}

func TestAStreamWhoseReaderIsGoneEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s := account(t)
		began := time.Now()
		stream(t, e, s, &answer{ResponseRecorder: httptest.NewRecorder(), broken: true}, time.Hour)
		if took := time.Since(began); took > 0 {
			t.Errorf("it went on for %v", took)
		}
	})
}

// slowStore takes its time for a load, and counts them; it can be away.
type slowStore struct {
	session.Store
	took time.Duration

	gap chan struct{} // taken once changes have not been heard for a moment

	mu                 sync.Mutex
	away               bool
	loads, now, atOnce int
}

// Watch hears of nothing but gaps.
func (s *slowStore) Watch(ctx context.Context, _ func(session.Change), up func(bool)) error {
	for up(true); ; up(true) {
		select {
		case <-s.gap:
			up(false)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *slowStore) Load(ctx context.Context, h session.Handle) (*session.Session, error) {
	s.mu.Lock()
	s.loads, s.now = s.loads+1, s.now+1
	s.atOnce = max(s.atOnce, s.now)
	away := s.away
	s.mu.Unlock()
	time.Sleep(s.took)
	s.mu.Lock()
	s.now--
	s.mu.Unlock()
	if away {
		return nil, session.ErrUnavailable
	}
	return s.Store.Load(ctx, h)
}

// begin counts anew, and returns how many loads there were, and at once.
func (s *slowStore) begin(away bool) (loads, atOnce int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	loads, atOnce = s.loads, s.atOnce
	s.away, s.loads, s.atOnce = away, 0, 0
	return loads, atOnce
}

func TestStreamsThatMissedChangesLookSoonAndNotAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const streams, atOnce = 16, 2
		st := &slowStore{Store: sessionstore.NewMemory(sessionstore.MemoryOptions{IdleTimeout: idle}), took: 300 * time.Millisecond,
			gap: make(chan struct{})}
		e, s := accountIn(t, st)
		e.Lookups = make(chan struct{}, atOnce)
		ctx, cancel := context.WithCancel(t.Context())
		var open sync.WaitGroup
		open.Go(func() { _ = e.Account.Sessions.Manager.Run(ctx) })
		synctest.Wait() // or the streams would take the beginning for a gap
		for range streams {
			open.Go(func() {
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/auth/events", nil)
				if err := e.Stream(httptest.NewRecorder(), r, &middleware.Exchange{Handle: s.Handle}); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(2 * time.Second)
		st.begin(false)
		st.gap <- struct{}{}
		time.Sleep(5 * time.Second)
		if n, most := st.begin(true); n != streams || most > atOnce {
			t.Errorf("%d lookups, %d at once", n, most)
		}
		st.gap <- struct{}{}
		time.Sleep(5 * time.Second)
		if n, _ := st.begin(false); n < streams {
			t.Errorf("%d lookups of a store that was away", n)
		}
		time.Sleep(10 * time.Second)
		if n, _ := st.begin(false); n != streams {
			t.Errorf("%d lookups once it was back", n)
		}
		cancel()
		open.Wait()
	})
}
