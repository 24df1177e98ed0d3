package server

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/handlers"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// poolObserver tells the metrics of each call of a user pool.
func poolObserver(m *telemetry.Metrics) oauth.Observer {
	return func(_ context.Context, call string, took time.Duration, err error) {
		m.UserPool(call, poolOutcome(err), took)
	}
}

// poolOutcome names what came of a call. A caller that left says nothing about
// the user pool and is told apart.
func poolOutcome(err error) string {
	var busy *oauth.BusyError
	switch {
	case err == nil:
		return session.OutcomeDone
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.As(err, &busy):
		return "busy"
	case errors.Is(err, oauth.ErrGrantRevoked):
		return session.OutcomeRefused
	case errors.Is(err, oauth.ErrMisconfigured):
		return session.OutcomeMisconfigured
	case errors.Is(err, oauth.ErrInvalidToken):
		return "invalid_token"
	}
	return session.OutcomeUnavailable
}

// storeObserver tells the metrics of each call of the session store.
func storeObserver(m *telemetry.Metrics) func(ctx context.Context, operation string, took time.Duration, err error) {
	return func(_ context.Context, operation string, took time.Duration, err error) {
		m.Store(operation, storeOutcome(err), took)
	}
}

// storeOutcome names what came of a call. That a session is not there, or has
// changed, is an answer.
func storeOutcome(err error) string {
	switch {
	case err == nil, errors.Is(err, session.ErrNotFound), errors.Is(err, session.ErrConflict):
		return session.OutcomeDone
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return session.OutcomeFailed
}

// sessionObserver tells the metrics of what happens to sessions.
func sessionObserver(m *telemetry.Metrics) session.Observer {
	timed := func(tell func(outcome string, took time.Duration)) session.OutcomeFunc {
		return func(_ context.Context, outcome string, took time.Duration) { tell(outcome, took) }
	}
	counted := func(tell func(outcome string)) session.OutcomeFunc {
		return func(_ context.Context, outcome string, _ time.Duration) { tell(outcome) }
	}
	return session.Observer{
		Refresh: timed(m.Refresh), LeaseWait: timed(m.LeaseWait),
		Revoke: counted(m.Revoke), Delete: counted(m.Delete), Check: counted(m.RevocationCheck),
		Beat: func(_ context.Context, gap time.Duration) { m.ChangesHeard(gap) },
	}
}

// countTimeout is how long a scrape waits for the number of sessions.
const countTimeout = time.Second

// figures are what a scrape of the metrics reads.
func (s *sessions) figures() telemetry.SessionFigures {
	stats := s.manager.Stats()
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	count, _ := s.store.Count(ctx) // without an answer the figure is absent
	return telemetry.SessionFigures{
		Sessions: count.Sessions, SessionsAt: count.At,
		CacheEntries: stats.CacheEntries, CacheBytes: stats.CacheBytes,
		CacheHits: stats.CacheHits, CacheMisses: stats.CacheMisses, CacheBypasses: stats.CacheBypasses,
		CacheStaleness: stats.CacheStaleness,
		ChangesHeard:   stats.Listening, BreakerOpen: stats.BreakerOpen, BreakerRefusals: stats.BreakerRefusals,
		EventStreams: stats.Streams[handlers.EventStreams.Name],
	}
}
