package main

import (
	"context"

	"github.com/coreos/go-oidc/v3/oidc"
)

// Assertion is what the gateway vouches for.
type Assertion struct {
	Subject  string   `json:"sub"`
	Username string   `json:"username"`
	Email    string   `json:"email"` // a verified one
	Groups   []string `json:"groups"`
}

// NewAssertionVerifier returns what checks an assertion. The issuer is the gateway's
// public_url; keys is where the API reaches its /auth/jwks.json.
func NewAssertionVerifier(issuer, keys, audience string) func(context.Context, string) (Assertion, error) {
	set := oidc.NewRemoteKeySet(context.Background(), keys)
	verifier := oidc.NewVerifier(issuer, set, &oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{oidc.ES256}})
	return func(ctx context.Context, token string) (Assertion, error) {
		var a Assertion
		signed, err := verifier.Verify(ctx, token) // signature, iss, aud, exp
		if err != nil {
			return Assertion{}, err
		}
		if err := signed.Claims(&a); err != nil {
			return Assertion{}, err
		}
		return a, nil
	}
}
