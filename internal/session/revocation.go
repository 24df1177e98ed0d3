package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const (
	// checkTimeout bounds one question to the provider. Requests wait for it, so
	// it is also the most that a silent provider costs a request.
	checkTimeout = 2 * time.Second
	// recheck is how long a session is served unasked after a question that had
	// no answer, if that is less than the interval.
	recheck = 5 * time.Second
	// maxChecked is how many answers one generation of them holds.
	maxChecked = 1 << 16
)

// RevocationCheck asks the provider at intervals whether a session's user is
// still in, which a valid access token does not say.
type RevocationCheck struct {
	// Every is how long an answer holds. 0: nobody is asked.
	Every time.Duration
	// Ask returns nil where the token is good, [oauth.ErrGrantRevoked] where the
	// provider refuses it (cognito.API.GetUser). Any other error is no answer.
	Ask func(ctx context.Context, access secret.Text) error
}

// revocation is what this process knows of whose user is still in. A session
// that is not known here is due unless its tokens are younger than an answer
// may be: a provider issues none to a user who is out.
//
// Answers lie in two generations and go with the older one, so that each stays
// for at least the interval, or until maxChecked others came: then it is asked
// for again, earlier than it had to be.
type revocation struct {
	RevocationCheck
	breaker *breaker

	mu         sync.RWMutex
	young, old map[string]answer // by session id
	turned     time.Time
	running    map[string]*check
	failing    bool // the last question had no answer
}

type answer struct {
	due     time.Time // when to ask again
	refused bool      // the access token was, and no refresh has said otherwise
}

// check is one question about one session, which all its requests wait for.
type check struct {
	done  chan struct{}
	fresh *Session // what to go on with, nil if nothing changed; valid once done is closed
	err   error    // likewise
}

func newRevocation(o RevocationCheck) *revocation {
	return &revocation{RevocationCheck: o, breaker: newBreaker(),
		young: make(map[string]answer), running: make(map[string]*check)}
}

// stillIn returns the session if its user is still in as far as known, asked
// for no longer ago than the interval. The request that finds the answer too old
// waits for a new one: served meanwhile, a session that nobody used for an hour
// would be served once more. Where there is no answer to be had it is served.
//
// Errors: [ErrNotFound] (the user is out); where the access token was refused
// and no refresh could confirm it, why not, as [Manager.Fresh]; the context's.
func (m *Manager) stillIn(ctx context.Context, s *Session, now time.Time) (*Session, error) {
	if m.revocation.Every <= 0 || !m.revocation.dueFor(s, now) {
		return s, nil
	}
	c := m.beginCheck(s)
	select {
	case <-c.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	switch {
	case c.err != nil:
		return nil, fmt.Errorf("check for revocation: %w", c.err)
	case c.fresh != nil:
		return c.fresh, nil
	}
	return s, nil
}

func (r *revocation) dueFor(s *Session, now time.Time) bool {
	if age := now.Sub(s.TokensAt); age >= 0 && age < r.Every {
		return false
	}
	return !now.Before(r.answer(s.ID).due)
}

func (r *revocation) answer(id string) answer {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if a, ok := r.young[id]; ok {
		return a
	}
	return r.old[id]
}

func (r *revocation) keep(id string, a answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := present(); len(r.young) >= maxChecked || now.Sub(r.turned) > r.Every {
		r.old, r.young, r.turned = r.young, make(map[string]answer), now
	}
	r.young[id] = a
}

// beginCheck returns the check of the session, and starts one if there is none.
// It is detached: the next request relies on it when this one's browser leaves.
func (m *Manager) beginCheck(s *Session) *check {
	r := m.revocation
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.running[s.ID]; c != nil {
		return c
	}
	// Stands only if a panic comes between: waiters must never hang.
	c := &check{done: make(chan struct{}), err: fmt.Errorf("%w: broken off", ErrUnavailable)}
	r.running[s.ID] = c
	m.work.start(func(ctx context.Context) {
		defer func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.running, s.ID)
			close(c.done)
		}()
		c.fresh, c.err = m.check(ctx, s)
	})
	return c
}

// check asks, and lets a refresh have the last word on a token that was refused
// or has expired: the token may be an older one than the session's, or the clock
// here behind, and it is the refresh that ends sessions, under its lease.
func (m *Manager) check(ctx context.Context, s *Session) (*Session, error) {
	r, began := m.revocation, present()
	refused := r.answer(s.ID).refused
	if !refused && s.valid(began) {
		err := r.ask(ctx, s.Tokens.Access)
		m.o.Observe.check(checkOutcome(err))
		m.tellAsking(err)
		switch {
		case err == nil:
			r.keep(s.ID, answer{due: began.Add(r.Every)})
			return nil, nil
		case !errors.Is(err, oauth.ErrGrantRevoked):
			r.keep(s.ID, answer{due: present().Add(min(r.Every, recheck))})
			return nil, nil
		}
		refused = true
	}
	fresh, err := m.confirm(ctx, s)
	switch {
	case err == nil:
		r.keep(s.ID, answer{due: began.Add(r.Every)})
		return fresh, nil
	case refused, errors.Is(err, ErrNotFound):
		r.keep(s.ID, answer{refused: true})
		return nil, storeError(err)
	}
	r.keep(s.ID, answer{due: present().Add(min(r.Every, recheck))})
	return nil, nil
}

// checkOutcome is what came of a question, for metrics.
func checkOutcome(err error) string {
	switch {
	case err == nil:
		return OutcomeDone
	case errors.Is(err, oauth.ErrGrantRevoked):
		return OutcomeRefused
	case errors.Is(err, errBreakerOpen):
		return OutcomeDropped
	}
	_, outcome, _ := failed(err)
	return outcome
}

// ask puts the question, no more often at a time than the breaker allows.
func (r *revocation) ask(ctx context.Context, access secret.Text) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return r.breaker.do(ctx, func() error { return r.Ask(ctx, access) })
}

// confirm returns the session refreshed.
func (m *Manager) confirm(ctx context.Context, s *Session) (*Session, error) {
	f, err := m.join(s, false)
	if err != nil {
		return nil, err
	}
	return f.wait(ctx)
}

// tellAsking logs when answers stop to come and when they are back, not each
// session that goes without.
func (m *Manager) tellAsking(err error) {
	failing := err != nil && !errors.Is(err, oauth.ErrGrantRevoked)
	r := m.revocation
	r.mu.Lock()
	told := r.failing == failing
	r.failing = failing
	r.mu.Unlock()
	switch {
	case told:
	case failing:
		m.log.Warn("not known who is signed out at the user pool: sessions are served unasked", "error", err)
	default:
		m.log.Info("the user pool says again who is signed out")
	}
}
