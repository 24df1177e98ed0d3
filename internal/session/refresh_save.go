package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/backoff"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

const (
	// saveFor is how long new tokens are kept for a store that does not take
	// them. Under rotation they are the only ones that still work.
	saveFor      = 2 * time.Minute
	savePause    = 100 * time.Millisecond // doubled after each try
	savePauseMax = 250 * time.Millisecond

	// refusedPause is how long a refused refresh token is given before its session
	// ends. Another instance may have redeemed it and lost its lease while the
	// store was away; now that the store answers it saves at its next try.
	refusedPause = 2 * savePauseMax
)

// save writes the new tokens before anyone is answered with them. If the store
// is away the waiters are told so, and the tokens are kept for its return.
func (f *flight) save(ctx context.Context, current *Session, t oauth.Tokens) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, saveFor)
	defer cancel()
	next := *current
	next.Generation++
	next.setTokens(t, present())
	for tries := backoff.New(savePause, savePauseMax); ; {
		saved, err := f.r.store.Replace(ctx, &next)
		switch {
		case err == nil:
			f.saved = true
			return saved, nil
		case errors.Is(err, ErrNotFound):
			// Signed out meanwhile, and so it stays; what was brought home is
			// worth nothing to anyone else either.
			f.r.revoker.revoke(ctx, t)
			return nil, err
		case errors.Is(err, ErrConflict):
			return f.overtaken(ctx, current, err)
		case errors.Is(err, ErrTooLarge):
			return f.outgrown(ctx, current, t, err)
		case !errors.Is(err, ErrUnavailable):
			return nil, storeError(err)
		}
		f.land(nil, fmt.Errorf("save refreshed session: %w", err))
		if !tries.Wait(ctx) {
			return nil, err
		}
	}
}

// overtaken adopts what another instance wrote meanwhile. Our tokens are not
// revoked: without rotation the winner's refresh token is the same one, and with
// it the provider may end the whole family.
func (f *flight) overtaken(ctx context.Context, current *Session, cause error) (*Session, error) {
	newest, err := f.r.store.Load(ctx, current.Handle)
	if err != nil {
		return nil, storeError(err)
	}
	return adopt(newest, cause)
}

// outgrown ends a session whose new tokens the store will never hold. Kept, it
// would ask the provider again and again, and under rotation for nothing; at the
// login that follows the user is told why.
func (f *flight) outgrown(ctx context.Context, current *Session, t oauth.Tokens, cause error) (*Session, error) {
	f.r.revoker.revoke(ctx, t)
	if _, err := f.r.endings.delete(ctx, current.Handle, ReasonRevoked); err != nil {
		return nil, storeError(err)
	}
	return nil, fmt.Errorf("%w: %w", ErrNotFound, cause)
}

// adopt takes what someone else wrote, if it is of use.
func adopt(newest *Session, cause error) (*Session, error) {
	if !newest.valid(time.Now()) {
		return nil, cause
	}
	return newest, nil
}

// refused ends the session whose grant is revoked, unless the refresh token
// that was refused is no longer the session's: then someone was faster, and
// theirs holds. Only under the lease can nobody save between reading and deleting.
func (f *flight) refused(ctx context.Context, l *lease, current *Session, cause error) (*Session, error) {
	if !backoff.Pause(ctx, refusedPause) {
		return nil, storeError(ctx.Err())
	}
	held, err := l.holds(ctx)
	if err != nil {
		return nil, storeError(err)
	}
	newest, err := f.r.store.Load(ctx, current.Handle)
	switch {
	case err != nil:
		return nil, storeError(err)
	case newest.Generation != current.Generation:
		return adopt(newest, ErrConflict)
	case !held:
		return nil, ErrConflict // whoever has it now may be about to save
	}
	if _, err := f.r.endings.delete(ctx, current.Handle, ReasonRevoked); err != nil {
		return nil, storeError(err)
	}
	return nil, fmt.Errorf("%w: %w", ErrNotFound, cause)
}
