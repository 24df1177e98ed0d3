package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/backoff"
	"github.com/gatehouse-auth/gatehouse/internal/cognito"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

const (
	// keysPause is the wait before the second try of the first fetch of the key set;
	// it doubles up to keysPauseMost.
	keysPause     = time.Second
	keysPauseMost = 15 * time.Second
)

var errNoKeys = errors.New("the key set has not come yet")

// pool is a user pool: who is called there and for what, and whether its key set
// has come.
type pool struct {
	oauth *oauth.Client  // the code flow, refreshes, tokens
	api   *cognito.API   // what a user's own token authorizes
	admin *cognito.Admin // what AWS credentials authorize

	// audience names the pool and the client in it. Gateways that share keys, and a
	// Redis, may still serve other user pools, or other clients of one.
	audience  session.Audience
	logoutURL string

	keysURL string
	// issuerSetting names what the issuer, and with it keysURL, comes from.
	issuerSetting string
	// keysRefused: the user pool answered the first fetch of its key set, and has none.
	keysRefused atomic.Bool
	log         *slog.Logger
}

// newPool builds the clients of a user pool over calls. It calls nobody.
func newPool(cfg *config.Config, ring *secret.Ring, calls *http.Client, sig signals) (*pool, error) {
	c, asked := cfg.Cognito, poolObserver(sig.metrics)
	at := cognito.NewEndpoints(c.Domain, c.Issuer)
	client, err := oauth.New(oauth.Options{
		ClientID: c.ClientID, ClientSecret: c.ClientSecret,
		AuthorizeURL: at.Authorize, SignupURL: at.Signup, TokenURL: at.Token,
		RevokeURL: at.Revoke, JWKSURL: at.JWKS,
		Settings: oauth.Settings{
			Issuer: issuerSetting(c), Domain: "cognito.domain", Client: "cognito.client_id and cognito.client_secret",
		},
		Issuer: c.Issuer, RedirectURL: ownURL(cfg, "/callback"),
		Scopes: c.Scopes, Ring: ring,
		HTTP: calls, Timeout: cfg.Refresh.Timeout, Observe: asked,
	})
	if err != nil {
		return nil, err
	}
	return &pool{
		oauth: client,
		api:   cognito.NewAPI(cognito.APIOptions{Endpoint: c.APIEndpoint, Region: c.Region, HTTP: calls, Observe: asked}),
		admin: cognito.NewAdmin(cognito.AdminOptions{
			PoolID: c.UserPoolID, Endpoint: c.APIEndpoint, Region: c.Region, HTTP: calls,
		}),
		audience:  session.Audience{Issuer: c.Issuer, ClientID: c.ClientID},
		logoutURL: cognito.LogoutURL(c.Domain, c.ClientID, ownURL(cfg, "/signed-out")),
		keysURL:   at.JWKS, issuerSetting: issuerSetting(c), log: sig.log,
	}, nil
}

// stillIn asks whether the user of t is still in.
func (p *pool) stillIn(ctx context.Context, t oauth.Tokens) error {
	return p.api.GetUser(ctx, t.Access)
}

// keysKnown holds an instance back until the user pool's key set came once. From
// then on it never does: an outage of the user pool is no reason to take away
// what the instance can still serve. Why it does not come is in the log of
// [pool.fetchKeys]; what to look at is in the reason, too.
func (p *pool) keysKnown(context.Context) error {
	if p.oauth.KeysKnown() {
		return nil
	}
	if p.keysRefused.Load() {
		return fmt.Errorf("%w from %s: a wrong setting; look at %s", errNoKeys, p.keysURL, p.issuerSetting)
	}
	return fmt.Errorf("%w from %s", errNoKeys, p.keysURL)
}

// fetchKeys fetches the user pool's key set until it came once, so that a wrong
// pool shows at the start and not at the first login. It returns false if ctx ended
// first.
func (p *pool) fetchKeys(ctx context.Context) bool {
	for tries := backoff.New(keysPause, keysPauseMost); ; {
		err := p.oauth.FetchKeys(ctx)
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil:
			p.log.Info("key set fetched", "url", p.keysURL)
			return true
		}
		refused := errors.Is(err, oauth.ErrMisconfigured)
		p.keysRefused.Store(refused)
		level := slog.LevelWarn
		if refused {
			level = slog.LevelError
		}
		again := tries.Next().Round(time.Millisecond)
		p.log.Log(ctx, level, "not ready: the key set of the user pool does not come", "url", p.keysURL,
			"from", p.issuerSetting, "error", err, "again", again.String())
		if !backoff.Sleep(ctx, again) {
			return false
		}
	}
}

// issuerSetting names what the issuer, and with it the key set's address, comes from.
func issuerSetting(c config.Cognito) string {
	if c.IssuerIsRegional() {
		return "cognito.user_pool_id and cognito.region"
	}
	return "cognito.issuer"
}
