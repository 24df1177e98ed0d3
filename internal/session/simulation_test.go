package session_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
)

const (
	simulated = 4 * time.Minute  // of trouble
	simCalm   = 45 * time.Second // and then none
	simGrace  = time.Minute      // Cognito's longest
	// simLife makes a session refresh some ten times while there is trouble.
	simLife = 20 * time.Second
	// simStale is how long after an end, or after a newer generation was seen,
	// another instance may serve what it has cached.
	simStale = time.Second
)

// TestSimulation lets a fleet run through trouble that a seed decides: instances
// that are killed and replaced, stores and providers that are away, slow, lose
// answers or carry out late what they were asked, clients that leave, and
// sign-outs in between. SIMULATION_SEED=n runs one seed alone. The seed decides
// each actor's draws, not the order in which they get the processor.
//
// What must hold whatever happens:
//
//   - a refresh token is in use at most once at a time;
//   - no session is lost that nobody ended;
//   - no session is served that was ended more than a second ago, and none at all
//     by the instance that ended it;
//   - a record never goes back to an older generation, nor does it come back;
//   - a token that is served holds, and is the session's own;
//   - when the trouble is over everyone is served again, or refused, as is right.
func TestSimulation(t *testing.T) {
	first, n := uint64(0), simulations
	if text := os.Getenv("SIMULATION_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		first, n = seed, 1
	} else if simulationsAnew {
		first = rand.Uint64() >> 1
	}
	t.Logf("seeds from %d, %d of them", first, n)
	for seed := first; seed < first+uint64(n) && !t.Failed(); seed++ {
		synctest.Test(t, func(t *testing.T) { newSimulation(t, seed).run() })
	}
}

// simulation is one run.
type simulation struct {
	t    *testing.T
	seed uint64

	records  *recordedStore
	provider *simProvider
	sessions []*simSession

	mu        sync.Mutex
	instances []*simInstance
	dead      []*simInstance
	streams   uint64 // of random numbers, handed out
	calm      bool   // no more trouble
	over      bool
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	sim := &simulation{t: t, seed: seed}
	sim.records = &recordedStore{
		Store: sessionstore.NewMemory(sessionstore.MemoryOptions{IdleTimeout: idleTimeout}),
		sim:   sim, generations: make(map[string]uint64), gone: make(map[string]bool),
	}
	sim.provider = &simProvider{sim: sim, rng: sim.rng(), families: make(map[string]int),
		replaced: make(map[string]time.Time), revoked: make(map[string]bool), access: make(map[string]int), inUse: make(map[int]int), lost: make(map[int]int)}
	return sim
}

func (sim *simulation) run() {
	r := sim.rng()
	for range 3 + r.IntN(3) {
		sim.instances = append(sim.instances, sim.newInstance())
	}
	var actors sync.WaitGroup
	for i := range 2 + r.IntN(4) {
		s := sim.login(i)
		for range 1 + r.IntN(4) {
			actors.Go(func() { sim.browse(s, sim.rng()) })
		}
		if r.IntN(2) == 0 {
			actors.Go(func() { sim.signOut(s, sim.rng()) })
		}
	}
	actors.Go(func() { sim.trouble(sim.rng()) })
	time.Sleep(simulated)
	sim.set(func() { sim.calm = true })
	time.Sleep(simCalm)
	sim.set(func() { sim.over = true })
	actors.Wait()
	sim.judge()
	for _, i := range append(sim.instances, sim.dead...) {
		i.stop()
	}
}

// rng is the next actor's own stream of numbers.
func (sim *simulation) rng() *rand.Rand {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	sim.streams++
	return rand.New(rand.NewPCG(sim.seed, sim.streams))
}

func (sim *simulation) set(change func()) {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	change()
}

func (sim *simulation) is(state *bool) bool {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	return *state
}

// violated says which seed shows it.
func (sim *simulation) violated(format string, args ...any) {
	sim.t.Errorf("SIMULATION_SEED=%d at %v: %s", sim.seed, time.Now().Format("04:05.000"), fmt.Sprintf(format, args...))
}

// trouble strikes every few seconds, until all is calm.
func (sim *simulation) trouble(r *rand.Rand) {
	for pauseFor(r, 6*time.Second); !sim.is(&sim.calm); pauseFor(r, 6*time.Second) {
		one := sim.any(r)
		switch r.IntN(7) {
		case 0:
			sim.kill(one, r)
		case 1:
			one.setAway(true, "all", "watch")
			pauseFor(r, 5*time.Second)
			one.setAway(false, "all", "watch")
		case 2:
			one.setAway(true, "watch")
			pauseFor(r, 5*time.Second)
			one.setAway(false, "watch")
		case 3:
			all := sim.living()
			for _, i := range all {
				i.setAway(true, "all", "watch")
			}
			pauseFor(r, 3*time.Second)
			for _, i := range all {
				i.setAway(false, "all", "watch")
			}
		case 4:
			sim.provider.setAway(true)
			pauseFor(r, 5*time.Second)
			sim.provider.setAway(false)
		case 5:
			sim.provider.setSlow(12 * time.Second) // longer than a call may take
			pauseFor(r, 5*time.Second)
			sim.provider.setSlow(0)
		case 6: // a quiet while
		}
	}
}

func pauseFor(r *rand.Rand, most time.Duration) { time.Sleep(time.Duration(r.Int64N(int64(most)))) }

