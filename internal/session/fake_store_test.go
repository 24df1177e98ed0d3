package session_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// faultyStore is a store whose connection can fail, and that counts calls.
type faultyStore struct {
	session.Store
	loaded    func() // called between a load and its return
	unaware   bool   // of a watch that went deaf, until it hears again
	leaseless bool   // everyone gets every lease, as if each had run out
	grants    bool   // and the answer to a lease asked for while "acquire" is away is lost

	unconfirmed int // ends that too few replicas will have

	mu    sync.Mutex
	away  map[string]bool // by method
	calls map[string]int
}

var errAway = fmt.Errorf("%w: %w", session.ErrUnavailable, errors.New("connection refused"))

// Traits: it lies elsewhere, so that managers may cache what they loaded.
func (f *faultyStore) Traits() session.Traits {
	traits := f.Store.Traits()
	traits.CacheAge = 10 * time.Second
	return traits
}

func (f *faultyStore) call(method string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[method]++
	if f.away[method] || f.away["all"] {
		return errAway
	}
	return nil
}

func (f *faultyStore) setAway(away bool, methods ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range methods {
		f.away[m] = away
	}
}

func (f *faultyStore) callCount(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

func (f *faultyStore) Create(ctx context.Context, s *session.Session) (*session.Session, error) {
	if err := f.call("create"); err != nil {
		return nil, err
	}
	return f.Store.Create(ctx, s)
}

func (f *faultyStore) Load(ctx context.Context, h session.Handle) (*session.Session, error) {
	if err := f.call("load"); err != nil {
		return nil, err
	}
	s, err := f.Store.Load(ctx, h)
	if f.loaded != nil {
		f.loaded()
	}
	return s, err
}

// Watch can go deaf ("watch" away): the connection dies without a word, and the
// store notices after three signs of life that did not come.
func (f *faultyStore) Watch(ctx context.Context, receive func(session.Change), up func(bool)) error {
	missed := 0
	return f.Store.Watch(ctx, func(c session.Change) {
		if f.call("change") == nil && f.call("watch") == nil {
			receive(c)
		}
	}, func(ok bool) {
		deaf := f.call("watch") != nil
		if deaf {
			missed++
		}
		if !ok || (missed == 3 && !f.unaware) || (!deaf && missed > 0) {
			up(false)
		}
		if !deaf && ok {
			missed = 0
			up(true)
		}
	})
}

func (f *faultyStore) Replace(ctx context.Context, s *session.Session) (*session.Session, error) {
	if err := f.call("replace"); err != nil {
		return nil, err
	}
	return f.Store.Replace(ctx, s)
}

func (f *faultyStore) Touch(ctx context.Context, h session.Handle, seen time.Time) (session.Handle, error) {
	if err := f.call("touch"); err != nil {
		return h, err
	}
	return f.Store.Touch(ctx, h, seen)
}

func (f *faultyStore) Delete(ctx context.Context, h session.Handle, why session.Reason) (*session.Session, error) {
	if err := f.call("delete"); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err // as a driver would
	}
	s, err := f.Store.Delete(ctx, h, why)
	return s, errors.Join(err, f.confirm())
}

func (f *faultyStore) DeleteID(ctx context.Context, id string, why session.Reason) error {
	if err := f.call("delete"); err != nil {
		return err
	}
	return errors.Join(f.Store.DeleteID(ctx, id, why), f.confirm())
}

func (f *faultyStore) confirm() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.unconfirmed == 0 {
		return nil
	}
	f.unconfirmed--
	return session.ErrUnconfirmed
}

func (f *faultyStore) Acquire(ctx context.Context, id, owner string, term time.Duration) (bool, error) {
	if err := f.call("acquire"); err != nil {
		if f.grants {
			_, _ = f.Store.Acquire(ctx, id, owner, term)
		}
		return false, err
	}
	if f.leaseless {
		return true, nil
	}
	return f.Store.Acquire(ctx, id, owner, term)
}

func (f *faultyStore) Renew(ctx context.Context, id, owner string, term time.Duration) (bool, error) {
	if err := f.call("renew"); err != nil {
		return false, err
	}
	return f.Store.Renew(ctx, id, owner, term)
}

func (f *faultyStore) Release(ctx context.Context, id, owner string) error {
	if err := f.call("release"); err != nil {
		return err
	}
	return f.Store.Release(ctx, id, owner)
}
