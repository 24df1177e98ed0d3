package server

import (
	"context"
	"errors"

	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// bearerBytes bounds the access tokens that are remembered; some 7,000 of Cognito's size.
// One that is not costs a signature to check.
const bearerBytes = 32 << 20

var (
	bearerChecks = telemetry.NewCounter("bearer_checks_total",
		"Access tokens of callers that were not remembered as verified, by outcome.", "outcome")
	bearersKept = telemetry.NewReading("bearer_tokens_remembered", "Access tokens of callers that are remembered as verified.")
)

// newBearers finds callers by their access tokens, which are the user pool's.
func newBearers(cfg *config.Config, pool *pool, sig signals) *middleware.Bearers {
	verify := func(ctx context.Context, token string, clients map[string]bool) (*oauth.AccessToken, error) {
		t, err := pool.oauth.VerifyAccess(ctx, token, clients)
		sig.metrics.Count(bearerChecks, bearerOutcome(err))
		return t, err
	}
	v := bearer.NewVerifier(verify, cfg.BearerClients, bearerBytes)
	sig.metrics.OnScrape(func(show telemetry.Show) { show(bearersKept, float64(v.Stats().Tokens)) })
	return &middleware.Bearers{Verify: v.Verify}
}

func bearerOutcome(err error) string {
	switch {
	case err == nil:
		return session.OutcomeDone
	case errors.Is(err, oauth.ErrInvalidToken):
		return session.OutcomeRefused
	}
	return session.OutcomeUnavailable
}
