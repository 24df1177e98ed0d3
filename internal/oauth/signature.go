package oauth

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/coreos/go-oidc/v3/oidc"
)

// errSignature is beside [ErrInvalidToken] where the library refuses a token. It says no
// more than that: the library's own text quotes claims.
var errSignature = errors.New("signature")

// checkSignature has the library check a token whose form is good and whose header names
// the key kid: its signature by RS256, its issuer, and its audience unless that is empty.
// It returns the payload. Times are for the caller, with one leeway for all.
//
// Errors: [ErrInvalidToken]; those of the key set where it cannot be had.
func (c *Client) checkSignature(ctx context.Context, token, kid, audience string) (json.RawMessage, error) {
	// Find the one key first and hand it over: the verifier turns an error of its
	// key set into text, so that "forged" and "the keys cannot be had" would look
	// alike.
	key, err := c.keys.key(ctx, kid)
	if err != nil {
		return nil, err
	}
	v := oidc.NewVerifier(c.opts.Issuer, &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{key}}, &oidc.Config{
		ClientID: audience, SkipClientIDCheck: audience == "",
		SupportedSigningAlgs: []string{oidc.RS256},
		SkipExpiryCheck:      true,
	})
	verified, err := v.Verify(ctx, token)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidToken, errSignature)
	}
	var payload json.RawMessage
	if err := verified.Claims(&payload); err != nil {
		return nil, fmt.Errorf("%w: claims", ErrInvalidToken)
	}
	return payload, nil
}
