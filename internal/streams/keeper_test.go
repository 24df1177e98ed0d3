package streams_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/streams"
)

const (
	idleTimeout     = 30 * time.Minute
	absoluteTimeout = 12 * time.Hour
	check           = time.Minute
)

// promise is how long an exchange outlasts its session at most.
const promise = time.Second

// round is how often the keeper looks.
const round = 250 * time.Millisecond

// pool is a user pool that issues tokens for ever, unless its user is out or it is away.
type pool struct{ out, away, hangs atomic.Bool }

func (p *pool) tokens() oauth.Tokens {
	return oauth.Tokens{
		Access: secret.NewText("access"), ID: secret.NewText("id"), Refresh: secret.NewText("refresh"),
		AccessExpiresAt: time.Now().Add(24 * time.Hour), Subject: "sub-1",
	}
}

func (p *pool) Refresh(context.Context, oauth.Tokens) (oauth.Tokens, error) {
	switch {
	case p.away.Load():
		return oauth.Tokens{}, errors.New("no answer")
	case p.out.Load():
		return oauth.Tokens{}, oauth.ErrGrantRevoked
	}
	return p.tokens(), nil
}

func (p *pool) Revoke(context.Context, oauth.Tokens) error { return nil }

func (p *pool) stillIn(ctx context.Context, _ oauth.Tokens) error {
	if p.hangs.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if p.out.Load() {
		return oauth.ErrGrantRevoked
	}
	return nil
}

// store is the memory store, which can be away, and whose changes may not arrive.
type store struct {
	*sessionstore.Memory
	away  atomic.Bool
	deaf  atomic.Bool
	loads atomic.Int64

	traits  session.Traits
	loses   atomic.Bool // changes, though it says that they arrive
	refuses sync.Map    // handles about which it says nothing
}

func (s *store) Traits() session.Traits { return s.traits }

// Load takes as long as a store may to say that it is away.
func (s *store) Load(ctx context.Context, h session.Handle) (*session.Session, error) {
	s.loads.Add(1)
	if s.away.Load() {
		time.Sleep(session.StoreTimeout)
		return nil, fmt.Errorf("%w: dial", session.ErrUnavailable)
	}
	if _, refused := s.refuses.Load(h.Reveal()); refused {
		return nil, fmt.Errorf("%w: refused", session.ErrUnavailable)
	}
	return s.Memory.Load(ctx, h)
}

func (s *store) Watch(ctx context.Context, receive func(session.Change), up func(bool)) error {
	return s.Memory.Watch(ctx, func(c session.Change) {
		if !s.deaf.Load() && !s.loses.Load() {
			receive(c)
		}
	}, func(is bool) { up(is && !s.deaf.Load()) })
}

// house is a gateway's sessions, and what is open on the strength of one.
type house struct {
	*testing.T
	pool    *pool
	store   *store
	manager *session.Manager
	keeper  *streams.Keeper
	session *session.Session

	place streams.Place
	mu    sync.Mutex
	ended time.Time
}

// inTime runs a test with a house under a clock of its own.
func inTime(t *testing.T, name string, f func(*house)) { checked(t, name, 0, f) }

// lossy is inTime where the store says that changes may get lost.
func lossy(t *testing.T, name string, f func(*house)) {
	of(t, name, session.Traits{CacheAge: 900 * time.Millisecond}, 0, f)
}

// moving is inTime where handles move.
func moving(t *testing.T, name string, f func(*house)) {
	of(t, name, session.Traits{MovingHandles: true}, 0, f)
}

// checked is inTime where the user pool is asked that often whether its user is in.
func checked(t *testing.T, name string, every time.Duration, f func(*house)) {
	of(t, name, session.Traits{}, every, f)
}

func of(t *testing.T, name string, traits session.Traits, every time.Duration, f func(*house)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t, traits, every)
			ctx, stop := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { _ = h.manager.Run(ctx) })
			running.Go(func() { h.keeper.Run(ctx) })
			synctest.Wait()
			h.open(h.session)
			f(h)
			stop()
			running.Wait()
			if err := h.manager.Drain(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Minute) // timers of the manager
		})
	})
}

