package main

import (
	"context"
	"errors"

	"github.com/coreos/go-oidc/v3/oidc"
)

// Claims are what an API may go by.
type Claims struct {
	Subject  string   `json:"sub"`
	TokenUse string   `json:"token_use"`
	ClientID string   `json:"client_id"`
	Scope    string   `json:"scope"` // separated by spaces
	Groups   []string `json:"cognito:groups"`
}

// NewVerifier returns what checks an access token.
func NewVerifier(issuer, clientID string) func(context.Context, string) (Claims, error) {
	keys := oidc.NewRemoteKeySet(context.Background(), issuer+"/.well-known/jwks.json")
	verifier := oidc.NewVerifier(issuer, keys, &oidc.Config{SkipClientIDCheck: true}) // there is no aud
	return func(ctx context.Context, token string) (Claims, error) {
		var c Claims
		signed, err := verifier.Verify(ctx, token) // signature, iss, exp
		if err != nil {
			return Claims{}, err
		}
		if err := signed.Claims(&c); err != nil {
			return Claims{}, err
		}
		if c.TokenUse != "access" || c.ClientID != clientID {
			return Claims{}, errors.New("no access token of this client")
		}
		return c, nil
	}
}
