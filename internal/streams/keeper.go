package streams

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/backoff"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

const (
	// round is how often the keeper looks whether a session is due. With what a look
	// takes it is how long an exchange outlasts a session whose end nobody tells.
	round = 250 * time.Millisecond
	// young is how long an exchange must have lasted to be looked at: most are over by
	// then, and their session was looked up when they began.
	young = 500 * time.Millisecond
	// settle is how much later than its limit a session is looked up, because stores
	// keep times to the millisecond.
	settle = 20 * time.Millisecond
	// again is when a session is looked up once more that lives though it should not:
	// somebody has just used it, or clocks differ.
	again = time.Second
	// lookers is how many sessions are looked up at a time, after a gap for example, when
	// all are due: that must not keep requests from the store. While there is no answer it
	// is one.
	lookers = 16
)

// Keeper ends the exchanges of sessions whose end nobody tells of, and records that a
// session is used where a long exchange does that. It serves one registry.
type Keeper struct {
	Registry *Registry
	Sessions *session.Manager
	// Check is how often the user pool is asked whether a user is still in; 0: never
	// ([session.UserCheck]).
	Check time.Duration

	ended  atomic.Uint64
	known  map[string]*kept // by public id; the sessions of exchanges that last
	silent bool             // the store has not answered in the round before
}

// kept is what the keeper knows of one session.
type kept struct {
	session *session.Session // as it was when it was looked at last
	due     time.Time        // when it is to be looked at again
	unheard bool             // changes were not heard some time since then
	used    bool             // and it is to be recorded
	open    bool             // this round has found an exchange of it
}

// Heard takes in a change of a session, as [session.Manager.Follow] tells it.
func (k *Keeper) Heard(c session.Change) {
	if c.Ended() {
		k.end(c.ID)
	}
}

func (k *Keeper) end(id string) { k.ended.Add(uint64(k.Registry.End(id))) }

// Ended counts the exchanges that were ended with their session.
func (k *Keeper) Ended() uint64 { return k.ended.Load() }

// Run keeps the registry's exchanges until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	for backoff.Sleep(ctx, round) {
		k.round(ctx)
	}
}

// round looks at the sessions that are due.
func (k *Keeper) round(ctx context.Context) {
	k.survey(time.Now())
	hears, now := k.Sessions.Hears(), time.Now()
	var due []*kept
	for _, of := range k.known {
		of.unheard = of.unheard || !hears
		if of.unheard || of.used || !now.Before(of.due) {
			due = append(due, of)
		}
	}
	k.look(ctx, due, hears)
}

// survey takes in which sessions have exchanges that last.
func (k *Keeper) survey(now time.Time) {
	if k.known == nil {
		k.known = make(map[string]*kept)
	}
	k.Registry.each(func(id string, newest *Place) {
		lasts, used := false, false
		for p := newest; p != nil; p = p.older {
			lasts = lasts || now.Sub(p.since) >= young
			used = p.used.Swap(false) || used
		}
		if !lasts && !used {
			return
		}
		of := k.known[id]
		if of == nil {
			of = &kept{session: newest.session, due: k.dueAfter(newest.session, now)}
			k.known[id] = of
		}
		of.open, of.used = true, of.used || used
	})
	for id, of := range k.known {
		if !of.open {
			delete(k.known, id)
		}
		of.open = false
	}
}

// dueAfter is when a session, as it was found, is to be looked at next.
func (k *Keeper) dueAfter(s *session.Session, now time.Time) time.Time {
	due := k.Sessions.EndsAt(s).Add(settle)
	if k.Check > 0 && now.Add(k.Check).Before(due) {
		due = now.Add(k.Check)
	}
	if soon := now.Add(again); due.Before(soon) && !now.Before(due) {
		due = soon
	}
	return due
}

// look looks at sessions, some at a time, and at no others in this round once there is
// no answer: each would be waited for.
func (k *Keeper) look(ctx context.Context, due []*kept, hears bool) {
	at := lookers
	if k.silent {
		at = 1
	}
	var next atomic.Int64
	var silent atomic.Bool
	var all sync.WaitGroup
	for range min(at, len(due)) {
		all.Go(func() {
			for !silent.Load() && ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(due) {
					return
				}
				if err := k.lookAt(ctx, due[i], hears); err != nil {
					silent.Store(true)
				}
			}
		})
	}
	all.Wait()
	k.silent = silent.Load()
}

// lookAt looks at one session, records its use and ends its exchanges if it is gone. It
// fails where nobody can say.
func (k *Keeper) lookAt(ctx context.Context, of *kept, hears bool) error {
	if of.used {
		touched, err := k.touch(ctx, of.session)
		if err != nil {
			return err
		}
		of.session, of.used = touched, false
		if now := time.Now(); hears && !of.unheard && now.Before(of.due) {
			return nil
		}
	}
	found, err := k.find(ctx, of.session)
	switch {
	case errors.Is(err, session.ErrNotFound):
		k.end(of.session.ID)
	case err != nil:
		return err
	default:
		of.session, of.unheard, of.due = found, !hears, k.dueAfter(found, time.Now())
	}
	return nil
}

// touch records a use. Where handles move there is nobody to give the new one to.
func (k *Keeper) touch(ctx context.Context, s *session.Session) (*session.Session, error) {
	if k.Sessions.MovingHandles() {
		return s, nil
	}
	return k.Sessions.Touch(ctx, s)
}

// find returns the session now, if its user is still in. Where handles move the user
// is not asked about: that may refresh the session, and the header that would bring
// the new handle has been sent.
func (k *Keeper) find(ctx context.Context, s *session.Session) (*session.Session, error) {
	found, err := k.Sessions.Load(ctx, s.Handle)
	if err != nil || k.Sessions.MovingHandles() {
		return found, err
	}
	checked, err := k.Sessions.CheckUser(ctx, found)
	if err != nil && !errors.Is(err, session.ErrNotFound) {
		return found, nil // the pool cannot say, which is its outage and no end
	}
	return checked, err
}
