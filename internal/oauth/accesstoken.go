package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// AccessToken is what an access token says that somebody brought and that was verified
// by itself. It is shared between requests: never change one.
type AccessToken struct {
	// Subject is the user; of a token by client credentials, which is nobody's, the
	// client.
	Subject string
	// ClientID is the app client that the token was issued to.
	ClientID  string
	ExpiresAt time.Time
	// AuthTime is when the user signed in; zero if the token does not say.
	AuthTime time.Time
	// Identity has no claims of an ID token.
	Identity *Identity
}

// ErrExpired is beside [ErrInvalidToken] where a token was good once.
var ErrExpired = errors.New("exp")

// VerifyAccess verifies an access token of the provider's that was issued to one of the
// clients. Unlike those that come with a login or a refresh it may come from anybody, so
// each claim must stand, and all hangs on the signature.
//
// Its end has no leeway: whoever sends it can get another. What the provider's clock has
// written has that of the other tokens.
//
// Errors: [ErrInvalidToken]; [ErrUnavailable] or [ErrMisconfigured] where the key set
// cannot be had, so that nobody can say.
func (c *Client) VerifyAccess(ctx context.Context, token string, clients map[string]bool) (*AccessToken, error) {
	a, err := c.verifyAccess(ctx, token, clients)
	if err != nil {
		return nil, fmt.Errorf("verify access token: %w", err)
	}
	return a, nil
}

func (c *Client) verifyAccess(ctx context.Context, token string, clients map[string]bool) (*AccessToken, error) {
	kid, err := checkForm(token)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	// The claims come first: they cost less than a signature, and the keys of this issuer
	// are not asked for those of another. None of them is believed before it.
	payload, _ := jwtPayload(token)
	a, err := c.readAccessToken(payload, clients, time.Now())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	if payload, err = c.checkSignature(ctx, token, kid, ""); err != nil {
		return nil, err
	}
	a.Identity = &Identity{Subject: a.Subject, Access: ParseMembers(payload)}
	return a, nil
}

// readAccessToken checks the claims of an access token by itself.
func (c *Client) readAccessToken(payload json.RawMessage, clients map[string]bool, now time.Time) (*AccessToken, error) {
	r, err := newClaimReader(payload)
	if err != nil {
		return nil, err
	}
	issuer, use := r.text("iss"), r.text("token_use")
	a := &AccessToken{
		Subject: r.text("sub"), ClientID: r.text("client_id"),
		ExpiresAt: r.time("exp"), AuthTime: r.optionalTime("auth_time"),
	}
	issuedAt, notBefore := r.time("iat"), r.optionalTime("nbf")
	// What else is standard has its type, or the API would read another token (RFC 7519
	// §4.1, RFC 8693 §4.2).
	for _, name := range []string{"scope", "jti", "username"} {
		r.optionalText(name)
	}
	if _, bound := r.members["aud"]; bound {
		r.texts("aud")
	}
	switch {
	case r.err != nil:
		return nil, r.err
	case issuer != c.opts.Issuer:
		return nil, errors.New("iss")
	case use != "access":
		return nil, errors.New("token_use")
	case !clients[a.ClientID]:
		return nil, errors.New("client_id")
	case a.Subject == "" || len(a.Subject) > maxSubject:
		return nil, errors.New("sub")
	case issuedAt.After(now.Add(clockSkew)):
		return nil, errors.New("iat")
	case notBefore.After(now.Add(clockSkew)):
		return nil, errors.New("nbf")
	case !now.Before(a.ExpiresAt):
		return nil, ErrExpired
	}
	return a, nil
}
