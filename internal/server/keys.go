package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

const (
	// keysPause is the wait before the second try of the first fetch of the key set;
	// it doubles up to keysPauseMost.
	keysPause     = time.Second
	keysPauseMost = 15 * time.Second
)

var errNoKeys = errors.New("the key set has not come yet")

// keysKnown holds an instance back until the user pool's key set came once. From
// then on it never does: an outage of the user pool is no reason to take away
// what the instance can still serve. Why it does not come is in the log of
// [Server.fetchKeys]; what to look at is in the reason, too.
func (s *Server) keysKnown(context.Context) error {
	if s.oauth.KeysKnown() {
		return nil
	}
	if s.keysRefused.Load() {
		return fmt.Errorf("%w from %s: a wrong setting; look at %s", errNoKeys, s.pool.JWKS, issuerSetting(s.cfg))
	}
	return fmt.Errorf("%w from %s", errNoKeys, s.pool.JWKS)
}

// fetchKeys fetches the user pool's key set until it came once, so that a wrong
// pool shows at the start and not at the first login. It returns false if ctx ended
// first.
func (s *Server) fetchKeys(ctx context.Context) bool {
	for pause := keysPause; ; pause = min(2*pause, keysPauseMost) {
		err := s.oauth.FetchKeys(ctx)
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil:
			s.log.Info("key set fetched", "url", s.pool.JWKS)
			return true
		}
		refused := errors.Is(err, oauth.ErrMisconfigured)
		s.keysRefused.Store(refused)
		level := slog.LevelWarn
		if refused {
			level = slog.LevelError
		}
		s.log.Log(ctx, level, "not ready: the key set of the user pool does not come", "url", s.pool.JWKS,
			"from", issuerSetting(s.cfg), "error", err, "again", pause.String())
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false
		}
	}
}

// issuerSetting names what the issuer, and with it the key set's address, comes from.
func issuerSetting(cfg *config.Config) string {
	if cfg.Cognito.IssuerIsRegional() {
		return "cognito.user_pool_id and cognito.region"
	}
	return "cognito.issuer"
}
