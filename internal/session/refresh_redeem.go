package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/backoff"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// gracePause is how long after a lost answer the provider is asked again.
const gracePause = 250 * time.Millisecond

// redeem calls the provider, and once more if the answer was lost and the
// rotation grace lets the old refresh token still be used: the first call may
// have been carried out, and then nobody has its successor. A provider that asks
// to come back later has answered. The lease was long enough for one call, so it is
// renewed for the second: an instance that is cut off from the store would call
// beside the next owner, for tokens that it could not save.
func (f *flight) redeem(ctx context.Context, l *lease, current *Session) (oauth.Tokens, error) {
	if current.Tokens.Refresh.Empty() {
		return oauth.Tokens{}, oauth.ErrGrantRevoked // expired, with nothing to go on with
	}
	began := time.Now()
	tokens, err := f.call(l.during(ctx), current)
	var answered *oauth.BusyError
	lost := errors.Is(err, oauth.ErrUnavailable) && !errors.Is(err, errBreakerOpen) && !errors.As(err, &answered)
	if !lost || time.Since(began)+gracePause >= f.r.grace || !backoff.Pause(ctx, gracePause) {
		return tokens, err
	}
	if held, unsure := l.holds(ctx); unsure != nil || !held {
		return tokens, err
	}
	return f.call(l.during(ctx), current)
}

// call calls the provider, under the deadline of one call.
func (f *flight) call(ctx context.Context, current *Session) (tokens oauth.Tokens, err error) {
	ctx, cancel := context.WithTimeout(ctx, f.r.timeout)
	defer cancel()
	err = f.r.breaker.do(ctx, func() error {
		tokens, err = f.r.provider.Refresh(ctx, current.Tokens)
		if err != nil && contextEnded(err) {
			return fmt.Errorf("%w: %w", oauth.ErrUnavailable, err)
		}
		return err
	})
	switch {
	case err != nil:
		return oauth.Tokens{}, err
	case tokens.Issuer != current.Issuer, tokens.Subject != current.Subject:
		return oauth.Tokens{}, fmt.Errorf("%w: refreshed for another user", oauth.ErrInvalidToken)
	}
	return tokens, nil
}
