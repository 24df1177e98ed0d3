package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
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

// UserCheck asks the provider at intervals whether a session's user is
// still in, which a valid access token does not say.
type UserCheck struct {
	// Every is how long an answer holds. 0: nobody is asked.
	Every time.Duration
	// Ask returns nil where the access token of t is good, [oauth.ErrGrantRevoked]
	// where the provider refuses it (cognito.API.GetUser). Any other error is no answer.
	Ask func(ctx context.Context, t oauth.Tokens) error
}

// userCheck is what this process knows of whose user is still in. A session
// that is not known here is due unless its tokens are younger than an answer
// may be: a provider issues none to a user who is out.
//
// Answers lie in two generations and go with the older one, so that each stays
// for at least the interval, or until maxChecked others came: then it is asked
// for again, earlier than it had to be.
type userCheck struct {
	UserCheck
	refresher *refresher // has the last word on a token that was refused
	breaker   *breaker

	work    *background
	observe OutcomeFunc
	log     *slog.Logger

	mu         sync.RWMutex
	young, old map[string]answer // by session id
	turned     time.Time
	running    map[string]*question
	failing    bool // the last question had no answer
}

type answer struct {
	due     time.Time // when to ask again
	refused bool      // the access token was, and no refresh has said otherwise
}

// question is one about one session, which all its requests wait for.
type question struct {
	done  chan struct{}
	fresh *Session // what to go on with, nil if nothing changed; valid once done is closed
	err   error    // likewise
}

func newUserCheck(o *Options, r *refresher, work *background) *userCheck {
	return &userCheck{
		UserCheck: o.UserCheck, refresher: r, breaker: newBreaker(),
		work: work, observe: o.Observe.Check, log: o.Logger,
		young: make(map[string]answer), running: make(map[string]*question),
	}
}

// CheckUser returns the session if its user is still in, by an answer of the
// provider that is no older than [UserCheck.Every]. A request that finds it older
// waits for a new one; if it did not, a session that nobody used for an hour would
// be served once more. Where the provider does not answer the session is served.
//
// The session may come refreshed, and then with another handle where handles move.
//
// Errors: [ErrNotFound] (the user is out); where the access token was refused
// and no refresh could confirm it, why not, as [Manager.Fresh]; the context's.
func (m *Manager) CheckUser(ctx context.Context, s *Session) (*Session, error) {
	if !m.users.due(s) {
		return s, nil
	}
	q := m.users.join(ctx, s)
	select {
	case <-q.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	switch {
	case q.err != nil:
		return nil, fmt.Errorf("ask about its user: %w", q.err)
	case q.fresh != nil:
		return q.fresh, nil
	}
	return s, nil
}

// due reports whether the session's user is to be asked about.
func (u *userCheck) due(s *Session) bool {
	if u.Every <= 0 {
		return false
	}
	now := time.Now()
	if age := now.Sub(s.TokensAt); age >= 0 && age < u.Every {
		return false
	}
	return !now.Before(u.answer(s.ID).due)
}

func (u *userCheck) answer(id string) answer {
	u.mu.RLock()
	defer u.mu.RUnlock()
	if a, ok := u.young[id]; ok {
		return a
	}
	return u.old[id]
}

func (u *userCheck) keep(id string, a answer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if now := present(); len(u.young) >= maxChecked || now.Sub(u.turned) > u.Every {
		u.old, u.young, u.turned = u.young, make(map[string]answer), now
	}
	u.young[id] = a
}

// join returns the question about the session, and begins one if there is none. It
// is detached: the next request relies on it when this one's browser leaves.
func (u *userCheck) join(ctx context.Context, s *Session) *question {
	u.mu.Lock()
	defer u.mu.Unlock()
	if q := u.running[s.ID]; q != nil {
		return q
	}
	// Stands only if a panic comes between: waiters must never hang.
	q := &question{done: make(chan struct{}), err: fmt.Errorf("%w: broken off", ErrUnavailable)}
	u.running[s.ID] = q
	u.work.start(ctx, func(ctx context.Context) {
		defer func() {
			u.mu.Lock()
			defer u.mu.Unlock()
			delete(u.running, s.ID)
			close(q.done)
		}()
		q.fresh, q.err = u.check(ctx, s)
	})
	return q
}

// check asks, and leaves the last word on a token that was refused or has expired
// to a refresh: the token may be older than the session's newest, or the clock here
// may be behind, and only a refresh ends sessions, under its lease.
func (u *userCheck) check(ctx context.Context, s *Session) (*Session, error) {
	began := present()
	refused := u.answer(s.ID).refused
	if !refused && s.valid(began) {
		err := u.ask(ctx, s.Tokens)
		switch {
		case err == nil:
			u.keep(s.ID, answer{due: began.Add(u.Every)})
			return nil, nil
		case !errors.Is(err, oauth.ErrGrantRevoked):
			u.keep(s.ID, answer{due: present().Add(min(u.Every, recheck))})
			return nil, nil
		}
		refused = true
	}
	fresh, err := u.refresher.refreshed(ctx, s)
	switch {
	case err == nil:
		u.keep(s.ID, answer{due: began.Add(u.Every)})
		return fresh, nil
	case refused, errors.Is(err, ErrNotFound):
		u.keep(s.ID, answer{refused: true})
		return nil, storeError(err)
	}
	u.keep(s.ID, answer{due: present().Add(min(u.Every, recheck))})
	return nil, nil
}

// userCheckOutcome is what came of a question, for metrics.
func userCheckOutcome(err error) string {
	switch {
	case err == nil:
		return OutcomeDone
	case errors.Is(err, oauth.ErrGrantRevoked):
		return OutcomeRefused
	case errors.Is(err, errBreakerOpen):
		return OutcomeDropped
	}
	return outcomeOf(err)
}

// ask puts the question, no more often at a time than the breaker allows.
func (u *userCheck) ask(ctx context.Context, t oauth.Tokens) error {
	bounded, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	began := time.Now()
	err := u.breaker.do(bounded, func() error { return u.Ask(bounded, t) })
	u.observe.tell(ctx, userCheckOutcome(err), began)
	u.report(err)
	return err
}

// report logs when answers stop to come and when they are back, not each session
// that goes without.
func (u *userCheck) report(err error) {
	failing := err != nil && !errors.Is(err, oauth.ErrGrantRevoked)
	u.mu.Lock()
	changed := u.failing != failing
	u.failing = failing
	u.mu.Unlock()
	switch {
	case !changed:
	case failing:
		u.log.Warn("not known who is signed out at the user pool: sessions are served unasked", "error", err)
	default:
		u.log.Info("the user pool says again who is signed out")
	}
}