func newHouse(t *testing.T, traits session.Traits, every time.Duration) *house {
	h := &house{T: t, pool: &pool{}, store: &store{Memory: sessionstore.NewMemory(sessionstore.MemoryOptions{IdleTimeout: idleTimeout}), traits: traits}}
	var err error
	h.manager, err = session.NewManager(session.Options{
		Store: h.store, Provider: h.pool, IdleTimeout: idleTimeout, AbsoluteTimeout: absoluteTimeout,
		BeforeExpiry: time.Minute, RefreshTimeout: 10 * time.Second, ForcedPerMinute: 10,
		UserCheck: session.UserCheck{Every: every, Ask: h.pool.stillIn}, CacheBytes: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.keeper = &streams.Keeper{Registry: &streams.Registry{}, Sessions: h.manager}
	h.manager.Follow(h.keeper.Heard)
	h.session = h.signIn()
	return h
}

func (h *house) signIn() *session.Session {
	h.Helper()
	s, err := h.manager.Create(h.Context(), session.New{Tokens: h.pool.tokens(), Username: "ann"}, session.Handle{})
	if err != nil {
		h.Fatal(err)
	}
	return s
}

// open opens the exchange of the house.
func (h *house) open(s *session.Session) { h.join(&h.place, h, s) }

// join is for registries that have room.
func (h *house) join(p *streams.Place, e streams.Exchange, s *session.Session) {
	if err := h.keeper.Registry.Join(p, e, s, time.Now()); err != nil {
		panic(err)
	}
}

// EndWithSession implements [streams.Exchange].
func (h *house) EndWithSession() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = time.Now()
}

// wantOpen fails if the exchange was ended.
func (h *house) wantOpen(when string) {
	h.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ended.IsZero() {
		h.Errorf("%s the exchange is ended", when)
	}
}

// wantEnded fails unless the exchange was ended within that time from since on.
func (h *house) wantEnded(since time.Time, within time.Duration) {
	h.Helper()
	time.Sleep(time.Until(since.Add(2 * within)))
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if took := h.ended.Sub(since); h.ended.IsZero() || took < 0 || took > within {
		h.Errorf("ended after %v (never: %v), want %v at most", took, h.ended.IsZero(), within)
	}
}

func (h *house) end(by session.Reason) {
	h.Helper()
	if _, err := h.manager.End(h.Context(), h.session.Handle, by); err != nil {
		h.Fatal(err)
	}
}

func TestKeeper_ends_what_is_open_with_its_session(t *testing.T) {
	for _, reason := range []session.Reason{
		session.ReasonLogout, session.ReasonGlobal, session.ReasonRevoked, session.ReasonAdmin, session.ReasonReplaced,
	} {
		inTime(t, "an_end_by_"+string(reason), func(h *house) {
			time.Sleep(10 * time.Minute)
			h.wantOpen("before the end")
			at := time.Now()
			h.end(reason)
			h.wantEnded(at, promise)
			if n := h.keeper.Ended(); n != 1 {
				t.Errorf("%d are counted", n)
			}
		})
	}
	inTime(t, "an_end_that_was_not_heard", func(h *house) {
		h.store.deaf.Store(true)
		time.Sleep(time.Minute)
		h.wantOpen("deaf")
		at := time.Now()
		h.end(session.ReasonLogout)
		h.wantEnded(at, promise)
	})
	inTime(t, "one_that_came_while_changes_went_astray", func(h *house) {
		time.Sleep(time.Minute)
		at := time.Now()
		h.store.deaf.Store(true)
		h.end(session.ReasonLogout)
		time.Sleep(3 * session.Heartbeat)
		h.store.deaf.Store(false)
		h.wantEnded(at, 2*promise)
	})
	inTime(t, "an_end_in_a_gap_that_is_over_before_anybody_looks", func(h *house) {
		time.Sleep(time.Minute + round/2)
		at := time.Now()
		h.gap(60*time.Millisecond, func() { h.end(session.ReasonLogout) })
		h.wantEnded(at, promise)
	})
	inTime(t, "an_end_in_a_gap_in_which_the_exchange_began", func(h *house) {
		h.keeper.Registry.Leave(&h.place)
		time.Sleep(time.Minute)
		at := time.Now()
		h.gap(2*time.Second, func() {
			h.open(h.session)
			time.Sleep(time.Second)
			at = time.Now()
			h.end(session.ReasonLogout)
		})
		h.wantEnded(at, 2*promise)
	})
	lossy(t, "an_end_of_which_the_news_got_lost", func(h *house) {
		time.Sleep(time.Minute)
		at := time.Now()
		h.store.loses.Store(true)
		h.end(session.ReasonLogout)
		h.wantEnded(at, 2*promise)
	})
	inTime(t, "an_end_that_somebody_suspects", func(h *house) {
		time.Sleep(time.Minute)
		h.store.loses.Store(true)
		h.end(session.ReasonLogout)
		time.Sleep(time.Minute)
		h.wantOpen("while nobody does")
		at := time.Now()
		h.keeper.Registry.Doubt(&h.place)
		h.wantEnded(at, promise)
	})
	moving(t, "the_absolute_limit_where_handles_move", func(h *house) {
		time.Sleep(time.Until(h.session.ExpiresAt.Add(-time.Millisecond)))
		h.wantOpen("which may be used elsewhere")
		h.wantEnded(h.session.ExpiresAt, 2*promise)
	})
	inTime(t, "the_idle_limit", func(h *house) {
		limit := h.manager.EndsAt(h.session)
		time.Sleep(time.Until(limit.Add(-time.Millisecond)))
		h.wantOpen("before the limit")
		h.wantEnded(limit, promise)
	})
	inTime(t, "the_absolute_limit", func(h *house) {
		for time.Until(h.session.ExpiresAt) > idleTimeout {
			time.Sleep(idleTimeout / 2)
			if _, err := h.manager.Touch(h.Context(), h.load()); err != nil {
				h.Fatal(err)
			}
		}
		time.Sleep(time.Until(h.session.ExpiresAt.Add(-time.Millisecond)))
		h.wantOpen("before the limit")
		h.wantEnded(h.session.ExpiresAt, promise)
	})
	checked(t, "a_user_who_is_out_at_the_pool", check, func(h *house) {
		time.Sleep(10 * time.Minute)
		h.wantOpen("while the user is in")
		time.Sleep(check / 3)
		at := time.Now()
		h.pool.out.Store(true)
		h.wantEnded(at, check+2*promise)
	})
	checked(t, "and_not_before_that_is_certain", check, func(h *house) {
		h.pool.out.Store(true) // which a refresh is to confirm
		h.pool.away.Store(true)
		time.Sleep(10 * time.Minute)
		h.wantOpen("while nobody can say")
		at := time.Now()
		h.pool.away.Store(false)
		h.wantEnded(at, 2*check)
	})
}

// gap has changes not arrive for a while, in which something happens.
func (h *house) gap(d time.Duration, f func()) {
	h.store.deaf.Store(true)
	h.beat()
	f()
	h.beat()
	time.Sleep(d)
	h.store.deaf.Store(false)
	h.beat()
}

// beat has the store say whether changes arrive: it does so with each.
func (h *house) beat() {
	if _, err := h.manager.End(h.Context(), h.signIn().Handle, session.ReasonLogout); err != nil {
		h.Fatal(err)
	}
	synctest.Wait()
}

func (h *house) load() *session.Session {
	h.Helper()
	s, err := h.manager.Load(h.Context(), h.session.Handle)
	if err != nil {
		h.Fatal(err)
	}
	return s
}

// A session that is used elsewhere lives, and what is open with it; so does one that is
// used on the exchange itself, and no longer than that.
func TestKeeper_leaves_open_what_is_used(t *testing.T) {
	inTime(t, "elsewhere", func(h *house) {
		for range 10 {
			time.Sleep(idleTimeout / 2)
			if _, err := h.manager.Touch(h.Context(), h.load()); err != nil {
				h.Fatal(err)
			}
		}
		h.wantOpen("while it is used")
	})
	inTime(t, "on_the_exchange", func(h *house) {
		for range 10 {
			time.Sleep(idleTimeout / 2)
			h.place.Used().Store(true)
		}
		used := time.Now()
		h.wantOpen("while it is used")
		time.Sleep(idleTimeout - time.Second)
		h.wantOpen("within its idle limit")
		h.wantEnded(used, session.IdleLimit(idleTimeout)+2*promise)
	})
	inTime(t, "until_it_is_closed", func(h *house) {
		h.keeper.Registry.Leave(&h.place)
		h.end(session.ReasonLogout)
		h.wantOpen("after it has left")
	})
}

// No outage ends anything; what ended meanwhile ends when it is over.
func TestKeeper_outlasts_an_outage(t *testing.T) {
	inTime(t, "of_the_store", func(h *house) {
		h.store.away.Store(true)
		h.store.deaf.Store(true)
		time.Sleep(time.Hour) // past the idle limit that was known
		h.wantOpen("while nobody can say")
		h.store.away.Store(false)
		h.wantEnded(time.Now(), session.StoreTimeout+2*promise)
	})
	inTime(t, "in_which_a_session_has_ended", func(h *house) {
		h.store.away.Store(true)
		h.store.deaf.Store(true)
		time.Sleep(10 * time.Second)
		if _, err := h.store.Delete(h.Context(), h.session.Handle, session.ReasonAdmin); err != nil {
			h.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		h.wantOpen("while nobody can say")
		h.store.deaf.Store(false)
		time.Sleep(time.Minute)
		h.wantOpen("while the store cannot be asked")
		h.store.away.Store(false)
		h.wantEnded(time.Now(), session.StoreTimeout+2*promise)
	})
	inTime(t, "and_goes_on_after_it", func(h *house) {
		h.store.away.Store(true)
		h.store.deaf.Store(true)
		time.Sleep(10 * time.Minute)
		h.store.away.Store(false)
		h.store.deaf.Store(false)
		time.Sleep(time.Minute)
		h.wantOpen("after the outage")
	})
}

// While there is no answer, few ask: all others who are open would wait too.
func TestKeeper_asks_a_silent_store_few_times(t *testing.T) {
	inTime(t, "", func(h *house) {
		places := make([]streams.Place, 1000)
		for i := range places {
			h.join(&places[i], h, h.signIn())
		}
		time.Sleep(time.Minute)
		h.store.away.Store(true)
		h.store.deaf.Store(true)
		before := h.store.loads.Load()
		time.Sleep(time.Minute)
		if n := h.store.loads.Load() - before; n < 20 || n > 60 {
			h.Errorf("%d calls of a store that is away, in a minute", n)
		}
		h.wantOpen("while nobody can say")
	})
}

// One session about which there is no answer, and one user about whom there is none,
// keep the keeper from nobody else.
func TestKeeper_waits_for_nobody(t *testing.T) {
	inTime(t, "whose_store_says_nothing", func(h *house) {
		places := make([]streams.Place, 100)
		for i := range places {
			s := h.signIn()
			h.store.refuses.Store(s.Handle.Reveal(), true)
			h.join(&places[i], &other{}, s)
		}
		limit := h.manager.EndsAt(h.session)
		h.wantEnded(limit, promise)
	})
	checked(t, "whose_user_pool_hangs", check, func(h *house) {
		places := make([]streams.Place, 100)
		for i := range places {
			h.join(&places[i], &other{}, h.signIn())
		}
		time.Sleep(2 * check)
		h.pool.hangs.Store(true)
		time.Sleep(2*check + check/2)
		h.store.deaf.Store(true)
		at := time.Now()
		h.end(session.ReasonLogout)
		h.wantEnded(at, promise)
	})
}

// other is an exchange of somebody else's.
type other struct{}

func (other) EndWithSession() {}
