package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// defaultTimeout leaves a caller time to word the answer within
// [session.StoreTimeout].
const defaultTimeout = session.StoreTimeout - 200*time.Millisecond

// calls are what all calls of something outside this process have in common.
type calls struct {
	where   string // what is called, as errors name it
	timeout time.Duration
	observe func(ctx context.Context, op string, took time.Duration, err error) // nil: nobody
}

// call runs one operation under the store's own deadline and sorts its error:
// the facts of a session as they are, a caller that left as that, all else as
// an outage with its cause.
func (c *calls) call(ctx context.Context, op string, f func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	began := time.Now()
	err := f(bounded)
	switch {
	case err == nil, errors.Is(err, session.ErrNotFound), errors.Is(err, session.ErrConflict),
		errors.Is(err, session.ErrUnconfirmed):
	case errors.Is(ctx.Err(), context.Canceled):
		err = context.Canceled
	default:
		err = fmt.Errorf("%s in %s: %w: %w", op, c.where, session.ErrUnavailable, err)
	}
	if c.observe != nil {
		c.observe(ctx, op, time.Since(began), err)
	}
	return err
}
