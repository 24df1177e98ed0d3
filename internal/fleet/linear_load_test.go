package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// alive is how many sessions there are at a time, readers how many clients use
	// each of them at once.
	alive   = 5
	readers = 2
	// afterlife is how long readers go on behind a session's end.
	afterlife = staleness + 500*time.Millisecond
	// patience is how long a client waits for an answer: longer than a gateway takes.
	patience = 20 * time.Second
)

// The clients of a session, as a drawing of its history shows them.
const (
	replayer = iota
	hurrier  // the nemesis, which wants a refresh
	ender
	firstReader
)

// load lets users sign in, use their sessions at all instances, and end them in
// every way there is, and notes what was answered.
type load struct {
	t     testing.TB
	fleet *Fleet
	wire  *Browser // its connections, without cookies
	began time.Time
	seed  uint64

	mu  sync.Mutex
	all []*life
	odd []string // answers that nothing of this explains
}

// life is one session and all that was asked of it.
type life struct {
	number     int
	id, cookie string
	first      string // jti of the first token that was seen
	created    time.Duration

	mu      sync.Mutex
	history []operation
}

func newLoad(t testing.TB, f *Fleet, seed uint64) *load {
	wire := f.NewBrowser()
	wire.jar = nil
	return &load{t: t, fleet: f, wire: wire, began: time.Now(), seed: seed}
}

func (l *load) now() time.Duration { return time.Since(l.began) }

// run keeps the load up until ctx ends, and returns when the last answer is there.
func (l *load) run(ctx context.Context) {
	var wg sync.WaitGroup
	for i := range alive {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				l.live(ctx, rand.New(rand.NewPCG(l.seed, uint64(i)<<32|uint64(n))))
			}
		})
	}
	wg.Go(func() { l.replay(ctx, rand.New(rand.NewPCG(l.seed, 1<<62))) })
	wg.Wait()
}

// live is the life of one session.
func (l *load) live(ctx context.Context, r *rand.Rand) {
	s := l.signIn(ctx, r)
	if s == nil {
		return
	}
	using, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for i := range readers {
		reader := rand.New(rand.NewPCG(r.Uint64(), uint64(i)))
		wg.Go(func() {
			for using.Err() == nil {
				l.use(s, firstReader+i, reader)
				sleep(using, time.Duration(10+reader.IntN(90))*time.Millisecond)
			}
		})
	}
	sleep(ctx, time.Duration(500+r.IntN(5500))*time.Millisecond)
	for tries := 1 + r.IntN(2); tries > 0; tries-- { // some are left in doubt
		if l.end(s, r) == ended {
			break
		}
	}
	sleep(ctx, afterlife)
	stop()
}

// replay presents the cookies of all sessions again, those that ended long ago
// too.
func (l *load) replay(ctx context.Context, r *rand.Rand) {
	for sleep(ctx, 20*time.Millisecond) {
		l.mu.Lock()
		var s *life
		if len(l.all) > 0 {
			s = l.all[r.IntN(len(l.all))]
		}
		l.mu.Unlock()
		if s != nil {
			l.ask(s, operation{Client: replayer, Instance: r.IntN(len(l.fleet.Gateways)), What: "GET /api/"}, patience)
		}
	}
}

// sleep waits, and reports false if ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// signIn begins a session, nil if nothing can be known of it: what is in trouble
// is asked again a few times.
func (l *load) signIn(ctx context.Context, r *rand.Rand) *life {
	for ctx.Err() == nil {
		b, instance := l.fleet.NewBrowser(), r.IntN(len(l.fleet.Gateways))
		for i := range l.fleet.Gateways { // what a link swallowed is never answered
			b.at(i).Timeout = patience
		}
		if err := b.SignIn(instance, "alice@example.com"); err != nil {
			sleep(ctx, 100*time.Millisecond)
			continue
		}
		s := &life{cookie: b.Cookie(), created: l.now()}
		if l.identify(ctx, s, instance) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.all = append(l.all, s)
			s.number = len(l.all)
			return s
		}
	}
	return nil
}

// identify learns the session's public id and its token.
func (l *load) identify(ctx context.Context, s *life, instance int) bool {
	for range 50 {
		a, err := l.call(ctx, s.cookie, instance, http.MethodGet, "/auth/sessions")
		var list []struct {
			ID      string `json:"id"`
			Current bool   `json:"current"`
		}
		if err == nil && json.Unmarshal([]byte(a.Body), &list) == nil {
			for _, e := range list {
				if e.Current {
					s.id = e.ID
				}
			}
		}
		if s.id != "" {
			op := l.ask(s, operation{Client: ender, Instance: instance, What: "GET /auth/session"}, patience)
			if s.first = op.Token; s.first != "" {
				return true
			}
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return false
		}
	}
	return false
}