// kill ends an instance as kill -9 does, and starts another in its place.
func (sim *simulation) kill(i *simInstance, r *rand.Rand) {
	i.die()
	pauseFor(r, 3*time.Second)
	next := sim.newInstance()
	sim.set(func() {
		for at, other := range sim.instances {
			if other == i {
				sim.instances[at] = next
				sim.dead = append(sim.dead, i)
			}
		}
	})
}

func (sim *simulation) living() []*simInstance {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	return append([]*simInstance(nil), sim.instances...)
}

func (sim *simulation) any(r *rand.Rand) *simInstance {
	all := sim.living()
	return all[r.IntN(len(all))]
}

// simSession is what is known of one session from outside.
type simSession struct {
	family int
	handle session.Handle
	id     string

	mu    sync.Mutex
	asked bool         // someone has begun to end it
	ended time.Time    // an end was answered
	by    *simInstance // who answered that
	seen  []sighting   // generations, newest last
}

type sighting struct {
	at         time.Time
	generation uint64
}

func (sim *simulation) login(family int) *simSession {
	s, err := sim.instances[0].m.Create(context.Background(), session.New{Tokens: sim.provider.login(family)}, session.Handle{})
	for errors.Is(err, session.ErrUnavailable) { // its revoked tokens are of no further use
		s, err = sim.instances[0].m.Create(context.Background(), session.New{Tokens: sim.provider.login(family)}, session.Handle{})
	}
	if err != nil {
		sim.t.Fatalf("SIMULATION_SEED=%d: Create: %v", sim.seed, err)
	}
	known := &simSession{family: family, handle: s.Handle, id: s.ID}
	sim.sessions = append(sim.sessions, known)
	return known
}

// browse asks for the session, at whichever instance, every second or so: within
// the grace someone must come back for a session whose refresh was cut off.
func (sim *simulation) browse(s *simSession, r *rand.Rand) {
	for ; !sim.is(&sim.over); pauseFor(r, 2*time.Second) {
		ctx, leave := context.WithCancel(context.Background())
		if r.IntN(10) == 0 {
			time.AfterFunc(time.Duration(r.Int64N(int64(3*time.Second))), leave)
		}
		sim.request(ctx, s, sim.any(r))
		leave()
	}
}

// request is what a proxied call does, and what must be true of its outcome.
func (sim *simulation) request(ctx context.Context, s *simSession, at *simInstance) {
	began := time.Now()
	got, err := at.m.Load(ctx, s.handle)
	if err == nil {
		got, _ = at.m.Touch(ctx, got)
		got, err = at.m.Fresh(ctx, got)
	}
	if at.isDead() {
		return // nobody gets that answer
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		sim.served(s, got, at, began)
	case errors.Is(err, session.ErrNotFound):
		if !s.asked {
			sim.violated("session %d is lost, and nobody ended it: %v", s.family, err)
		}
	case errors.Is(err, session.ErrUnavailable), errors.Is(err, oauth.ErrUnavailable),
		errors.Is(err, session.ErrConflict), ctx.Err() != nil:
	default:
		sim.violated("session %d is answered %v", s.family, err)
	}
}

// served judges an answer with a token. The caller holds the session's mu.
func (sim *simulation) served(s *simSession, got *session.Session, at *simInstance, began time.Time) {
	if late := began.Sub(s.ended); !s.ended.IsZero() && late >= 0 && (at == s.by || late > simStale) {
		sim.violated("session %d is served %v after its end", s.family, late)
	}
	if now := time.Now(); !now.Before(got.Tokens.AccessExpiresAt) {
		sim.violated("session %d is served with a token that expired %v ago", s.family, now.Sub(got.Tokens.AccessExpiresAt))
	}
	if !sim.provider.issuedTo(s.family, got.Tokens.Access.Reveal()) {
		sim.violated("session %d is served with a token of someone else", s.family)
	}
	for _, old := range s.seen {
		if old.generation > got.Generation && began.Sub(old.at) > simStale {
			sim.violated("session %d is at generation %d, and was at %d %v before", s.family, got.Generation, old.generation, began.Sub(old.at))
		}
	}
	if n := len(s.seen); n == 0 || got.Generation > s.seen[n-1].generation {
		s.seen = append(s.seen, sighting{time.Now(), got.Generation})
	}
}

// signOut ends the session at some time, by its handle or its public id.
func (sim *simulation) signOut(s *simSession, r *rand.Rand) {
	pauseFor(r, simulated)
	at := sim.any(r)
	s.mu.Lock()
	s.asked = true
	s.mu.Unlock()
	var err error
	if r.IntN(2) == 0 {
		_, err = at.m.End(context.Background(), s.handle, session.ReasonLogout)
	} else {
		err = at.m.EndAnyID(context.Background(), s.id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && !at.isDead() {
		s.ended, s.by = time.Now(), at
	}
}

// judge asks every instance about every session, now that all is well.
func (sim *simulation) judge() {
	for _, s := range sim.sessions {
		for _, at := range sim.instances {
			got, err := at.m.Load(context.Background(), s.handle)
			if err == nil {
				_, err = at.m.Fresh(context.Background(), got)
			}
			switch {
			case !s.asked && err != nil:
				sim.violated("session %d is not served when all is well: %v", s.family, err)
			case !s.ended.IsZero() && !errors.Is(err, session.ErrNotFound):
				sim.violated("session %d has ended, and is answered %v when all is well", s.family, err)
			}
		}
	}
}
