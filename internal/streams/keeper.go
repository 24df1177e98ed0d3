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
	// again is how soon a session is looked up once more that lives though it should not,
	// as somebody has just used it or clocks differ, or about which there was no answer.
	again = time.Second
	// lookers is how many sessions are looked up at a time, after a gap for example, when
	// all are due: that must not keep requests from the store. While there is no answer at
	// all it is one. As many users are asked about at a time.
	lookers = 16
)

// Keeper ends the exchanges of sessions whose end nobody tells of, and records that a
// session is used where a long exchange does that. It serves one registry.
type Keeper struct {
	Registry *Registry
	Sessions *session.Manager

	ended atomic.Uint64

	known  map[string]*kept // by public id; the sessions of exchanges that last
	silent bool             // the store has not answered in the round before

	checks   sync.WaitGroup // questions about users that are under way
	checking chan struct{}  // holds one for each
}

// kept is what the keeper knows of one session.
type kept struct {
	session *session.Session // as it was when it was looked at last
	looked  time.Time        // when that began
	due     time.Time        // when it is to be looked at again
	pause   time.Time        // and not before
	used    bool             // which is to be recorded
	open    bool             // this round has found an exchange of it
	asking  atomic.Bool      // its user is being asked about
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
	k.known, k.checking = make(map[string]*kept), make(chan struct{}, lookers)
	defer k.checks.Wait()
	for backoff.Sleep(ctx, round) {
		k.round(ctx)
	}
}

// round looks at the sessions that are due: by their limits, or because changes have
// not arrived all the time since they were looked at.
func (k *Keeper) round(ctx context.Context) {
	now := time.Now()
	k.survey(now)
	since, hears := k.Sessions.HearsSince()
	var due []*kept
	for _, of := range k.known {
		missed := !hears || !of.looked.After(since)
		if (missed || of.used || !now.Before(of.due)) && !now.Before(of.pause) {
			due = append(due, of)
		}
	}
	k.look(ctx, due)
}

// survey takes in which sessions have exchanges that last.
func (k *Keeper) survey(now time.Time) {
	k.Registry.each(func(id string, newest *Place) {
		oldest, used, doubted := now, false, false
		for p := newest; p != nil; p = p.older {
			if p.since.Before(oldest) {
				oldest = p.since
			}
			used = p.used.Swap(false) || used
			doubted = doubted || p.doubted
			p.doubted = false
		}
		of := k.known[id]
		if of == nil {
			if now.Sub(oldest) < young && !used && !doubted {
				return
			}
			of = &kept{session: newest.session, looked: oldest, due: k.dueAfter(newest.session, now)}
			k.known[id] = of
		}
		if doubted {
			of.due = now
		}
		of.open, of.used = true, of.used || used
	})
	for id, of := range k.known {
		if !of.open && !of.used {
			delete(k.known, id)
		}
		of.open = false
	}
}

// dueAfter is when a session, as it was found, is to be looked at next.
func (k *Keeper) dueAfter(s *session.Session, now time.Time) time.Time {
	due := k.Sessions.EndsAt(s).Add(settle)
	if every := k.Sessions.LookAgain(); every > 0 && now.Add(every).Before(due) {
		due = now.Add(every)
	}
	if !now.Before(due) {
		due = now.Add(again)
	}
	return due
}

// look looks at sessions, some at a time. Looks without an answer are bounded, those that
// take their time most of all: the others wait meanwhile. Each is made again a little
// later.
func (k *Keeper) look(ctx context.Context, due []*kept) {
	const slow, slowly = again / 4, 16 // how long is slow, and as how many quick ones it counts
	at := lookers
	if k.silent {
		at = 1
	}
	var next, failures, waits, answers atomic.Int64
	var all sync.WaitGroup
	for range min(at, len(due)) {
		all.Go(func() {
			for ctx.Err() == nil && failures.Load() < int64(at*slowly) {
				i := int(next.Add(1)) - 1
				if i >= len(due) {
					return
				}
				began := time.Now()
				err := k.lookAt(ctx, due[i])
				switch {
				case err == nil:
					answers.Add(1)
					continue
				case time.Since(began) < slow:
					failures.Add(1)
				default:
					failures.Add(slowly)
					waits.Add(1)
				}
				due[i].pause = time.Now().Add(again)
			}
		})
	}
	all.Wait()
	k.silent = waits.Load() > 0 && answers.Load() == 0
}

// lookAt looks at one session, records its use and ends its exchanges if it is gone. It
// fails where nobody can say.
func (k *Keeper) lookAt(ctx context.Context, of *kept) error {
	began := time.Now()
	if of.used {
		touched, err := k.touch(ctx, of.session)
		if err != nil {
			return err
		}
		of.session, of.used = touched, false
	}
	found, err := k.Sessions.Load(ctx, of.session.Handle)
	switch {
	case errors.Is(err, session.ErrNotFound) && k.movedOn(of.session, began):
		of.looked, of.due = began, began.Add(again)
	case errors.Is(err, session.ErrNotFound):
		k.end(of.session.ID)
		of.pause = began.Add(again) // they may take a moment
	case err != nil:
		return err
	default:
		of.session, of.looked, of.due = found, began, k.dueAfter(found, began)
		k.ask(ctx, of)
	}
	return nil
}

// movedOn reports whether a session that is not here may live elsewhere, under a handle
// that only its browser knows.
func (k *Keeper) movedOn(s *session.Session, now time.Time) bool {
	return k.Sessions.MovingHandles() && now.Before(s.ExpiresAt)
}

// touch records a use. Where handles move there is nobody to give the new one to.
func (k *Keeper) touch(ctx context.Context, s *session.Session) (*session.Session, error) {
	if k.Sessions.MovingHandles() {
		return s, nil
	}
	return k.Sessions.Touch(ctx, s)
}

// ask asks whether the session's user is still in, beside the round, as the user pool may
// take its time. Where handles move nobody is asked: that may refresh the session, and
// the header that would bring the new handle has been sent.
func (k *Keeper) ask(ctx context.Context, of *kept) {
	s := of.session
	if k.Sessions.MovingHandles() || !k.Sessions.CheckDue(s) || !of.asking.CompareAndSwap(false, true) {
		return
	}
	select {
	case k.checking <- struct{}{}:
	default: // the next look asks
		of.asking.Store(false)
		return
	}
	k.checks.Go(func() {
		defer func() {
			<-k.checking
			of.asking.Store(false)
		}()
		if _, err := k.Sessions.CheckUser(ctx, s); errors.Is(err, session.ErrNotFound) {
			k.end(s.ID)
		}
	})
}