// use is one request of a page.
func (l *load) use(s *life, client int, r *rand.Rand) {
	op := operation{Client: client, Instance: r.IntN(len(l.fleet.Gateways)), What: "GET /api/"}
	patience := patience
	switch n := r.IntN(100); {
	case n < 25:
		op.What = "GET /auth/session"
	case n < 35:
		op.What = "POST /auth/refresh"
	}
	if r.IntN(20) == 0 { // the user goes elsewhere
		patience = time.Duration(1+r.IntN(40)) * time.Millisecond
	}
	l.ask(s, op, patience)
}

// end is one of the ways to end a session.
func (l *load) end(s *life, r *rand.Rand) outcome {
	op := operation{Client: ender, Instance: r.IntN(len(l.fleet.Gateways)), Ends: true, What: "POST /auth/logout"}
	patience := patience
	switch r.IntN(3) {
	case 0:
		op.What = "DELETE /admin/sessions/" + s.id
	case 1:
		op.What = "DELETE /auth/sessions/" + s.id
	}
	if r.IntN(5) == 0 {
		patience = time.Duration(1+r.IntN(20)) * time.Millisecond
	}
	return l.ask(s, op, patience).Outcome
}

// ask carries an operation out and notes it.
func (l *load) ask(s *life, op operation, patience time.Duration) operation {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	method, path, _ := strings.Cut(op.What, " ")
	cookie := s.cookie
	if method == http.MethodDelete && strings.HasPrefix(path, "/auth/") {
		if cookie = l.neighbour(s); cookie == "" {
			return op // nobody there to do it
		}
	}
	op.Call, op.Generation = l.now(), -1
	a, err := l.call(ctx, cookie, op.Instance, method, path)
	op.Return = l.now()
	if err != nil {
		op.Note = "no answer"
	} else {
		l.read(&op, a)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.history = append(s.history, op)
	return op
}

// neighbour is the cookie of another session of the user.
func (l *load) neighbour(s *life) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.all) - 1; i >= 0; i-- {
		if l.all[i] != s {
			return l.all[i].cookie
		}
	}
	return ""
}

func (l *load) call(ctx context.Context, cookie string, instance int, method, path string) (Answer, error) {
	address := PublicURL + path
	admin := strings.HasPrefix(path, "/admin/")
	if admin {
		address = "http://" + l.fleet.Gateways[instance].Admin + path
	}
	r, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return Answer{}, err
	}
	if !admin {
		r.Header.Set("Cookie", cookie)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Sec-Fetch-Mode", "cors")
		r.Header.Set("Sec-Fetch-Dest", "empty")
	}
	return l.wire.do(instance, r)
}

// shown is what /auth/session and /auth/refresh say, and of problems their code.
type shown struct {
	Authenticated bool `json:"authenticated"`
	Generation    int  `json:"generation"`
	Tokens        struct {
		AccessToken struct {
			Payload Claims `json:"payload"`
		} `json:"accessToken"`
	} `json:"tokens"`
	Code    string `json:"code"`
	Pending bool   `json:"pending"`
}

// read sorts an answer.
func (l *load) read(op *operation, a Answer) {
	var says shown
	_ = json.Unmarshal([]byte(a.Body), &says)
	op.Note = fmt.Sprintf("%d %s", a.Status, says.Code)
	switch {
	case a.Status == http.StatusServiceUnavailable, a.Status == http.StatusBadGateway, a.Status == http.StatusGatewayTimeout:
	case op.Ends:
		l.readEnd(op, a, says)
	case a.Status == http.StatusUnauthorized:
		op.Outcome = gone
	case a.Status == http.StatusTooManyRequests && op.What == "POST /auth/refresh":
	case a.Status != http.StatusOK:
		l.wonder(op, a)
	case op.What == "GET /api/":
		op.Outcome, op.Token = served, a.Claims().ID
	case !says.Authenticated:
		op.Outcome = gone
	default:
		op.Outcome, op.Token, op.Generation = served, says.Tokens.AccessToken.Payload.ID, says.Generation
	}
}

func (l *load) readEnd(op *operation, a Answer, says shown) {
	switch {
	case a.Status == http.StatusNoContent, a.Status == http.StatusOK && !says.Pending:
		op.Outcome = ended
	case a.Status == http.StatusOK:
		op.Note = "pending"
	case a.Status == http.StatusAccepted && says.Pending:
		op.Note = "pending"
	case a.Status == http.StatusNotFound, a.Status == http.StatusUnauthorized: // of the neighbour
	default:
		l.wonder(op, a)
	}
}

// wonder notes an answer that no fault of the schedule explains.
func (l *load) wonder(op *operation, a Answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.odd = append(l.odd, fmt.Sprintf("%v: %d %.300s", op, a.Status, a.Body))
}
